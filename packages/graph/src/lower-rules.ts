import type { Lowering } from './lower-emit.ts';
import type { AttributeValue } from './operator-schema.ts';
import type { Attributes, OperatorName } from './operators.ts';

/** A composite operator in its newest form. */
export interface Composite<A = Readonly<Record<string, AttributeValue>>> {
  readonly attributes: A;
  /** Names; empty where left out. */
  readonly inputs: readonly string[];
  /** Which results are named. */
  readonly outputs: readonly boolean[];
  readonly emit: Lowering;
}

/** The names of the results; undefined where this use of the operator has to stay. */
export type CompositeRule<A> = (composite: Composite<A>) => readonly (string | undefined)[] | undefined;
type Rules = { readonly [N in OperatorName]?: CompositeRule<Attributes<N>> };

/** A function of one operand, as products and sums of its elements. */
const activation = <A>(of: (emit: Lowering, x: string, attributes: A, number: (value: number) => string) => string): CompositeRule<A> =>
  ({ inputs: [x], emit, attributes }) => [of(emit, x, attributes, (value) => emit.like(value, x))];

/** From an axis on to the last, int64. */
const axesFrom = (emit: Lowering, x: string, axis: number): string => {
  if (axis < 0) return emit.ints(...Array.from({ length: -axis }, (_, k) => axis + k));
  return emit.op('Range', [emit.int(axis), emit.rank(x), emit.int(1)]);
};

/** (x − mean) and 1/√(variance + ε) over some axes. */
export function standardised(emit: Lowering, x: string, axes: string, epsilon: number): { readonly centred: string; readonly mean: string; readonly inverse: string } {
  const mean = emit.op('ReduceMean', [x, axes], { keepdims: 1 });
  const centred = emit.op('Sub', [x, mean]);
  const variance = emit.op('ReduceMean', [emit.op('Mul', [centred, centred]), axes], { keepdims: 1 });
  return { centred, mean, inverse: emit.op('Reciprocal', [emit.op('Sqrt', [emit.op('Add', [variance, emit.like(epsilon, x)])])]) };
}

const reduction = (of: (emit: Lowering, x: string, sum: (x: string) => string) => string): CompositeRule<{ readonly keepdims: number; readonly noop_with_empty_axes: number }> =>
  ({ inputs: [x, axes = ''], emit, attributes: { keepdims, noop_with_empty_axes } }) =>
    [of(emit, x, (y) => emit.op('ReduceSum', axes === '' ? [y] : [y, axes], { keepdims, noop_with_empty_axes }))];

