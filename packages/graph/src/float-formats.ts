import { CoppiceError } from './errors.ts';
import type { DataType, Tensor, TensorData } from './tensor.ts';

const scratch = new DataView(new ArrayBuffer(4));

/** The float32 of 16 bits in IEEE 754 binary16; every binary16 value is exact in float32. */
export function float16ToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Rounds the lowest `drop` bits of an integer away, to nearest, ties to even. */
const roundShift = (value: number, drop: number): number => {
  const kept = value >>> drop;
  const rest = value & ((1 << drop) - 1);
  const half = 1 << (drop - 1);
  return rest > half || (rest === half && kept & 1) ? kept + 1 : kept;
};

/** The 16 bits of a number in IEEE 754 binary16, by way of float32, rounded to nearest even; overflow gives infinity. */
export function numberToFloat16(value: number): number {
  scratch.setFloat32(0, value);
  const word = scratch.getUint32(0);
  const sign = (word >>> 16) & 0x8000;
  const exponent = (word >>> 23) & 0xff;
  const fraction = word & 0x7fffff;
  if (exponent === 255) return sign | 0x7c00 | (fraction ? 0x200 | (fraction >> 13) : 0);
  const shifted = exponent - 127 + 15;
  if (shifted >= 31) return sign | 0x7c00;
  // A carry out of the fraction lands in the exponent, which is the right next value, up to infinity.
  if (shifted > 0) return sign | roundShift((shifted << 23) | fraction, 13);
  if (shifted < -10) return sign;
  return sign | roundShift(fraction | 0x800000, 14 - shifted);
}

/** The float32 whose upper half these 16 bits are. */
export function bfloat16ToNumber(upper: number): number {
  scratch.setUint32(0, upper << 16);
  return scratch.getFloat32(0);
}

/** The 16 bits of a number in bfloat16, by way of float32, rounded to nearest even; overflow gives infinity. */
export function numberToBfloat16(value: number): number {
  scratch.setFloat32(0, value);
  const word = scratch.getUint32(0);
  if ((word & 0x7fffffff) > 0x7f800000) return (word >>> 16) | 0x40;
  return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
}

let halves: Float32Array | undefined;

/** All binary16 values by their bits: a table is about ten times faster than arithmetic, and tensors are large. */
const float16Table = (): Float32Array => (halves ??= Float32Array.from({ length: 65536 }, (_, half) => float16ToNumber(half)));

const unsupported = (dtype: DataType, way: string): CoppiceError =>
  new CoppiceError('COPPICE_UNSUPPORTED_TYPE', `Values of type ${dtype} cannot be converted ${way} float32. Convert the tensor to float32, float16, bfloat16 or float64 first.`);

/**
 * The elements of a numeric tensor as float32; the tensor's own array when it is float32 already. bool gives 0 and 1.
 * @throws CoppiceError `COPPICE_UNSUPPORTED_TYPE` for strings, complex numbers and floats of 8 bits and fewer
 */
export function toFloat32({ dtype, data }: Tensor): Float32Array {
  switch (dtype) {
    case 'float32':
      return data as Float32Array;
    case 'float16': {
      const table = float16Table();
      return Float32Array.from(data as Uint16Array, (half) => table[half]);
    }
    case 'bfloat16':
      return new Float32Array(Uint32Array.from(data as Uint16Array, (upper) => upper << 16).buffer);
    case 'int64': case 'uint64':
      return Float32Array.from(data as BigInt64Array, Number);
    case 'float64': case 'int8': case 'uint8': case 'int16': case 'uint16': case 'int32': case 'uint32': case 'bool':
    case 'int4': case 'uint4': case 'int2': case 'uint2':
      return Float32Array.from(data as Float64Array);
    default:
      throw unsupported(dtype, 'to');
  }
}

/**
 * The elements of a tensor of floating-point type `dtype` with these values, rounded to nearest even.
 * @throws CoppiceError `COPPICE_UNSUPPORTED_TYPE` unless `dtype` is float32, float64, float16 or bfloat16
 */
export function fromFloat32(values: Float32Array, dtype: DataType): TensorData {
  switch (dtype) {
    case 'float32': return values;
    case 'float64': return Float64Array.from(values);
    case 'float16': return Uint16Array.from(values, numberToFloat16);
    case 'bfloat16': return Uint16Array.from(values, numberToBfloat16);
    default: throw unsupported(dtype, 'from');
  }
}
