import type { Emit, Known, Operand, Size } from '../emit.ts';

/** Whole numbers from `start` to below `end`. */
export const from = (start: number, end: number): readonly number[] => Array.from({ length: Math.max(0, end - start) }, (_, k) => start + k);

/** An axis counted from the front. */
export const axisOf = ({ shape }: Known, axis: number): number => (axis < 0 ? axis + shape.length : axis);

/** The axes of a value from one on. */
export const lastAxes = (x: Known, axis: number): readonly number[] => from(axisOf(x, axis), x.shape.length);

const float32 = 1;

/** How many elements lie along some axes, as a float. */
export function countOf(emit: Emit, x: Known, axes: readonly number[]): Operand {
  const count = axes.reduce<Size>((product, axis) => emit.times(product, emit.size(x, axis)), 1);
  return typeof count === 'number' ? count : emit.op('Cast', [count], { to: float32 });
}

/** What several gradients of a node share: emitted when the first of them asks. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