/** ONNX's own operators that simpler ones say. */
export const rules = {
  /** αA′B′ + βC. */
  Gemm({ inputs: [a, b, c = ''], attributes: { alpha, beta, transA, transB }, emit }) {
    const turned = (x: string, transposed: number): string => (transposed === 1 ? emit.op('Transpose', [x], { perm: [1, 0] }) : x);
    const scaled = (x: string, factor: number): string => (factor === 1 ? x : emit.op('Mul', [x, emit.like(factor, x)]));
    const product = scaled(emit.op('MatMul', [turned(a, transA), turned(b, transB)]), alpha);
    return [c === '' || beta === 0 ? product : emit.op('Add', [product, scaled(c, beta)])];
  },

  Celu: activation((emit, x, { alpha }, n) => {
    const negative = emit.op('Mul', [n(alpha), emit.op('Sub', [emit.op('Exp', [emit.op('Div', [x, n(alpha)])]), n(1)])]);
    return emit.op('Add', [emit.op('Max', [x, n(0)]), emit.op('Min', [negative, n(0)])]);
  }),
  /** α(eˣ − 1) below 0; α = 1 stays, as every runtime has it. */
  Elu: ({ inputs: [x], attributes: { alpha }, emit }) => {
    if (alpha === 1) return undefined;
    const [one, zero] = [emit.like(1, x), emit.like(0, x)];
    const negative = emit.op('Mul', [emit.like(alpha, x), emit.op('Sub', [emit.op('Exp', [x]), one])]);
    return [emit.op('Where', [emit.op('Less', [x, zero]), negative, x])];
  },
  Selu: activation((emit, x, { alpha, gamma }, n) => {
    const negative = emit.op('Mul', [n(alpha), emit.op('Sub', [emit.op('Exp', [x]), n(1)])]);
    return emit.op('Mul', [n(gamma), emit.op('Where', [emit.op('Greater', [x, n(0)]), x, negative])]);
  }),
  HardSigmoid: activation((emit, x, { alpha, beta }, n) => emit.op('Clip', [emit.op('Add', [emit.op('Mul', [x, n(alpha)]), n(beta)]), n(0), n(1)])),
  HardSwish: activation((emit, x, _, n) => emit.op('Mul', [x, emit.op('Clip', [emit.op('Add', [emit.op('Mul', [x, n(1 / 6)]), n(0.5)]), n(0), n(1)])])),
  Mish: activation((emit, x) => emit.op('Mul', [x, emit.op('Tanh', [emit.op('Softplus', [x])])])),
  Softsign: activation((emit, x, _, n) => emit.op('Div', [x, emit.op('Add', [n(1), emit.op('Abs', [x])])])),
  Swish: activation((emit, x, { alpha }, n) => emit.op('Mul', [x, emit.op('Sigmoid', [alpha === 1 ? x : emit.op('Mul', [x, n(alpha)])])])),
  ThresholdedRelu: activation((emit, x, { alpha }, n) => emit.op('Where', [emit.op('Greater', [x, n(alpha)]), x, n(0)])),
  Shrink: activation((emit, x, { lambd, bias }, n) => {
    const above = emit.op('Where', [emit.op('Greater', [x, n(lambd)]), emit.op('Sub', [x, n(bias)]), n(0)]);
    return emit.op('Where', [emit.op('Less', [x, n(-lambd)]), emit.op('Add', [x, n(bias)]), above]);
  }),
  /** Hendrycks & Gimpel 2016. */
  Gelu: activation((emit, x, { approximate }, n) => {
    const half = emit.op('Mul', [x, n(0.5)]);
    if (approximate !== 'tanh') return emit.op('Mul', [half, emit.op('Add', [n(1), emit.op('Erf', [emit.op('Mul', [x, n(Math.SQRT1_2)])])])]);
    const cube = emit.op('Mul', [emit.op('Mul', [x, x]), x]);
    const inner = emit.op('Mul', [n(Math.sqrt(2 / Math.PI)), emit.op('Add', [x, emit.op('Mul', [cube, n(0.044715)])])]);
    return emit.op('Mul', [half, emit.op('Add', [n(1), emit.op('Tanh', [inner])])]);
  }),

  ReduceL1: reduction((emit, x, sum) => sum(emit.op('Abs', [x]))),
  ReduceL2: reduction((emit, x, sum) => emit.op('Sqrt', [sum(emit.op('Mul', [x, x]))])),
  ReduceLogSum: reduction((emit, x, sum) => emit.op('Log', [sum(x)])),
  ReduceSumSquare: reduction((emit, x, sum) => sum(emit.op('Mul', [x, x]))),

  LayerNormalization({ inputs: [x, scale, shift = ''], attributes: { axis, epsilon }, emit }) {
    const { centred, mean, inverse } = standardised(emit, x, axesFrom(emit, x, axis), epsilon);
    const scaled = emit.op('Mul', [emit.op('Mul', [centred, inverse]), scale]);
    return [shift === '' ? scaled : emit.op('Add', [scaled, shift]), mean, inverse];
  },
  RMSNormalization({ inputs: [x, scale], attributes: { axis, epsilon }, emit }) {
    const squares = emit.op('ReduceMean', [emit.op('Mul', [x, x]), axesFrom(emit, x, axis)], { keepdims: 1 });
    const inverse = emit.op('Reciprocal', [emit.op('Sqrt', [emit.op('Add', [squares, emit.like(epsilon, x)])])]);
    return [emit.op('Mul', [emit.op('Mul', [x, inverse]), scale])];
  },
  /** All axes after the channels as one. */
  InstanceNormalization({ inputs: [x, scale, shift], attributes: { epsilon }, emit }) {
    const flat = emit.op('Reshape', [x, emit.ints(0, 0, -1)]);
    const { centred, inverse } = standardised(emit, flat, emit.ints(2), epsilon);
    const [s, b] = [scale, shift].map((v) => emit.op('Unsqueeze', [v, emit.ints(1)]));
    const whole = emit.op('Add', [emit.op('Mul', [centred, emit.op('Mul', [inverse, s])]), b]);
    return [emit.op('Reshape', [whole, emit.op('Shape', [x])])];
  },
  /** All of a group as one axis. Wu & He 2018. */
  GroupNormalization({ inputs: [x, scale, shift], attributes: { num_groups, epsilon }, emit }) {
    const groups = emit.op('Reshape', [x, emit.ints(0, num_groups, -1)]);
    const { centred, inverse } = standardised(emit, groups, emit.ints(2), epsilon);
    const channels = emit.op('Concat', [emit.op('Shape', [x], { start: 0, end: 2 }), emit.ints(-1)], { axis: 0 });
    const flat = emit.op('Reshape', [emit.op('Mul', [centred, inverse]), channels]);
    const [s, b] = [scale, shift].map((v) => emit.op('Unsqueeze', [v, emit.ints(1)]));
    return [emit.op('Reshape', [emit.op('Add', [emit.op('Mul', [flat, s]), b]), emit.op('Shape', [x])])];
  },
  MeanVarianceNormalization({ inputs: [x], attributes: { axes }, emit }) {
    const over = emit.ints(...axes);
    const centred = emit.op('Sub', [x, emit.op('ReduceMean', [x, over], { keepdims: 1 })]);
    const deviation = emit.op('Sqrt', [emit.op('ReduceMean', [emit.op('Mul', [centred, centred]), over], { keepdims: 1 })]);
    return [emit.op('Div', [centred, emit.op('Add', [deviation, emit.like(1e-9, x)])])];
  },
  /** Where the norm is 0 all elements are, and stay. */
  LpNormalization({ inputs: [x], attributes: { axis, p }, emit }) {
    const norm = emit.op(p === 1 ? 'ReduceL1' : 'ReduceL2', [x, emit.ints(axis)], { keepdims: 1 });
    return [emit.op('Div', [x, emit.op('Where', [emit.op('Equal', [norm, emit.like(0, x)]), emit.like(1, x), norm])])];
  },
  /** x / (k + α/n · Σ of the squares of n channels)^β. Krizhevsky et al. 2012, 3.3. */
  LRN({ inputs: [x], attributes: { size, alpha, beta, bias }, emit }) {
    const squares = emit.op('Mul', [x, x]);
    const wide = emit.op('Pad', [squares, emit.ints(Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)), emit.like(0, x), emit.ints(1)]);
    const channels = emit.op('Shape', [x], { start: 1, end: 2 });
    const windows = Array.from({ length: size }, (_, k) => emit.op('Slice', [wide, emit.ints(k), emit.op('Add', [channels, emit.ints(k)]), emit.ints(1)]));
    const sum = emit.op('Add', [emit.like(bias, x), emit.op('Mul', [emit.op('Sum', windows), emit.like(alpha / size, x)])]);
    return [emit.op('Div', [x, emit.op('Pow', [sum, emit.like(beta, x)])])];
  },
} satisfies Rules;
