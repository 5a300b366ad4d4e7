import type { OperatorName } from '@coppice/graph';
import { floats, ints, positive, reals, type Draw, type OperatorCase } from '../operator-case.ts';

const reductions: Partial<Record<OperatorName, (...shape: number[]) => Draw>> = {
  ReduceSum: reals, ReduceMean: reals, ReduceMax: reals, ReduceMin: reals, ReduceProd: reals, ReduceL1: reals, ReduceL2: reals, ReduceSumSquare: reals,
  ReduceLogSum: positive, ReduceLogSumExp: reals,
};

const each = (Object.entries(reductions) as [OperatorName, (...shape: number[]) => Draw][]).flatMap(([op, draw]): OperatorCase[] => [
  { op, title: 'over two axes, one counted from the end', operands: (n) => [draw(2, n, 4), ints([-1, 0])] },
  { op, title: 'over one axis, which goes', operands: (n) => [draw(2, n, 4), ints([1])], attributes: { keepdims: 0 } },
  { op, title: 'over everything', operands: (n) => [draw(n, 3)], attributes: { keepdims: 0 } },
]);

export const reduction: readonly OperatorCase[] = [
  ...each,
  { op: 'ReduceSum', title: 'over no axis, where that is asked for', operands: (n) => [reals(n, 3)], attributes: { noop_with_empty_axes: 1 } },
  { op: 'ReduceSum', title: 'of int64', operands: () => [ints([1, 2, 3, 4, 5, 6], [2, 3]), ints([1])] },
  { op: 'ReduceMax', title: 'of int64', operands: () => [ints([-1, -2, -3, -4], [2, 2]), ints([0])] },
  { op: 'ReduceProd', title: 'of sizes', operands: () => [ints([2, 3, 4])], attributes: { keepdims: 0 } },
  { op: 'ReduceLogSumExp', title: 'of large numbers', operands: () => [floats([80, 79, -80, -79], [2, 2]), ints([1])] },
  { op: 'ArgMax', title: 'takes the first of equals', operands: () => [floats([1, 3, 3, 2, 2, 0], [2, 3])], attributes: { axis: 1 } },
  { op: 'ArgMax', title: 'takes the last of equals, where that is asked for', operands: () => [floats([1, 3, 3, 2, 2, 0], [2, 3])], attributes: { axis: 1, select_last_index: 1, keepdims: 0 } },
  { op: 'ArgMin', title: 'along the first axis', operands: (n) => [reals(4, n)], attributes: { axis: 0, keepdims: 0 } },
  { op: 'TopK', title: 'largest first', operands: (n) => [reals(2, n), ints([3])], results: ['y', 'indices'] },
  { op: 'TopK', title: 'smallest first, along another axis', operands: (n) => [reals(6, n), ints([2])], attributes: { axis: 0, largest: 0 }, results: ['y', 'indices'] },
  { op: 'TopK', title: 'takes the first of equals', operands: () => [floats([1, 3, 3, 2, 2, 0], [2, 3]), ints([2])], results: ['y', 'indices'] },
  { op: 'CumSum', title: 'along an axis', operands: (n) => [reals(2, n), ints([1], [])] },
  { op: 'CumSum', title: 'from the end, without the own element', operands: (n) => [reals(2, n, 3), ints([-2], [])], attributes: { exclusive: 1, reverse: 1 } },
];
