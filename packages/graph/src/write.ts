import { create, toBinary, type DescMessage, type Message } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { withFields } from './edit.ts';
import { CoppiceError } from './errors.ts';
import { isExternal, type ExternalRange } from './external-data.ts';
import { ModelProtoSchema, StringStringEntryProtoSchema, TensorProtoSchema, TensorProto_DataLocation, type TensorProto } from './gen/onnx_pb.js';
import { childrenOf, tensorFields } from './message-tree.ts';
import type { Model, Payload } from './model.ts';
import { tensorByteLength, tensorBytes } from './tensors.ts';

/** A protobuf message, and so an `.onnx` file, cannot be longer. */
const longest = 2 ** 31 - 1;
/** Shorter raw data are copied into the small parts, longer ones are passed on as they are. */
const shortest = 4096;

/** Tensors that go into other files, and where. */
export type Placement = ReadonlyMap<TensorProto, Required<ExternalRange>>;

export interface EncodeOptions {
  /** Tensors written as a reference instead of their contents. Default: none, everything goes into the one message. */
  readonly external?: Placement;
}

/** A piece of the file: bytes that exist already, or contents that are fetched when their turn comes. */
type Piece = Uint8Array | Payload;

/**
 * The whole model as one message; external data and payloads are pulled in.
 * @throws CoppiceError `COPPICE_MODEL_TOO_LARGE` beyond 2 GB, and what reading the tensors may throw
 */
