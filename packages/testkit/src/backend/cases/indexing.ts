import { dataTypes } from '@coppice/graph';
import { below, floats, ints, reals, truths, type OperatorCase } from '../operator-case.ts';

const pairs = ints([0, 1, 1, 2], [2, 2]);

export const indexing: readonly OperatorCase[] = [
  { op: 'Gather', title: 'rows of a table', operands: (n) => [reals(7, 3), below(7, 2, n)], stated: [0] },
  { op: 'Gather', title: 'along a middle axis, negative places from the end', operands: (n) => [reals(2, 6, n), ints([0, -1, 3, -6], [2, 2])], attributes: { axis: 1 } },
  { op: 'Gather', title: 'one place, and the axis goes', operands: (n) => [reals(2, n, 3), ints([-1], [])], attributes: { axis: 1 } },
  { op: 'Gather', title: 'from int64 by int32', operands: () => [ints([10, 20, 30]), ints([2, 0, -1])], types: { 1: 'int32' } },
  { op: 'GatherElements', title: 'along the last axis', operands: (n) => [reals(n, 4), (random) => below(4, n, 2)(random)], stated: [], attributes: { axis: 1 } },
  { op: 'GatherElements', title: 'with negative places', operands: () => [reals(3, 2), ints([-1, 0, 1, -3], [2, 2])], attributes: { axis: 0 } },
  { op: 'GatherND', title: 'rows by two places', operands: (n) => [reals(3, 3, n), pairs] },
  { op: 'GatherND', title: 'in each batch', operands: (n) => [reals(2, 4, n), ints([1, 3], [2, 1])], attributes: { batch_dims: 1 } },
  ...(['none', 'add', 'mul', 'max', 'min'] as const).map((reduction): OperatorCase => ({
    op: 'ScatterElements', title: `with reduction ${reduction}`, operands: (n) => [reals(5, n), ints(reduction === 'none' ? [4, 0, 2, -4] : [1, 1, 1, -4], [4, 1]), reals(4, 1)], attributes: { axis: 0, reduction }, opset: 18,
  })),
  { op: 'ScatterND', title: 'rows', operands: (n) => [reals(5, n), ints([3, 0], [2, 1]), reals(2, n)], stated: [1] },
  { op: 'ScatterND', title: 'adds to single elements', operands: () => [reals(4, 3), ints([1, 2, 1, 2, 0, 0], [3, 2]), floats([1, 2, 3])], attributes: { reduction: 'add' } },
  { op: 'OneHot', title: 'along the last axis, negative numbers from the end', operands: () => [ints([0, 2, -1, 9]), ints([4], []), floats([-1, 3])], resultType: 'float32' },
  { op: 'OneHot', title: 'along the first axis', operands: (n) => [below(4, n), ints([4]), floats([0, 1])], attributes: { axis: 0 }, resultType: 'float32' },
  { op: 'Compress', title: 'along an axis', operands: (n) => [reals(n, 4), () => ({ shape: [4], type: 'bool', data: Float64Array.of(0, 1, 0, 1) })], attributes: { axis: 1 } },
  { op: 'NonZero', title: 'lists places axis by axis', operands: () => [floats([0, 1, 2, 0, 0, 3], [2, 3])] },
  { op: 'NonZero', title: 'of truth values', operands: (n) => [truths(n, 3)] },
  { op: 'Range', title: 'downwards', operands: () => [ints([7], []), ints([-2], []), ints([-3], [])], stated: [1, 2] },
  { op: 'Range', title: 'of floats', operands: () => [floats([0.5], []), floats([3], []), floats([0.75], [])], stated: [1, 2] },
  { op: 'EyeLike', title: 'with a diagonal beside the middle', operands: (n) => [reals(n, 4)], attributes: { k: 1 } },
  { op: 'ConstantOfShape', title: 'from a shape that is fed', operands: () => [ints([2, 3])], attributes: { value: { dtype: 'float32', dims: [1], data: Float32Array.of(1.5) } }, resultType: 'float32' },
  { op: 'Shape', title: 'of some axes', operands: (n) => [reals(2, n, 3)], attributes: { start: 1, end: -1 } },
  { op: 'Size', title: 'of a tensor', operands: (n) => [reals(2, n, 3)] },
  { op: 'Resize', title: 'to the nearest place', operands: (n) => [reals(1, 2, n, 3), undefined, floats([1, 1, 2, 2])], attributes: { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' } },
  { op: 'Resize', title: 'linearly', operands: (n) => [reals(1, 2, n, 4), undefined, floats([1, 1, 1, 1.5])], attributes: { mode: 'linear' } },
  { op: 'Cast', title: 'places to float and back are the same', operands: (n) => [below(50, n)], attributes: { to: dataTypes.int64 } },
];
