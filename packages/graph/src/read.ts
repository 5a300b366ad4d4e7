import { fromBinary } from '@bufbuild/protobuf';
import { CoppiceError } from './errors.ts';
import { fileKind } from './file-kind.ts';
import { ModelProtoSchema, TensorProtoSchema, type ModelProto, type TensorProto } from './gen/onnx_pb.js';
import type { ExternalData, Model } from './model.ts';
import { checkWire } from './wire.ts';

/**
 * Reads a model out of the bytes of an `.onnx` file. Weights stay views on `bytes`, so do not change them afterwards.
 * The message is decoded, not checked: see `checkModel`.
 * @throws CoppiceError `COPPICE_MODEL_MALFORMED` for anything that is not an ONNX model, saying what it seems to be;
 * `COPPICE_MODEL_TOO_LARGE` when decoding would not fit into memory
 */
export function decodeModel(bytes: Uint8Array, externalData?: ExternalData): Model {
  // Node's Buffer would make every weight a Buffer, whose slice() shares memory where Uint8Array's copies.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const proto = decode(plain);
  if (proto.graph === undefined) throw notAModel(plain, 'it has no graph');
  return { proto, ...(externalData && { externalData }) };
}

/**
 * Reads a tensor that is a file of its own, as the official operator tests of ONNX have them; `readTensor` gives its contents.
 * @throws CoppiceError `COPPICE_MODEL_MALFORMED`
 */
export function decodeTensor(bytes: Uint8Array): TensorProto {
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    checkWire(TensorProtoSchema, plain);
    return fromBinary(TensorProtoSchema, plain);
  } catch (cause) {
    throw new CoppiceError('COPPICE_MODEL_MALFORMED', `This is not a tensor of ONNX: ${cause instanceof Error ? lowerFirst(cause.message) : String(cause)}. Give a file that holds one TensorProto.`, { cause });
  }
}

function decode(bytes: Uint8Array): ModelProto {
  try {
    checkWire(ModelProtoSchema, bytes);
    return fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    if (cause instanceof CoppiceError && cause.code === 'COPPICE_MODEL_TOO_LARGE') throw cause;
    throw notAModel(bytes, cause instanceof Error ? lowerFirst(cause.message) : String(cause), cause);
  }
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

function notAModel(bytes: Uint8Array, reason: string, cause?: unknown): CoppiceError {
  const kind = fileKind(bytes);
  // Every ONNX file begins with its IR version (field 1), a small number.
  const begun = bytes[0] === 0x08 && bytes[1] < 0x80;
  const message = kind !== undefined ? `This is not an ONNX model: it seems to be ${kind}.`
    : begun ? `This is not a readable ONNX model: ${reason}. If it was downloaded or copied, it may be incomplete; a TensorFlow SavedModel must be converted with tf2onnx.`
      : `This is not an ONNX model: ${reason}. Give the .onnx file itself.`;
  return new CoppiceError('COPPICE_MODEL_MALFORMED', message, { cause });
}
