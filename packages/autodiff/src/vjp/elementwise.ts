import { dataTypeOf, type OperatorName } from '@coppice/graph';
import type { Emit, Known, Operand, Value } from '../emit.ts';
import { absent, NoGradient, type Call, type Cotangents, type Rows } from '../vjp.ts';

/** The sum of what flows back, over the axes along which an operand was broadcast. */
const unbroadcast = <N extends OperatorName>({ outputs, emit }: Call<N>, to: Known, gradient: Value): Value =>
  emit.reduceTo(gradient, (Object.values(outputs)[0] as Known).shape, to);

/** An operand, a result, what flows back, and the emitter. */
interface Unary { readonly x: Known; readonly y: Known; readonly dY: Value; readonly emit: Emit }

type Input<N extends OperatorName> = Call<N>['inputs'] extends { readonly X: Known } ? 'X' : 'input';

/** A row of an operator with one operand. @param of dx from x, y, dy */
const unary = <N extends OperatorName>(of: (call: Unary, attributes: Call<N>['attributes']) => Value) =>
  ({ inputs, outputs, attributes, dY, emit }: Call<N> & Cotangents<N>) => {
    const [[name, x]] = Object.entries(inputs) as [Input<N>, Known][];
    const [y] = Object.values(outputs) as Known[];
    return { [name]: () => of({ x, y, dY, emit }, attributes) } as { readonly [I in Input<N>]: () => Value };
  };

/** A row of an operator whose result jumps or stays: its derivative is zero wherever it has one. */
const flat = () => ({});

const square = (emit: Emit, x: Value): Value => emit.mul(x, x);
const where = (emit: Emit, op: 'Greater' | 'Less' | 'GreaterOrEqual' | 'LessOrEqual', x: Value, bound: Operand, then: Operand, otherwise: Operand): Value =>
  emit.where(emit.op(op, [x, bound]), then, otherwise);

/** x·σ(αx) has the derivative σ + αx·σ·(1 − σ). */
const swishSlope = (emit: Emit, x: Value, alpha: number): Value => {
  const scaled = alpha === 1 ? x : emit.mul(x, alpha);
  const s = emit.op('Sigmoid', [scaled]);
  return emit.mul(s, emit.add(emit.mul(scaled, emit.sub(1, s)), 1));
};

/** ½(1 + erf(x/√2)) + x·φ(x), or of the approximation ½x(1 + tanh u), u = √(2/π)(x + 0.044715x³): ½(1 + t) + ½x(1 − t²)·u′. Hendrycks & Gimpel 2016. */
function geluSlope(emit: Emit, x: Value, approximate: boolean): Value {
  const squared = square(emit, x);
  if (!approximate) {
    const half = emit.mul(emit.add(emit.op('Erf', [emit.mul(x, Math.SQRT1_2)]), 1), 0.5);
    const density = emit.mul(emit.op('Exp', [emit.mul(squared, -0.5)]), 1 / Math.sqrt(2 * Math.PI));
    return emit.add(half, emit.mul(x, density));
  }
  const c = Math.sqrt(2 / Math.PI);
  const t = emit.op('Tanh', [emit.mul(x, emit.add(emit.mul(squared, c * 0.044715), c))]);
  const inner = emit.add(emit.mul(squared, 3 * c * 0.044715), c);
  const rest = emit.mul(emit.mul(x, inner), emit.sub(1, square(emit, t)));
  return emit.mul(emit.add(emit.add(t, 1), rest), 0.5);
}

/** The greatest or least of several: what flows back goes to the operand that was it, in equal parts where several were. */
const extreme = <N extends 'Max' | 'Min'>(call: Call<N> & Cotangents<N>) => {
  const { emit, dY } = call;
  const [y] = Object.values(call.outputs) as Known[];
  const [operands] = Object.values(call.inputs) as (readonly Known[])[];
  let shares: { readonly hits: readonly Value[]; readonly part: Value } | undefined;
  const share = () => {
    const hits = operands.map((x) => emit.op('Equal', [x, y]));
    return { hits, part: emit.div(dY, emit.op('Sum', hits.map((hit) => emit.asFloat(hit)))) };
  };
  const gradient = (k: number): Value => {
    shares ??= share();
    return unbroadcast(call, operands[k], emit.where(shares.hits[k], shares.part, 0));
  };
  return { data_0: operands.map((_, k) => () => (operands.length === 1 ? dY : gradient(k))) };
};

