import type { Emit, Known, Value } from '../emit.ts';
import { NoGradient, type Call, type Cotangents, type Rows } from '../vjp.ts';
import { countOf, from } from './axes.ts';
import { pools } from './pooling.ts';

type Reduction = 'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceMin' | 'ReduceProd' | 'ReduceL1' | 'ReduceL2' | 'ReduceSumSquare' | 'ReduceLogSum' | 'ReduceLogSumExp';

/** The axes that a reduction takes away. */
function reducedAxes({ inputs: { data, axes }, constants, attributes }: Call<Reduction>): readonly number[] {
  if (axes !== undefined && constants.axes === undefined) throw new NoGradient('which axes it reduces is computed from data');
  const rank = data.shape.length;
  const listed = constants.axes ?? [];
  if (listed.length > 0) return listed.map((axis) => (axis < 0 ? axis + rank : axis));
  return attributes.noop_with_empty_axes === 1 ? [] : from(0, rank);
}

/** What a reduction's rule is made of: `dy` and `y` have ones where axes were reduced, so that they broadcast to `x`. */
interface Reduced {
  readonly emit: Emit;
  readonly x: Known;
  readonly y: Value;
  readonly dy: Value;
  readonly axes: readonly number[];
}

/** A rule from the gradient for the case that axes are kept as ones; it may give any shape that broadcasts to that of the operand. */
const reducing = (gradient: (reduced: Reduced) => Value) => (call: Call<Reduction> & Cotangents<Reduction>) => {
  const { inputs: { data }, outputs: { reduced }, attributes, dY, emit } = call;
  const axes = reducedAxes(call);
  if (axes.length === 0) return { data: () => refuseElementwise(call.op) ?? dY };
  const keep = (v: Value) => (attributes.keepdims === 1 ? v : emit.unsqueeze(v, axes));
  return { data: () => gradient({ emit, x: data, y: keep(reduced), dy: keep(dY), axes }) };
};

/** Reductions over no axes that are not the identity. */
const SHAPING: readonly Reduction[] = ['ReduceL1', 'ReduceL2', 'ReduceSumSquare', 'ReduceLogSum', 'ReduceLogSumExp'];

function refuseElementwise(op: Reduction): undefined {
  if (SHAPING.includes(op)) throw new NoGradient('over no axes, runtimes do not agree what it means');
}

const spread = ({ emit, x }: Reduced, v: Value): Value => emit.expand(v, emit.sizes(x));

/** The elements that are the largest or smallest share what flows back. */
const winners = reducing((reduced) => {
  const { emit, x, y, dy, axes } = reduced;
  const wins = emit.asFloat(emit.op('Equal', [x, y]));
  return emit.mul(wins, emit.div(dy, emit.reduceSum(wins, axes, true)));
});

/** x / y, and 0 where y is. */
function ratio(emit: Emit, x: Value, y: Value): Value {
  const alive = emit.op('Not', [emit.op('Equal', [y, emit.scalar(0)])]);
  return emit.where(alive, emit.div(x, emit.where(alive, y, 1)), 0);
}

const none = () => ({});

const reductions = {
  /** y = Σ x: dx = dy. */
  ReduceSum: reducing((reduced) => spread(reduced, reduced.dy)),
  /** y = Σ x / n: dx = dy / n. */
  ReduceMean: reducing((reduced) => spread(reduced, reduced.emit.div(reduced.dy, countOf(reduced.emit, reduced.x, reduced.axes)))),
  ReduceMax: winners,
  ReduceMin: winners,
  /**
   * y = Π x: dx = dy·(product of the others). With q the product of all that are not zero: dy·q/x where none is zero, dy·q at the zero where
   * one is, and 0 where more are.
   */
  ReduceProd: reducing(({ emit, x, dy, axes }) => {
    const zero = emit.op('Equal', [x, 0]);
    const others = emit.where(zero, 1, x);
    const product = emit.mul(dy, emit.reduce('ReduceProd', others, axes, true));
    const zeros = emit.reduceSum(emit.asFloat(zero), axes, true);
    return emit.where(zero, emit.where(emit.op('Equal', [zeros, 1]), product, 0), emit.where(emit.op('Equal', [zeros, 0]), emit.div(product, others), 0));
  }),
  /** y = Σ |x|: dx = dy·sign x. */
  ReduceL1: reducing(({ emit, x, dy }) => emit.mul(dy, emit.op('Sign', [x]))),
  /** y = √Σ x²: dx = dy·x / y, and 0 where all are zero. */
  ReduceL2: reducing(({ emit, x, y, dy }) => emit.mul(x, ratio(emit, dy, y))),
  /** y = Σ x²: dx = 2·dy·x. */
  ReduceSumSquare: reducing(({ emit, x, dy }) => emit.mul(x, emit.mul(dy, 2))),
  /** y = log Σ x: dx = dy / exp y. */
  ReduceLogSum: reducing((reduced) => spread(reduced, reduced.emit.div(reduced.dy, reduced.emit.op('Exp', [reduced.y])))),
  /** y = log Σ exp x: dx = dy·exp(x − y). */
  ReduceLogSumExp: reducing(({ emit, x, y, dy }) => emit.mul(dy, emit.op('Exp', [emit.sub(x, y)]))),

  ArgMax: none,
  ArgMin: none,

  /** The largest or smallest elements: what flows back goes to where each came from. */
  TopK: ({ inputs: { X }, outputs: { Indices }, attributes: { axis }, dY, emit }) => ({
    X: () => emit.op('ScatterElements', [emit.zerosLike(X), Indices, dY], { axis }),
  }),
} satisfies Rows;

export const reduction = { ...reductions, ...pools } satisfies Rows;
