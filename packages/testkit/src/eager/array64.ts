import type { Random } from '@coppice/core';

/** A tensor that is computed with in float64, row-major. Whole numbers are exact up to 2⁵³, booleans are 0 and 1. */
export interface Array64 {
  readonly shape: readonly number[];
  readonly type: ElementKind;
  readonly data: Float64Array;
}

/** What the elements stand for: all floats of ONNX are one type, and all integers. */
export type ElementKind = 'float' | 'int' | 'bool';

/** The number of elements of a shape; 1 for a scalar. */
export const count = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** A tensor from its elements. */
export function array(shape: readonly number[], data: ArrayLike<number>, type: ElementKind = 'float'): Array64 {
  if (data.length !== count(shape)) throw new Error(`${data.length} elements do not fill [${shape.join(', ')}]`);
  return { shape, type, data: Float64Array.from(data) };
}

/** A whole number, or a vector of them. */
export const integers = (values: number | readonly number[]): Array64 => (typeof values === 'number' ? array([], [values], 'int') : array([values.length], values, 'int'));

/** A tensor from a function of the index. */
export function build(shape: readonly number[], at: (index: readonly number[]) => number, type: ElementKind = 'float'): Array64 {
  const data = new Float64Array(count(shape));
  let k = 0;
  for (const index of indices(shape)) data[k++] = at(index);
  return { shape, type, data };
}

/** Every index of a shape, last axis fastest. The same array each time: copy what is to be kept. */
export function* indices(shape: readonly number[]): Generator<number[]> {
  if (shape.includes(0)) return;
  const index = shape.map(() => 0);
  for (;;) {
    yield index;
    let axis = shape.length - 1;
    while (axis >= 0 && ++index[axis] === shape[axis]) index[axis--] = 0;
    if (axis < 0) return;
  }
}

/** The place of an index in row-major order. */
export function offset(shape: readonly number[], index: readonly number[]): number {
  let place = 0;
  for (let axis = 0; axis < shape.length; axis++) place = place * shape[axis] + index[axis];
  return place;
}

/** The element at an index. */
export const at = ({ shape, data }: Array64, index: readonly number[]): number => data[offset(shape, index)];

/** An axis counted from the front. */
export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** The shape to which shapes broadcast. ONNX specification, "Broadcasting in ONNX", multidirectional. */
export function broadcast(...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    const size = sizes.find((n) => n !== 1) ?? 1;
    if (sizes.some((n) => n !== 1 && n !== size)) throw new Error(`shapes ${shapes.map((shape) => `[${shape.join(', ')}]`).join(' and ')} do not broadcast`);
    return size;
  });
}

/** A tensor repeated along axes of size one. */
export function expandTo(x: Array64, shape: readonly number[]): Array64 {
  if (x.shape.length === shape.length && x.shape.every((size, axis) => size === shape[axis])) return x;
  const lead = shape.length - x.shape.length;
  return build(shape, (index) => at(x, x.shape.map((size, axis) => (size === 1 ? 0 : index[axis + lead]))), x.type);
}

/** A function of elements applied to tensors that broadcast. @param type of the result, by default that of the first */
export function map(f: (...elements: number[]) => number, xs: readonly Array64[], type: ElementKind = xs[0].type): Array64 {
  const shape = broadcast(...xs.map((x) => x.shape));
  const columns = xs.map((x) => expandTo(x, shape).data);
  return { shape, type, data: Float64Array.from({ length: count(shape) }, (_, k) => f(...columns.map((column) => column[k]))) };
}

/** Random elements between two bounds, such that a float32 holds them exactly. */
export const uniform = (random: Random, shape: readonly number[], from = -1, to = 1): Array64 =>
  build(shape, () => Math.fround(from + (to - from) * random.uniform()));

/** Random whole numbers from 0 to below a bound. */
export const integersBelow = (random: Random, shape: readonly number[], below: number): Array64 => build(shape, () => random.integer(below), 'int');
