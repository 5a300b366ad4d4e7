import type { Host } from '../value.ts';
import { axisOf, elements, isBig, permuted, sizeOf, writable } from './array.ts';

/** Axes to reduce over: the stated ones; all, or none with `noop`, where none are stated. Spec: ReduceSum-13. */
export function axesOf(rank: number, axes: readonly number[] | undefined, noop: boolean): number[] {
  if (axes && axes.length > 0) return axes.map((axis) => axisOf(axis, rank)).sort((a, b) => a - b);
  return noop ? [] : Array.from({ length: rank }, (_, k) => k);
}

export const keptDims = (dims: readonly number[], axes: readonly number[], keepDims: boolean): number[] =>
  dims.flatMap((size, axis) => (axes.includes(axis) ? (keepDims ? [1] : []) : [size]));

/** A function of the elements along some axes. `of` gets a list that is used again. */
export function reduced(x: Host, axes: readonly number[], keepDims: boolean, of: (list: number[]) => number, big?: (list: bigint[]) => bigint): Host {
  const rest = x.dims.flatMap((_, axis) => (axes.includes(axis) ? [] : axis));
  const turned = axes.every((axis, k) => axis === rest.length + k) ? x : permuted(x, [...rest, ...axes]);
  const [count, size] = [sizeOf(rest.map((axis) => x.dims[axis])), sizeOf(axes.map((axis) => x.dims[axis]))];
  const out = elements(x.dtype, count);
  const to = writable(out);
  const exact = isBig(x.dtype) && big !== undefined;
  const list = Array<number | bigint>(size);
  for (let k = 0; k < count; k++) {
    for (let j = 0; j < size; j++) list[j] = exact ? (turned.data[k * size + j] as bigint) : Number(turned.data[k * size + j]);
    const result = exact ? big(list as bigint[]) : of(list as number[]);
    to[k] = isBig(x.dtype) && typeof result === 'number' ? BigInt(Math.trunc(result)) : result;
  }
  return { dtype: x.dtype, dims: keptDims(x.dims, axes, keepDims), data: out };
}

/** A function from each vector along an axis to one of the same length. */
export function alongAxis(x: Host, axis: number, of: (list: Float64Array) => ArrayLike<number>): Host {
  const at = axisOf(axis, x.dims.length);
  const inner = sizeOf(x.dims.slice(at + 1));
  const size = x.dims[at];
  const out = elements(x.dtype, x.data.length) as Float32Array;
  const list = new Float64Array(size);
  for (let o = 0; o < sizeOf(x.dims.slice(0, at)); o++) for (let i = 0; i < inner; i++) {
    const start = o * size * inner + i;
    for (let k = 0; k < size; k++) list[k] = Number(x.data[start + k * inner]);
    const result = of(list);
    for (let k = 0; k < size; k++) out[start + k * inner] = result[k];
  }
  return { ...x, data: out };
}

