import { TensorProto_DataType as T } from './gen/onnx_pb.js';

/** Element types by their usual names; the values of the table are ONNX's numbers. */
export const dataTypes = {
  float32: T.FLOAT, uint8: T.UINT8, int8: T.INT8, uint16: T.UINT16, int16: T.INT16, int32: T.INT32, int64: T.INT64,
  string: T.STRING, bool: T.BOOL, float16: T.FLOAT16, float64: T.DOUBLE, uint32: T.UINT32, uint64: T.UINT64,
  complex64: T.COMPLEX64, complex128: T.COMPLEX128, bfloat16: T.BFLOAT16,
  float8e4m3fn: T.FLOAT8E4M3FN, float8e4m3fnuz: T.FLOAT8E4M3FNUZ, float8e5m2: T.FLOAT8E5M2, float8e5m2fnuz: T.FLOAT8E5M2FNUZ,
  uint4: T.UINT4, int4: T.INT4, float4e2m1: T.FLOAT4E2M1,
} as const;
export type DataType = keyof typeof dataTypes;

/** Elements of a tensor: float16 and bfloat16 as their 16 bits, bool as 0 or 1, 4-bit types one element a byte. */
export type TensorData = Float32Array | Float64Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | BigInt64Array | BigUint64Array | readonly string[];

/** A dense tensor, row-major. */
export interface Tensor {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly data: TensorData;
}