export const elementwise = {
  /** c = a + b. */
  Add: (call) => ({ A: () => unbroadcast(call, call.inputs.A, call.dY), B: () => unbroadcast(call, call.inputs.B, call.dY) }),

  /** c = a − b. */
  Sub: (call) => ({ A: () => unbroadcast(call, call.inputs.A, call.dY), B: () => unbroadcast(call, call.inputs.B, call.emit.neg(call.dY)) }),

  /** c = a·b: da = dc·b, db = dc·a. */
  Mul(call) {
    const { inputs: { A, B }, dY, emit } = call;
    return { A: () => unbroadcast(call, A, emit.mul(dY, B)), B: () => unbroadcast(call, B, emit.mul(dY, A)) };
  },

  /** c = a/b: da = dc/b, db = −dc·c/b. */
  Div(call) {
    const { inputs: { A, B }, outputs: { C }, dY, emit } = call;
    return { A: () => unbroadcast(call, A, emit.div(dY, B)), B: () => unbroadcast(call, B, emit.neg(emit.mul(dY, emit.div(C, B)))) };
  },

  /** z = xʸ: dx = dz·y·x^(y−1), dy = dz·z·ln x where x > 0; below it y is a whole number that does not move. */
  Pow(call) {
    const { inputs: { X, Y }, outputs: { Z }, constants, dY, emit } = call;
    const exponent = constants.Y?.length === 1 ? constants.Y[0] : undefined;
    const slope = (): Value => {
      if (exponent === 2) return emit.mul(X, 2);
      if (exponent === 0.5) return emit.div(0.5, Z);
      if (exponent !== undefined) return emit.mul(emit.op('Pow', [X, exponent - 1]), exponent);
      // Exponents may be integers.
      const power = emit.op('CastLike', [Y, X]);
      return emit.where(emit.op('Equal', [power, 0]), 0, emit.mul(power, emit.op('Pow', [X, emit.sub(power, 1)])));
    };
    return {
      X: () => unbroadcast(call, X, emit.mul(dY, slope())),
      Y: () => unbroadcast(call, Y, emit.mul(dY, where(emit, 'Greater', X, 0, emit.mul(Z, emit.op('Log', [X])), 0))),
    };
  },

  /** c = a − k·b with a whole number k, floored or cut: da = dc, db = −k·dc. */
  Mod(call) {
    const { inputs: { A, B }, outputs: { C }, dY, emit } = call;
    return { A: () => unbroadcast(call, A, dY), B: () => unbroadcast(call, B, emit.mul(dY, emit.op('Round', [emit.div(emit.sub(C, A), B)]))) };
  },

  Sum: (call) => ({ data_0: call.inputs.data_0.map((x) => () => unbroadcast(call, x, call.dY)) }),
  Mean: (call) => ({ data_0: call.inputs.data_0.map((x) => () => unbroadcast(call, x, call.emit.mul(call.dY, 1 / call.inputs.data_0.length))) }),
  Max: extreme<'Max'>,
  Min: extreme<'Min'>,

  /** dx = dy where the condition holds, else it goes to the other. */
  Where(call) {
    const { inputs: { condition, X, Y }, dY, emit } = call;
    return { X: () => unbroadcast(call, X, emit.where(condition, dY, 0)), Y: () => unbroadcast(call, Y, emit.where(condition, 0, dY)) };
  },

  Identity: unary<'Identity'>(({ dY }) => dY),
  Neg: unary<'Neg'>(({ dY, emit }) => emit.neg(dY)),
  Abs: unary<'Abs'>(({ x, dY, emit }) => emit.mul(dY, emit.op('Sign', [x]))),
  /** y′ = −y². */
  Reciprocal: unary<'Reciprocal'>(({ y, dY, emit }) => emit.neg(emit.mul(dY, square(emit, y)))),
  /** y′ = ½/y. */
  Sqrt: unary<'Sqrt'>(({ y, dY, emit }) => emit.div(emit.mul(dY, 0.5), y)),
  Exp: unary<'Exp'>(({ y, dY, emit }) => emit.mul(dY, y)),
  Log: unary<'Log'>(({ x, dY, emit }) => emit.div(dY, x)),
  /** y′ = 2/√π·e^(−x²). */
  Erf: unary<'Erf'>(({ x, dY, emit }) => emit.mul(dY, emit.mul(emit.op('Exp', [emit.neg(square(emit, x))]), 2 / Math.sqrt(Math.PI)))),

  Sin: unary<'Sin'>(({ x, dY, emit }) => emit.mul(dY, emit.op('Cos', [x]))),
  Cos: unary<'Cos'>(({ x, dY, emit }) => emit.neg(emit.mul(dY, emit.op('Sin', [x])))),
  /** y′ = 1 + y². */
  Tan: unary<'Tan'>(({ y, dY, emit }) => emit.mul(dY, emit.add(square(emit, y), 1))),
  /** y′ = 1/√(1 − x²). */
  Asin: unary<'Asin'>(({ x, dY, emit }) => emit.div(dY, emit.op('Sqrt', [emit.sub(1, square(emit, x))]))),
  Acos: unary<'Acos'>(({ x, dY, emit }) => emit.neg(emit.div(dY, emit.op('Sqrt', [emit.sub(1, square(emit, x))])))),
  Atan: unary<'Atan'>(({ x, dY, emit }) => emit.div(dY, emit.add(square(emit, x), 1))),
  Sinh: unary<'Sinh'>(({ x, dY, emit }) => emit.mul(dY, emit.op('Cosh', [x]))),
  Cosh: unary<'Cosh'>(({ x, dY, emit }) => emit.mul(dY, emit.op('Sinh', [x]))),
  /** y′ = 1 − y². */
  Tanh: unary<'Tanh'>(({ y, dY, emit }) => emit.mul(dY, emit.sub(1, square(emit, y)))),
  Asinh: unary<'Asinh'>(({ x, dY, emit }) => emit.div(dY, emit.op('Sqrt', [emit.add(square(emit, x), 1)]))),
  Acosh: unary<'Acosh'>(({ x, dY, emit }) => emit.div(dY, emit.op('Sqrt', [emit.sub(square(emit, x), 1)]))),
  Atanh: unary<'Atanh'>(({ x, dY, emit }) => emit.div(dY, emit.sub(1, square(emit, x)))),

  /** y′ = y(1 − y). */
  Sigmoid: unary<'Sigmoid'>(({ y, dY, emit }) => emit.mul(dY, emit.mul(y, emit.sub(1, y)))),
  /** y = max(x, 0): dx = dy where y > 0. */
  Relu: unary<'Relu'>(({ y, dY, emit }) => where(emit, 'Greater', y, 0, dY, 0)),
  LeakyRelu: unary<'LeakyRelu'>(({ x, dY, emit }, { alpha }) => where(emit, 'Less', x, 0, emit.mul(dY, alpha), dY)),
  /** y = x, below zero s·x: dx = s·dy and ds = x·dy there. */
  PRelu(call) {
    const { inputs: { X, slope }, dY, emit } = call;
    return { X: () => where(emit, 'Less', X, 0, emit.mul(dY, slope), dY), slope: () => unbroadcast(call, slope, where(emit, 'Less', X, 0, emit.mul(dY, X), 0)) };
  },
  ThresholdedRelu: unary<'ThresholdedRelu'>(({ x, dY, emit }, { alpha }) => where(emit, 'Greater', x, alpha, dY, 0)),
  /** y = α(eˣ − 1) below zero: y′ = y + α. Clevert et al. 2016, eq. 15. */
  Elu: unary<'Elu'>(({ x, y, dY, emit }, { alpha }) => where(emit, 'Less', x, 0, emit.mul(dY, emit.add(y, alpha)), dY)),
  /** y = γ·elu(x): y′ = y + γα below zero, γ above. */
  Selu: unary<'Selu'>(({ x, y, dY, emit }, { alpha, gamma }) => emit.mul(dY, where(emit, 'Less', x, 0, emit.add(y, gamma * alpha), gamma))),
  /** y = α(e^(x/α) − 1) below zero: y′ = y/α + 1. Barron 2017, eq. 2. */
  Celu: unary<'Celu'>(({ x, y, dY, emit }, { alpha }) => where(emit, 'Less', x, 0, emit.mul(dY, emit.add(emit.div(y, alpha), 1)), dY)),
  /** y = ln(1 + eˣ): y′ = σ(x). */
  Softplus: unary<'Softplus'>(({ x, dY, emit }) => emit.mul(dY, emit.op('Sigmoid', [x]))),
  /** y = x/(1 + |x|): y′ = (1 − |y|)². */
  Softsign: unary<'Softsign'>(({ y, dY, emit }) => emit.mul(dY, square(emit, emit.sub(1, emit.op('Abs', [y]))))),
  /** y = αx + β between 0 and 1. */
  HardSigmoid: unary<'HardSigmoid'>(({ y, dY, emit }, { alpha }) => emit.where(emit.op('And', [emit.op('Greater', [y, 0]), emit.op('Less', [y, 1])]), emit.mul(dY, alpha), 0)),
  /** y = x(x + 3)/6 between −3 and 3: y′ = x/3 + ½; 0 below and 1 above. */
  HardSwish: unary<'HardSwish'>(({ x, dY, emit }) => where(emit, 'LessOrEqual', x, -3, 0, where(emit, 'GreaterOrEqual', x, 3, dY, emit.mul(dY, emit.add(emit.mul(x, 1 / 3), 0.5))))),
  /** y = x·t, t = tanh ln(1 + eˣ): y′ = t + x·(1 − t²)·σ(x). Misra 2019. */
  Mish: unary<'Mish'>(({ x, dY, emit }) => {
    const t = emit.op('Tanh', [emit.op('Softplus', [x])]);
    return emit.mul(dY, emit.add(t, emit.mul(emit.mul(x, emit.op('Sigmoid', [x])), emit.sub(1, square(emit, t)))));
  }),
  Swish: unary<'Swish'>(({ x, dY, emit }, { alpha }) => emit.mul(dY, swishSlope(emit, x, alpha))),
  /** y = a·σ(αa)·b. */
  SwiGLU(call) {
    const { inputs: { A, B }, attributes: { alpha }, dY, emit } = call;
    const gate = () => emit.mul(A, emit.op('Sigmoid', [emit.mul(A, alpha)]));
    return { A: () => unbroadcast(call, A, emit.mul(emit.mul(dY, B), swishSlope(emit, A, alpha))), B: () => unbroadcast(call, B, emit.mul(dY, gate())) };
  },
  Gelu: unary<'Gelu'>(({ x, dY, emit }, { approximate }) => emit.mul(dY, geluSlope(emit, x, approximate === 'tanh'))),
  /** y = x ∓ bias beyond ±λ, 0 between. */
  Shrink: unary<'Shrink'>(({ x, dY, emit }, { lambd }) => where(emit, 'Greater', emit.op('Abs', [x]), lambd, dY, 0)),

  /** y = min(max(x, low), high): what flows back goes to the one that y is. */
  Clip(call) {
    const { inputs: { input, min, max }, dY, emit } = call;
    const raised = min ? emit.op('Less', [input, min]) : undefined;
    const cut = max ? emit.op('Greater', [min ? emit.op('Max', [input, min]) : input, max]) : undefined;
    const kept = raised && cut ? emit.op('Or', [raised, cut]) : (raised ?? cut);
    return {
      input: () => (kept ? emit.where(kept, 0, dY) : dY),
      min: raised && min && (() => unbroadcast(call, min, emit.where(cut ? emit.op('And', [raised, emit.op('Not', [cut])]) : raised, dY, 0))),
      max: cut && max && (() => unbroadcast(call, max, emit.where(cut, dY, 0))),
    };
  },

  /** Between floats of different widths; whole numbers and booleans stop the gradient. */
  Cast: ({ inputs: { input }, attributes: { to }, dY, emit }) => (/float/.test(dataTypeOf(to)) ? { input: () => emit.op('CastLike', [dY, input]) } : {}),
  CastLike: ({ inputs: { input }, dY, emit }) => ({ input: () => emit.op('CastLike', [dY, input]) }),

  /** Outside training it passes everything. */
  Dropout({ inputs: { training_mode }, constants, dY }) {
    if (training_mode && constants.training_mode?.[0] !== 0) throw new NoGradient('it may drop elements at random, and the graph does not say which; export the model for inference');
    return { data: () => dY };
  },

  Sign: flat,
  Floor: flat,
  Ceil: flat,
  Round: flat,
  Equal: flat,
  Greater: flat,
  GreaterOrEqual: flat,
  Less: flat,
  LessOrEqual: flat,
  And: flat,
  Or: flat,
  Xor: flat,
  Not: flat,
  IsInf: flat,
  IsNaN: flat,
  BitShift: flat,
  BitwiseAnd: flat,
  BitwiseNot: flat,
  BitwiseOr: flat,
  BitwiseXor: flat,
  /** Random numbers of the shape of a value do not depend on the value. */
  RandomNormalLike: flat,
  RandomUniformLike: flat,
  Bernoulli: absent('it draws at random with its input as the probability'),
  BitCast: absent('it reads the bits of a number as another one'),
} satisfies Rows;