export function encodeModel(model: Model): Uint8Array {
  const pieces = piecesOf(model, {});
  const bytes = new Uint8Array(lengthOf(pieces));
  let at = 0;
  for (const chunk of chunksOf(pieces)) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

/**
 * The same bytes piece by piece, for files: only the small parts are encoded beforehand, contents of tensors are passed on
 * as views or fetched one at a time, so that at most one tensor is held beside the model.
 * A chunk is valid until the next one is asked for.
 * @throws CoppiceError as `encodeModel`; the size is checked before the first chunk
 */
export function encodeChunks(model: Model, options: EncodeOptions = {}): Iterable<Uint8Array> {
  const pieces = piecesOf(model, options);
  lengthOf(pieces);
  return chunksOf(pieces);
}

function* chunksOf(pieces: readonly Piece[]): Generator<Uint8Array> {
  for (const piece of pieces) {
    if (piece instanceof Uint8Array) {
      yield piece;
      continue;
    }
    const bytes = piece.bytes();
    if (bytes.byteLength !== piece.byteLength) {
      throw new CoppiceError('COPPICE_MODEL_INVALID', `A tensor announced ${piece.byteLength} bytes and gave ${bytes.byteLength}. This is a fault of the program that made the payload.`);
    }
    yield bytes;
  }
}

function lengthOf(pieces: readonly Piece[]): number {
  let length = 0;
  for (const piece of pieces) length += piece.byteLength;
  if (length > longest) {
    throw new CoppiceError('COPPICE_MODEL_TOO_LARGE', `The model takes ${length} bytes, and one ONNX file holds at most ${longest}. Keep large weights in external data: read the model from a file that has them, and write it with writeModel.`);
  }
  return length;
}

/** Encodes a model into pieces and joins small neighbours. */
function piecesOf(model: Model, options: EncodeOptions): Piece[] {
  const joined: Piece[] = [];
  let small: Uint8Array[] = [];
  const flush = (): void => {
    if (small.length > 0) joined.push(small.length === 1 ? small[0] : concat(small));
    small = [];
  };
  for (const piece of encodeMessage(ModelProtoSchema, model.proto, { model, external: options.external ?? new Map() })) {
    if (piece instanceof Uint8Array && piece.byteLength < shortest) small.push(piece);
    else {
      flush();
      joined.push(piece);
    }
  }
  flush();
  return joined;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

interface Context {
  readonly model: Model;
  readonly external: Placement;
}

/** Whether a message contains a tensor that is not simply encoded as it stands. */
function hasBulk(desc: DescMessage, message: Message, context: Context): boolean {
  if (desc === (TensorProtoSchema as DescMessage)) {
    const tensor = message as TensorProto;
    return tensor.rawData.byteLength >= shortest || isExternal(tensor) || context.external.has(tensor) || context.model.payloads?.has(tensor) === true;
  }
  return tensorFields(desc).some((field) => childrenOf(message, field).some((child) => hasBulk(field.message!, child, context)));
}

/** Fields in ascending order of their numbers, unknown ones last, as every protobuf library writes them. */
function encodeMessage(desc: DescMessage, message: Message, context: Context): Piece[] {
  if (!hasBulk(desc, message, context)) return [toBinary(desc, message)];
  if (desc === (TensorProtoSchema as DescMessage)) return encodeTensor(message as TensorProto, context);
  const pieces: Piece[] = [];
  const inner = new Set(tensorFields(desc));
  for (const field of desc.fields.toSorted((a, b) => a.number - b.number)) {
    if (!inner.has(field)) {
      const bytes = toBinary(desc, onlyField(desc, message, field.localName));
      if (bytes.byteLength > 0) pieces.push(bytes);
      continue;
    }
    for (const child of childrenOf(message, field)) {
      const parts = encodeMessage(field.message!, child, context);
      pieces.push(header(field.number, parts.reduce((sum, part) => sum + part.byteLength, 0)), ...parts);
    }
  }
  if (message.$unknown) pieces.push(toBinary(desc, onlyField(desc, message, '$unknown')));
  return pieces;
}

/** A message with one field of another one. */
function onlyField(desc: DescMessage, message: Message, field: string): Message {
  const single = create(desc) as Message & Record<string, unknown>;
  if (Object.hasOwn(message, field)) single[field] = (message as Message & Record<string, unknown>)[field];
  return single;
}

/** Tag and length of a field of bytes or of a message. */
function header(number: number, byteLength: number): Uint8Array {
  if (byteLength > longest) lengthOf([{ byteLength, bytes: () => new Uint8Array() }]);
  return new BinaryWriter().tag(number, WireType.LengthDelimited).uint32(byteLength).finish();
}

const rawData = TensorProtoSchema.field.rawData.number;

/** A tensor with its contents as raw data, or with a reference to the file where they go. */
function encodeTensor(tensor: TensorProto, { model, external }: Context): Piece[] {
  const range = external.get(tensor);
  if (range) return [toBinary(TensorProtoSchema, referenceTo(tensor, range))];
  const contents = contentsOf(model, tensor);
  const bare = contents === tensor.rawData ? tensor : withoutContents(tensor);
  const { front, behind } = aroundRawData(bare);
  return [front, header(rawData, contents.byteLength), contents, behind];
}

function contentsOf(model: Model, tensor: TensorProto): Piece {
  const payload = model.payloads?.get(tensor);
  if (payload === undefined && !isExternal(tensor)) return tensor.rawData;
  const byteLength = tensorByteLength(model, tensor);
  if (payload !== undefined && payload.byteLength !== byteLength) {
    throw new CoppiceError('COPPICE_MODEL_INVALID', `The payload of tensor '${tensor.name}' has ${payload.byteLength} bytes, its type and dimensions want ${byteLength}. This is a fault of the program that made the payload.`);
  }
  return payload ?? { byteLength, bytes: () => tensorBytes(model, tensor) };
}

/** The fields before and after `raw_data`, in the order of their numbers. */
function aroundRawData(tensor: TensorProto): { front: Uint8Array; behind: Uint8Array } {
  const behind = withFields(tensor, { rawData: undefined });
  const front = create(TensorProtoSchema) as Message & Record<string, unknown>;
  const rest = behind as Message & Record<string, unknown>;
  for (const { number, localName, fieldKind } of TensorProtoSchema.fields) {
    if (number >= rawData || !Object.hasOwn(rest, localName)) continue;
    front[localName] = rest[localName];
    if (fieldKind === 'list') rest[localName] = [];
    else delete rest[localName];
  }
  return { front: toBinary(TensorProtoSchema, front as Message as TensorProto), behind: toBinary(TensorProtoSchema, behind) };
}

/** A tensor's name, type, dimensions and notes. */
const withoutContents = (tensor: TensorProto): TensorProto => withFields(tensor, {
  rawData: undefined, floatData: [], doubleData: [], int32Data: [], int64Data: [], uint64Data: [], stringData: [],
  ...(isExternal(tensor) && { externalData: [], dataLocation: undefined }),
});

function referenceTo(tensor: TensorProto, { location, offset, length }: Required<ExternalRange>): TensorProto {
  const entries = Object.entries({ location, offset: String(offset), length: String(length) });
  // A checksum is that of the whole old file; entries of others are kept.
  const others = tensor.externalData.filter(({ key }) => !['location', 'offset', 'length', 'checksum'].includes(key));
  return withFields(withoutContents(tensor), {
    externalData: [...entries.map(([key, value]) => create(StringStringEntryProtoSchema, { key, value })), ...others],
    dataLocation: TensorProto_DataLocation.EXTERNAL,
  });
}
