import type { Host } from '../value.ts';
import { around, elements, expectThat, indices, sizeOf, strided, stridesOf, writable } from './array.ts';

/** Whether all axes but one are the same. @throws Error when they are not */
export function expectJoinable(parts: readonly { readonly dims: readonly number[] }[], axis: number): void {
  const [{ dims }] = parts;
  expectThat(parts.every((part) => part.dims.length === dims.length && part.dims.every((size, k) => k === axis || size === dims[k])), () => `${parts.map((part) => `[${part.dims.join(', ')}]`).join(' and ')} do not lie end to end along axis ${axis}`);
}

/** Tensors end to end along an axis. */
export function joined(parts: readonly Host[], axis: number): Host {
  const [{ dtype, dims }] = parts;
  expectJoinable(parts, axis);
  const size = parts.reduce((sum, part) => sum + part.dims[axis], 0);
  const result = dims.with(axis, size);
  const [outer, , inner] = around(result, axis);
  const out = elements(dtype, sizeOf(result));
  const to = writable(out);
  let start = 0;
  for (const part of parts) {
    const own = part.dims[axis] * inner;
    for (let o = 0; o < outer; o++) for (let k = 0; k < own; k++) to[o * size * inner + start + k] = part.data[o * own + k];
    start += own;
  }
  return { dtype, dims: result, data: out };
}

/** The part [start, start + count·step) of an axis, every step-th element; a negative step goes backwards. */
export function sliced(x: Host, axis: number, start: number, count: number, step = 1): Host {
  const strides = stridesOf(x.dims);
  return strided(x, x.dims.with(axis, count), strides.with(axis, strides[axis] * step), start * strides[axis]);
}

/** How a slice reads an axis. Spec: Slice-13: bounds are clamped, negative ones count from the end. */
export function sliceBounds(size: number, start: number, end: number, step: number): { readonly start: number; readonly count: number; readonly step: number } {
  const clamp = (bound: number, low: number, high: number): number => Math.max(low, Math.min(high, bound < 0 ? bound + size : bound));
  const [from, to] = step > 0 ? [clamp(start, 0, size), clamp(end, 0, size)] : [clamp(start, 0, size - 1), clamp(end, -1, size - 1)];
  return { start: from, count: size === 0 ? 0 : Math.max(0, Math.ceil((to - from) / step)), step };
}

/** The element that stands in a padded place; −1 for the constant. */
export function padSource(i: number, size: number, mode: string): number {
  if (i >= 0 && i < size) return i;
  if (mode === 'edge') return i < 0 ? 0 : size - 1;
  if (mode === 'wrap') return ((i % size) + size) % size;
  if (mode === 'constant') return -1;
  const period = Math.max(1, 2 * (size - 1));
  const folded = ((i % period) + period) % period;
  return folded < size ? folded : period - folded;
}

/** A tensor with room around it; negative pads cut. */
export function padded(x: Host, before: readonly number[], after: readonly number[], mode: string, constant: number | bigint | string): Host {
  const dims = x.dims.map((size, axis) => size + before[axis] + after[axis]);
  const strides = stridesOf(x.dims);
  const sources = dims.map((size, axis) => Array.from({ length: size }, (_, i) => padSource(i - before[axis], x.dims[axis], mode) * strides[axis]));
  const inside = dims.map((size, axis) => Array.from({ length: size }, (_, i) => padSource(i - before[axis], x.dims[axis], mode) >= 0));
  const out = elements(x.dtype, sizeOf(dims));
  const to = writable(out);
  let k = 0;
  for (const index of indices(dims)) {
    let [from, within] = [0, true];
    for (let axis = 0; axis < dims.length; axis++) {
      within &&= inside[axis][index[axis]];
      from += sources[axis][index[axis]];
    }
    to[k++] = within ? (x.data[from] as number) : constant;
  }
  return { dtype: x.dtype, dims, data: out };
}
