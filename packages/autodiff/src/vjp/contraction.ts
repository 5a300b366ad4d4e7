import type { Emit, Known, Size, Value } from '../emit.ts';
import { absent, type Rows } from '../vjp.ts';
import { conv, convTranspose } from './convolution.ts';
import { einsum } from './einsum.ts';

const ofIntegers = absent('it computes with integers; fold the quantisation to float32 first');

export const contraction = {
  /**
   * y[b,m,n] = Σ_k a[b,m,k]·b[b,k,n], batch axes b broadcast: da = dy·bᵀ, db = aᵀ·dy, summed over the axes along which an operand was
   * broadcast. A vector is a matrix of one row (a) or one column (b) that leaves again. Spec: MatMul-13.
   */
  MatMul({ inputs: { A, B }, outputs: { Y }, dY, emit }) {
    const rowless = A.shape.length === 1;
    const columnless = B.shape.length === 1;
    const a = rowless ? withAxis(emit, A, 0) : A;
    const b = columnless ? withAxis(emit, B, 1) : B;
    const shape = [...Y.shape];
    if (columnless) shape.push(1);
    if (rowless) shape.splice(shape.length - 1, 0, 1);
    const added = [...(rowless ? [shape.length - 2] : []), ...(columnless ? [shape.length - 1] : [])];
    const dy: Known = { ...emit.unsqueeze(dY, added), shape };
    return {
      A: () => (rowless ? emit.squeeze(leftOf(emit, a, b, dy), [0]) : leftOf(emit, a, b, dy)),
      B: () => (columnless ? emit.squeeze(rightOf(emit, a, b, dy), [1]) : rightOf(emit, a, b, dy)),
    };
  },
  MatMulInteger: ofIntegers,
  QLinearMatMul: ofIntegers,

  /** y = α·a'·b' + β·c, where a' and b' may be transposed: da' = α·dy·b'ᵀ, db' = α·a'ᵀ·dy, dc = β·dy summed where c was broadcast. Spec: Gemm-13. */
  Gemm({ inputs: { A, B, C }, attributes: { alpha, beta, transA, transB }, outputs: { Y }, dY, emit }) {
    const product = (a: Value, aTurned: boolean, b: Value, bTurned: boolean) => emit.op('Gemm', [a, b], { alpha, transA: aTurned ? 1 : 0, transB: bTurned ? 1 : 0 });
    return {
      A: () => (transA ? product(B, transB === 1, dY, true) : product(dY, false, B, transB === 0)),
      B: () => (transB ? product(dY, true, A, transA === 1) : product(A, transA === 0, dY, false)),
      C: C && (() => {
        const sum = emit.reduceTo(dY, Y.shape, C);
        return beta === 1 ? sum : emit.mul(sum, beta);
      }),
    };
  },

  Einsum: einsum,
  Conv: conv,
  ConvTranspose: convTranspose,
  ConvInteger: ofIntegers,
  QLinearConv: ofIntegers,
  DeformConv: absent('where it reads is data, and reading between elements is not differentiated'),
  CausalConvWithState: absent('it is newer than the operators that gradients are written in; export a Concat with the state and a Conv'),
} satisfies Rows;

const withAxis = (emit: Emit, x: Known, axis: number): Known =>
  ({ ...emit.unsqueeze(x, [axis]), shape: x.shape.toSpliced(axis, 0, 1) });

/** da = dy·bᵀ [m, k]. Where b has batch axes and a has none, they become part of the inner axis, so that one product sums over them. */
function leftOf(emit: Emit, a: Known, b: Known, dy: Known): Value {
  if (a.shape.length > 2 || b.shape.length === 2) return emit.reduceTo(emit.matMul(dy, turned(emit, b)), [...dy.shape.slice(0, -1), a.shape.at(-1)], a);
  const rank = b.shape.length;
  const batch = Array.from({ length: rank - 2 }, (_, axis) => axis);
  const rows = emit.reshape(emit.transpose(dy, [rank - 2, ...batch, rank - 1]), [emit.size(a, 0), -1]);
  const columns = emit.reshape(emit.transpose(b, [...batch, rank - 1, rank - 2]), [-1, emit.size(b, -2)]);
  return emit.matMul(rows, columns);
}

/** db = aᵀ·dy [k, n]. Where a has batch axes and b has none, they become part of the inner axis, so that one product sums over them. */
function rightOf(emit: Emit, a: Known, b: Known, dy: Known): Value {
  if (b.shape.length > 2) return emit.reduceTo(emit.matMul(turned(emit, a), dy), [...dy.shape.slice(0, -2), ...b.shape.slice(-2)], b);
  const flat = (x: Known, columns: Size) => (x.shape.length === 2 ? x : emit.reshape(x, [-1, columns]));
  return emit.op('Gemm', [flat(a, emit.size(b, 0)), flat(dy, emit.size(b, 1))], { transA: 1 });
}

/** A matrix with its last two axes swapped. */
const turned = (emit: Emit, x: Known): Value =>
  emit.transpose(x, x.shape.map((_, axis) => (axis < x.shape.length - 2 ? axis : 2 * x.shape.length - 3 - axis)));
