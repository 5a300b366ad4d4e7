import { CoppiceError } from './errors.ts';
import { TensorProto_DataLocation, type TensorProto } from './gen/onnx_pb.js';

/** Where in which file the bytes of a tensor are; `length` is undefined when the file does not say. */
export interface ExternalRange {
  /** Path relative to the folder of the model, with forward slashes. */
  readonly location: string;
  /** Bytes. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number | undefined;
}

/** Whether a tensor's bytes are in another file. */
export const isExternal = (tensor: TensorProto): boolean => tensor.dataLocation === TensorProto_DataLocation.EXTERNAL;

/**
 * Reads the `external_data` entries of a tensor.
 * @throws CoppiceError `COPPICE_MODEL_INVALID` when the location is missing, or a number is not one
 */
export function externalRange(tensor: TensorProto): ExternalRange {
  const entry = (key: string): string | undefined => tensor.externalData.find((pair) => pair.key === key)?.value;
  const bytes = (key: string): number | undefined => {
    const text = entry(key);
    if (text === undefined) return undefined;
    const number = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(number)) {
      throw new CoppiceError('COPPICE_MODEL_INVALID', `The external data of tensor '${tensor.name}' has the ${key} '${text}', which is not a whole number of bytes.`);
    }
    return number;
  };
  const location = entry('location');
  if (location === undefined || location === '') {
    throw new CoppiceError('COPPICE_MODEL_INVALID', `Tensor '${tensor.name}' is said to be external, but names no file.`);
  }
  return { location, offset: bytes('offset') ?? 0, length: bytes('length') };
}
