import { array, axisOf, build, count, indices, offset, type Array64 } from './array64.ts';
import { pools } from './pooling.ts';
import type { EagerRows } from './row.ts';

interface ReduceAttributes { readonly keepdims: number; readonly noop_with_empty_axes: number }

/** A reduction from what it makes of the list of elements that fall together. */
const reduce = (of: (elements: readonly number[]) => number) => ([data, axes]: readonly [Array64, Array64 | undefined], { keepdims, noop_with_empty_axes }: ReduceAttributes): readonly Array64[] => {
  const rank = data.shape.length;
  const none = axes === undefined || axes.data.length === 0;
  if (none && noop_with_empty_axes === 1) return [data];
  const reduced = none ? data.shape.map((_, axis) => axis) : Array.from(axes.data, (axis) => axisOf(axis, rank));
  const kept = data.shape.map((size, axis) => (reduced.includes(axis) ? 1 : size));
  const lists = Array.from({ length: count(kept) }, (): number[] => []);
  let k = 0;
  for (const index of indices(data.shape)) lists[offset(kept, index.map((i, axis) => (reduced.includes(axis) ? 0 : i)))].push(data.data[k++]);
  return [array(keepdims === 1 ? kept : kept.filter((_, axis) => !reduced.includes(axis)), lists.map(of), data.type)];
};

const sum = (elements: readonly number[]): number => elements.reduce((total, x) => total + x, 0);

function logSumExp(elements: readonly number[]): number {
  const most = Math.max(...elements);
  return most + Math.log(sum(elements.map((x) => Math.exp(x - most))));
}

/** The numbers of the elements along an axis at an index, best first; equal ones in their order. */
function ranked(x: Array64, axis: number, index: readonly number[], largest: boolean): number[] {
  const value = (j: number) => x.data[offset(x.shape, index.with(axis, j))];
  return Array.from({ length: x.shape[axis] }, (_, j) => j).toSorted((a, b) => (largest ? value(b) - value(a) : value(a) - value(b)) || a - b);
}

/** The number of the best element along an axis. */
const winner = (largest: boolean) => ([x]: readonly [Array64], { axis, keepdims, select_last_index }: { readonly axis: number; readonly keepdims: number; readonly select_last_index: number }): readonly Array64[] => {
  const own = axisOf(axis, x.shape.length);
  const y = build(x.shape.with(own, 1), (index) => {
    const best = ranked(x, own, index, largest)[0];
    const value = (j: number) => x.data[offset(x.shape, index.with(own, j))];
    return select_last_index === 1 ? Array.from({ length: x.shape[own] }, (_, j) => j).findLast((j) => value(j) === value(best))! : best;
  }, 'int');
  return [keepdims === 1 ? y : { ...y, shape: x.shape.toSpliced(own, 1) }];
};

export const reduction = {
  ...pools,
  ReduceSum: reduce(sum),
  ReduceMean: reduce((elements) => sum(elements) / elements.length),
  ReduceMax: reduce((elements) => Math.max(...elements)),
  ReduceMin: reduce((elements) => Math.min(...elements)),
  ReduceProd: reduce((elements) => elements.reduce((product, x) => product * x, 1)),
  ReduceL1: reduce((elements) => sum(elements.map(Math.abs))),
  ReduceL2: reduce((elements) => Math.sqrt(sum(elements.map((x) => x * x)))),
  ReduceSumSquare: reduce((elements) => sum(elements.map((x) => x * x))),
  ReduceLogSum: reduce((elements) => Math.log(sum(elements))),
  ReduceLogSumExp: reduce(logSumExp),
  ArgMax: winner(true),
  ArgMin: winner(false),
  TopK([x, k], { axis, largest }) {
    const own = axisOf(axis, x.shape.length);
    const shape = x.shape.with(own, k.data[0]);
    const places = build(shape, (index) => ranked(x, own, index, largest === 1)[index[own]], 'int');
    let at = 0;
    return [build(shape, (index) => x.data[offset(x.shape, index.with(own, places.data[at++]))]), places];
  },
} satisfies EagerRows;
