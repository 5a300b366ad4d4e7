import type { DataType } from '@coppice/graph';
import type { Host } from '../value.ts';
import { axisOf, elements, expectThat, stridesOf } from './array.ts';
import { roundEven } from './elementwise.ts';

/** The numbers that the quantised types hold. */
export const LIMITS: { readonly [T in DataType]?: readonly [low: number, high: number] } = { int8: [-128, 127], uint8: [0, 255], int16: [-32768, 32767], uint16: [0, 65535], int32: [-(2 ** 31), 2 ** 31 - 1] };

/** Where in a scale or zero point the entry of each element lies: one for all, one for each place of an axis, or one for each block of it. */
export function entryOf(x: readonly number[], scale: readonly number[], axis: number, block: number): (k: number) => number {
  if (scale.every((size) => size === 1)) return () => 0;
  const at = axisOf(axis, x.length);
  const [strides, size] = [stridesOf(x), x[at]];
  expectThat(scale.length <= 1 ? scale[0] === size : scale.every((count, a) => count === (a === at ? Math.ceil(size / block) : x[a])), () => `scales [${scale.join(', ')}] do not fit [${x.join(', ')}] along axis ${at}`);
  if (scale.length <= 1) return (k) => Math.floor(k / strides[at]) % size;
  const own = stridesOf(scale);
  return (k) => x.reduce((sum, dim, a) => sum + Math.floor((Math.floor(k / strides[a]) % dim) / (a === at ? block : 1)) * own[a], 0);
}

/** (x − zero)·scale. Spec: DequantizeLinear-21. */
export function dequantise(x: Host, scale: Host, zero: Host | undefined, axis: number, block: number, dtype: DataType): Host {
  const out = elements(dtype, x.data.length) as Float32Array;
  const entry = entryOf(x.dims, scale.dims, axis, block);
  for (let k = 0; k < out.length; k++) {
    const e = entry(k);
    out[k] = ((x.data[k] as number) - (zero ? (zero.data[e] as number) : 0)) * (scale.data[e] as number);
  }
  return { dtype, dims: x.dims, data: out };
}

/** round(x / scale) + zero within the type, halves to even; the quotient in float32, as runtimes have it. Spec: QuantizeLinear-21. */
export function quantise(x: Host, scale: Host, zero: Host | undefined, axis: number, block: number, dtype: DataType): Host {
  const [low, high] = LIMITS[dtype]!;
  const out = elements(dtype, x.data.length) as Int8Array;
  const entry = entryOf(x.dims, scale.dims, axis, block);
  for (let k = 0; k < out.length; k++) {
    const e = entry(k);
    out[k] = Math.max(low, Math.min(high, roundEven(Math.fround((x.data[k] as number) / (scale.data[e] as number))) + (zero ? Number(zero.data[e]) : 0)));
  }
  return { dtype, dims: x.dims, data: out };
}

/** Scale and zero point that fit the range of some floats and 0. Spec: DynamicQuantizeLinear-11. */
export function rangeOf(low: number, high: number): { readonly scale: number; readonly zero: number } {
  const [from, to] = [Math.min(0, low), Math.max(0, high)];
  const scale = Math.fround(Math.fround(to - from) / 255);
  if (scale === 0) return { scale, zero: 0 };
  return { scale, zero: Math.max(0, Math.min(255, roundEven(Math.fround(-from / scale)))) };
}
