import { floats, positive, reals, type OperatorCase } from '../operator-case.ts';

const epsilon = { epsilon: { float: 1e-3 } };

export const normalisation: readonly OperatorCase[] = [
  { op: 'BatchNormalization', title: 'by stored statistics', operands: (n) => [reals(2, 3, n), reals(3), reals(3), reals(3), positive(3)], attributes: epsilon },
  { op: 'BatchNormalization', title: 'of images', operands: (n) => [reals(2, 3, n, 4), reals(3), reals(3), reals(3), positive(3)], attributes: epsilon },
  { op: 'LayerNormalization', title: 'of the last axis', operands: (n) => [reals(2, n, 6), reals(6), reals(6)], attributes: epsilon },
  { op: 'LayerNormalization', title: 'of the last two axes, without a bias', operands: (n) => [reals(n, 4, 3), reals(4, 3)], attributes: { axis: -2 } },
  { op: 'InstanceNormalization', title: 'of each channel', operands: (n) => [reals(2, 3, n), reals(3), reals(3)], attributes: epsilon },
  { op: 'GroupNormalization', title: 'of three groups', operands: (n) => [reals(2, 6, n), reals(6), reals(6)], attributes: { num_groups: 3, ...epsilon } },
  { op: 'RMSNormalization', title: 'of the last axis', operands: (n) => [reals(2, n, 6), reals(6)], attributes: epsilon },
  { op: 'LpNormalization', title: 'of order two', operands: (n) => [reals(n, 4)], attributes: { axis: 1, p: 2 } },
  { op: 'LpNormalization', title: 'of order one along the first axis', operands: (n) => [reals(4, n)], attributes: { axis: 0, p: 1 } },
  { op: 'LRN', title: 'over some channels', operands: (n) => [reals(2, 5, n, 3)], attributes: { size: 3, alpha: { float: 0.3 }, beta: { float: 0.6 }, bias: { float: 1.2 } } },
  { op: 'MeanVarianceNormalization', title: 'over two axes', operands: (n) => [reals(2, 3, n, 4)], attributes: { axes: [2, 3] } },
  { op: 'Softmax', title: 'along the last axis', operands: (n) => [reals(n, 6)] },
  { op: 'Softmax', title: 'along a middle axis', operands: (n) => [reals(2, 6, n)], attributes: { axis: 1 } },
  { op: 'Softmax', title: 'of large numbers', operands: () => [floats([1000, 999, -1000, -999, 0, 3], [2, 3])] },
  { op: 'LogSoftmax', title: 'along a middle axis', operands: (n) => [reals(2, 6, n)], attributes: { axis: -2 } },
  { op: 'LogSoftmax', title: 'of large numbers', operands: () => [floats([1000, 999, -1000, -999, 0, 3], [2, 3])] },
  { op: 'Hardmax', title: 'takes the first of equals', operands: () => [floats([1, 3, 3, 2, 2, 0], [2, 3])] },
];
