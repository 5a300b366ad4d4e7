import { ints, reals, type OperatorCase } from '../operator-case.ts';

export const attention: readonly OperatorCase[] = [
  { op: 'Attention', title: 'of heads', operands: (n) => [reals(2, 3, n, 4), reals(2, 3, 6, 4), reals(2, 3, 6, 4)], stated: [] },
  { op: 'Attention', title: 'of heads that share keys, causal', operands: (n) => [reals(1, 4, n, 4), reals(1, 2, n, 4), reals(1, 2, n, 4)], stated: [], attributes: { is_causal: 1 } },
  { op: 'Attention', title: 'of packed heads with an added mask', operands: (n) => [reals(2, n, 12), reals(2, 6, 12), reals(2, 6, 12), reals(n, 6)], stated: [], attributes: { q_num_heads: 3, kv_num_heads: 3, scale: { float: 0.4 } } },
  { op: 'RotaryEmbedding', title: 'by positions', operands: (n) => [reals(2, 3, n, 8), reals(20, 4), reals(20, 4), ints(Array.from({ length: 2 * n }, (_, k) => (k * 3) % 20), [2, n])], stated: [1, 2] },
];
