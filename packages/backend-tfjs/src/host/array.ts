import { newTensorData, type DataType, type TensorData } from '@coppice/graph';
import type { Host } from '../value.ts';

/** Elements that a loop can write. */
export type Elements = Float32Array | BigInt64Array | string[];

/** Number of elements. */
export const sizeOf = (dims: readonly number[]): number => dims.reduce((product, size) => product * size, 1);

/** An axis counted from the front. */
export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** Row-major strides. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = Array<number>(dims.length);
  let stride = 1;
  for (let k = dims.length - 1; k >= 0; k--) {
    strides[k] = stride;
    stride *= dims[k];
  }
  return strides;
}

export const isBig = (dtype: DataType): boolean => dtype === 'int64' || dtype === 'uint64';
export const isFloating = (dtype: DataType): boolean => dtype === 'float32' || dtype === 'float64' || dtype === 'float16' || dtype === 'bfloat16';

/** Room for elements, zeros (text: empty). Half floats are float32 numbers. */
export function elements(dtype: DataType, count: number): TensorData {
  if (dtype === 'string') return Array<string>(count).fill('');
  return dtype === 'float16' || dtype === 'bfloat16' ? new Float32Array(count) : newTensorData(dtype, count);
}

/** As something that can be written, whatever the type. */
export const writable = (data: TensorData): { [k: number]: number | bigint | string; length: number } => data as never;

/** A tensor from numbers; 64-bit integers are converted. */
export function host(dtype: DataType, dims: readonly number[], values: ArrayLike<number>): Host {
  const data = writable(elements(dtype, values.length));
  if (isBig(dtype)) for (let k = 0; k < values.length; k++) data[k] = BigInt(values[k]);
  else for (let k = 0; k < values.length; k++) data[k] = values[k];
  return { dtype, dims, data: data as never };
}

/** int64 [count]. */
export const vector = (values: readonly number[]): Host => host('int64', [values.length], values);

/**
 * Elements as numbers. 64-bit integers beyond ±2⁵³ stay what a double is nearest to: only "to the end" in Slice is as large.
 */
export function numbers({ dtype, data }: Pick<Host, 'dtype' | 'data'>): number[] {
  return isBig(dtype) ? Array.from(data as BigInt64Array, Number) : Array.from(data as Float32Array);
}

/** The one element of a scalar. */
export const scalarOf = (x: Host): number => Number(x.data[0]);

/**
 * Elements of `x` read with arbitrary strides, in the order of an outer product of `dims`: transposes, slices, repeats and broadcasts are
 * all of them this.
 */
export function strided(x: Host, dims: readonly number[], strides: readonly number[], offset = 0): Host {
  const count = sizeOf(dims);
  const out = elements(x.dtype, count);
  const [from, to] = [x.data as unknown as Float32Array, out as Float32Array];
  const rank = dims.length;
  if (count === 0) return { dtype: x.dtype, dims, data: out };
  if (rank === 0) {
    to[0] = from[offset];
    return { dtype: x.dtype, dims, data: out };
  }
  const inner = dims[rank - 1];
  const step = strides[rank - 1];
  const index = new Int32Array(rank);
  let at = offset;
  for (let k = 0; k < count;) {
    for (let j = 0, p = at; j < inner; j++, p += step) to[k++] = from[p];
    let axis = rank - 2;
    for (; axis >= 0; axis--) {
      at += strides[axis];
      if (++index[axis] < dims[axis]) break;
      at -= strides[axis] * dims[axis];
      index[axis] = 0;
    }
    if (axis < 0) break;
  }
  return { dtype: x.dtype, dims, data: out };
}

/** The shape that several shapes broadcast to. Spec: "Multidirectional broadcasting". */
export function broadcastDims(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((dims) => dims.length));
  const result = Array<number>(rank).fill(1);
  for (const dims of shapes) {
    dims.forEach((size, k) => {
      const axis = k + rank - dims.length;
      if (size === 1 || size === result[axis]) return;
      if (result[axis] !== 1) throw new Error(`shapes ${shapes.map((s) => `[${s.join(', ')}]`).join(' and ')} do not fit together`);
      result[axis] = size;
    });
  }
  return result;
}

/** Strides that read a tensor as if it had been broadcast. */
export function broadcastStrides(dims: readonly number[], to: readonly number[]): number[] {
  const own = stridesOf(dims);
  const lead = to.length - dims.length;
  return to.map((_, axis) => (axis < lead || dims[axis - lead] === 1 ? 0 : own[axis - lead]));
}

export const broadcast = (x: Host, dims: readonly number[]): Host =>
  (x.dims.length === dims.length && x.dims.every((size, k) => size === dims[k]) ? x : strided(x, dims, broadcastStrides(x.dims, dims)));

/** Kernels read beyond their operands when shapes do not fit, so what they take for granted is checked before. */
export function expectThat(holds: boolean, what: () => string): void {
  if (!holds) throw new Error(what());
}

/** Whether two shapes are the same. */
export const sameDims = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((size, k) => size === b[k]);

/** The same elements in another shape. */
export function reshaped(x: Host, dims: readonly number[]): Host {
  expectThat(sizeOf(dims) === x.data.length && dims.every(Number.isInteger), () => `${x.data.length} elements do not fit the shape [${dims.join(', ')}]`);
  return { ...x, dims };
}

/** The axes of `x` in another order. */
export function permuted(x: Host, order: readonly number[]): Host {
  const strides = stridesOf(x.dims);
  return strided(x, order.map((axis) => x.dims[axis]), order.map((axis) => strides[axis]));
}

/** Sizes before an axis, of it, and after it. */
export function around(dims: readonly number[], axis: number): readonly [outer: number, size: number, inner: number] {
  return [sizeOf(dims.slice(0, axis)), dims[axis], sizeOf(dims.slice(axis + 1))];
}

/** Every index of a shape, in row-major order. The array is used again: copy it to keep it. */
export function* indices(dims: readonly number[]): Generator<number[]> {
  const count = sizeOf(dims);
  const index = dims.map(() => 0);
  for (let k = 0; k < count; k++) {
    yield index;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      if (++index[axis] < dims[axis]) break;
      index[axis] = 0;
    }
  }
}
