import { reals, type OperatorCase } from '../operator-case.ts';

export const contraction: readonly OperatorCase[] = [
  { op: 'MatMul', title: 'of matrices', operands: (n) => [reals(n, 7), reals(7, 3)] },
  { op: 'MatMul', title: 'of matrices that no block divides', operands: (n) => [reals(9 * n + 2, 131), reals(131, 67)] },
  { op: 'MatMul', title: 'of two computed matrices', operands: (n) => [reals(n, 7), reals(7, n)], stated: [] },
  { op: 'MatMul', title: 'of a stack by one matrix', operands: (n) => [reals(2, n, 7), reals(7, 3)] },
  { op: 'MatMul', title: 'broadcasts the axes in front', operands: (n) => [reals(2, 1, n, 4), reals(3, 4, 5)], stated: [] },
  { op: 'MatMul', title: 'of a vector by a matrix', operands: (n) => [reals(n), reals(n, 3)], stated: [] },
  { op: 'MatMul', title: 'of a matrix by a vector', operands: (n) => [reals(2, n, 4), reals(4)] },
  { op: 'MatMul', title: 'of two vectors', operands: (n) => [reals(n), reals(n)], stated: [] },
  { op: 'MatMul', title: 'with the weight on the left', operands: (n) => [reals(3, 7), reals(2, 7, n)], stated: [0] },
  { op: 'Gemm', title: 'of matrices', operands: (n) => [reals(n, 7), reals(7, 3)] },
  { op: 'Gemm', title: 'adds a row to each row', operands: (n) => [reals(n, 7), reals(7, 3), reals(3)] },
  { op: 'Gemm', title: 'adds a column', operands: (n) => [reals(n, 7), reals(7, 3), reals(n, 1)], stated: [1] },
  { op: 'Gemm', title: 'transposes both and scales', operands: (n) => [reals(7, n), reals(3, 7), reals(1, 3)], attributes: { transA: 1, transB: 1, alpha: { float: 0.5 }, beta: { float: -1.5 } } },
  { op: 'Gemm', title: 'transposes the second', operands: (n) => [reals(n, 7), reals(3, 7), reals()], attributes: { transB: 1 } },
  { op: 'Einsum', title: 'of heads of attention', operands: (n) => [reals(2, n, 3, 4), reals(2, 6, 3, 4)], stated: [], attributes: { equation: 'bihc,bjhc->bhij' } },
  { op: 'Einsum', title: 'turns axes and sums one away', operands: (n) => [reals(2, n, 3)], attributes: { equation: 'abc->ca' } },
  { op: 'Einsum', title: 'with an ellipsis', operands: (n) => [reals(2, n, 4), reals(4, 3)], attributes: { equation: '...i,ij->...j' } },
];
