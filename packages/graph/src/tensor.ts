import { CoppiceError } from './errors.ts';
import { TensorProto_DataType as T } from './gen/onnx_pb.js';

/** Element types by their usual names; the values of the table are ONNX's numbers. */
export const dataTypes = {
  float32: T.FLOAT, uint8: T.UINT8, int8: T.INT8, uint16: T.UINT16, int16: T.INT16, int32: T.INT32, int64: T.INT64,
  string: T.STRING, bool: T.BOOL, float16: T.FLOAT16, float64: T.DOUBLE, uint32: T.UINT32, uint64: T.UINT64,
  complex64: T.COMPLEX64, complex128: T.COMPLEX128, bfloat16: T.BFLOAT16,
  float8e4m3fn: T.FLOAT8E4M3FN, float8e4m3fnuz: T.FLOAT8E4M3FNUZ, float8e5m2: T.FLOAT8E5M2, float8e5m2fnuz: T.FLOAT8E5M2FNUZ,
  uint4: T.UINT4, int4: T.INT4, float4e2m1: T.FLOAT4E2M1, float8e8m0: T.FLOAT8E8M0, uint2: T.UINT2, int2: T.INT2,
  float6e2m3: T.FLOAT6E2M3, float6e3m2: T.FLOAT6E3M2,
} as const;
export type DataType = keyof typeof dataTypes;

/**
 * Elements of a tensor: float16, bfloat16 and the 8-bit floats as their bits, bool as 0 or 1, types of 2, 4 and 6 bits
 * one element a byte (signed ones sign-extended), complex numbers as real and imaginary part in turn.
 */
export type TensorData = Float32Array | Float64Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | BigInt64Array | BigUint64Array | readonly string[];

/** A dense tensor, row-major. */
export interface Tensor {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

const names = new Map<number, DataType>(Object.entries(dataTypes).map(([name, number]) => [number, name as DataType]));

/**
 * The name of ONNX's number for an element type.
 * @throws CoppiceError `COPPICE_UNSUPPORTED_TYPE` for 0 and for numbers that the specification does not assign
 */
export function dataTypeOf(number: number): DataType {
  const name = names.get(number);
  if (name === undefined) {
    throw new CoppiceError('COPPICE_UNSUPPORTED_TYPE', `Element type ${number} is not one that Coppice knows (1 to ${T.FLOAT6E3M2}). The file may be damaged, or newer than this version of Coppice.`);
  }
  return name;
}

const bits: Readonly<Record<DataType, number>> = {
  float32: 32, uint8: 8, int8: 8, uint16: 16, int16: 16, int32: 32, int64: 64, string: 0, bool: 8, float16: 16,
  float64: 64, uint32: 32, uint64: 64, complex64: 64, complex128: 128, bfloat16: 16,
  float8e4m3fn: 8, float8e4m3fnuz: 8, float8e5m2: 8, float8e5m2fnuz: 8, float8e8m0: 8,
  uint4: 4, int4: 4, float4e2m1: 4, uint2: 2, int2: 2, float6e2m3: 6, float6e3m2: 6,
};

/**
 * Bits that one element takes in `raw_data`; types below 8 bits are packed without gaps, lowest bits first.
 * @throws CoppiceError `COPPICE_UNSUPPORTED_TYPE` for strings, which have no fixed size
 */
export function elementBits(dtype: DataType): number {
  if (dtype === 'string') throw new CoppiceError('COPPICE_UNSUPPORTED_TYPE', 'Strings have no size in bits and no raw layout; read them with readTensor.');
  return bits[dtype];
}

/**
 * The number of elements of a tensor with these dimensions; 1 for a scalar.
 * @throws CoppiceError `COPPICE_MODEL_INVALID` for a negative dimension, or more elements than a double counts exactly
 */
export function elementCount(dims: readonly (number | bigint)[], where = 'A tensor'): number {
  let count = 1;
  let empty = false;
  for (const dim of dims) {
    const size = Number(dim);
    if (size < 0) throw new CoppiceError('COPPICE_MODEL_INVALID', `${where} has the dimensions [${dims.join(', ')}]: a dimension cannot be negative.`);
    if (size === 0) empty = true;
    else count *= size;
    if (!Number.isSafeInteger(count)) throw new CoppiceError('COPPICE_MODEL_INVALID', `${where} has the dimensions [${dims.join(', ')}]: more elements than any file can hold.`);
  }
  return empty ? 0 : count;
}
