import { dataTypeOf } from '@coppice/graph';
import { array, expandTo, map, type Array64, type ElementKind } from './array64.ts';
import type { EagerRows } from './row.ts';

/** A row from a function of one element. */
const unary = (f: (x: number) => number, type?: ElementKind) => ([x]: readonly [Array64]): readonly Array64[] => [map(f, [x], type)];
/** A row from a function of two elements; operands broadcast. */
const binary = (f: (a: number, b: number) => number, type?: ElementKind) => ([a, b]: readonly [Array64, Array64]): readonly Array64[] => [map(f, [a, b], type)];
/** A row from a function of two elements folded over any number of operands. */
const variadic = (f: (a: number, b: number) => number) => (xs: readonly Array64[]): readonly Array64[] => [map((...elements) => elements.reduce(f), xs)];

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
/** ln(1 + eˣ) without overflow. */
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const elu = (x: number, alpha: number): number => (x < 0 ? alpha * (Math.exp(x) - 1) : x);
const hardSigmoid = (x: number, alpha: number, beta: number): number => Math.max(0, Math.min(1, alpha * x + beta));

/** The error function by a series of positive terms, 2/√π·e^(−x²)·Σ 2ⁿx^(2n+1)/(2n+1)!!. Abramowitz & Stegun 7.1.6. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let [term, sum] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) sum += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** Half a number up, even ones kept: banker's rounding. */
function round(x: number): number {
  const low = Math.floor(x);
  return x - low === 0.5 ? (low % 2 === 0 ? low : low + 1) : Math.round(x);
}

export const elementwise = {
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  /** Whole numbers: the quotient without its fraction. */
  Div: ([a, b]) => [map(a.type === 'float' ? (x, y) => x / y : (x, y) => Math.trunc(x / y), [a, b])],
  Pow: binary((x, y) => x ** y),
  /** The sign of the divisor, or with fmod = 1 that of the dividend. */
  Mod: ([a, b], { fmod }) => [map(fmod === 1 ? (x, y) => x % y : (x, y) => x - y * Math.floor(x / y), [a, b])],
  Sum: variadic((a, b) => a + b),
  Max: variadic((a, b) => Math.max(a, b)),
  Min: variadic((a, b) => Math.min(a, b)),
  Mean: (xs) => [map((...elements) => elements.reduce((a, b) => a + b) / elements.length, xs)],

  Abs: unary(Math.abs),
  Neg: unary((x) => -x),
  Reciprocal: unary((x) => 1 / x),
  Sqrt: unary(Math.sqrt),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Erf: unary(erf),
  Sign: unary(Math.sign),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Round: unary(round),

  Sin: unary(Math.sin),
  Cos: unary(Math.cos),
  Tan: unary(Math.tan),
  Asin: unary(Math.asin),
  Acos: unary(Math.acos),
  Atan: unary(Math.atan),
  Sinh: unary(Math.sinh),
  Cosh: unary(Math.cosh),
  Tanh: unary(Math.tanh),
  Asinh: unary(Math.asinh),
  Acosh: unary(Math.acosh),
  Atanh: unary(Math.atanh),

  Sigmoid: unary(sigmoid),
  Relu: unary((x) => Math.max(x, 0)),
  LeakyRelu: ([x], { alpha }) => [map((v) => (v < 0 ? alpha * v : v), [x])],
  PRelu: ([x, slope]) => [map((v, s) => (v < 0 ? s * v : v), [x, expandTo(slope, x.shape)])],
  ThresholdedRelu: ([x], { alpha }) => [map((v) => (v > alpha ? v : 0), [x])],
  Elu: ([x], { alpha }) => [map((v) => elu(v, alpha), [x])],
  Selu: ([x], { alpha, gamma }) => [map((v) => gamma * elu(v, alpha), [x])],
  Celu: ([x], { alpha }) => [map((v) => Math.max(0, v) + Math.min(0, alpha * (Math.exp(v / alpha) - 1)), [x])],
  Softplus: unary(softplus),
  Softsign: unary((x) => x / (1 + Math.abs(x))),
  HardSigmoid: ([x], { alpha, beta }) => [map((v) => hardSigmoid(v, alpha, beta), [x])],
  HardSwish: unary((x) => x * hardSigmoid(x, 1 / 6, 0.5)),
  Mish: unary((x) => x * Math.tanh(softplus(x))),
  Swish: ([x], { alpha }) => [map((v) => v * sigmoid(alpha * v), [x])],
  SwiGLU: ([a, b], { alpha }) => [map((v, w) => v * sigmoid(alpha * v) * w, [a, b])],
  Gelu: ([x], { approximate }) => [map(approximate === 'tanh' ? (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))) : (v) => 0.5 * v * (1 + erf(v / Math.SQRT2)), [x])],
  Shrink: ([x], { bias, lambd }) => [map((v) => (v < -lambd ? v + bias : v > lambd ? v - bias : 0), [x])],
  /** With min above max, max wins. */
  Clip: ([x, min, max]) => [map((v) => Math.min(Math.max(v, min?.data[0] ?? -Infinity), max?.data[0] ?? Infinity), [x])],

  Identity: ([x]) => [x],
  Cast: ([x], { to }) => [cast(x, kindOf(to))],
  CastLike: ([x, like]) => [cast(x, like.type)],
  /** Outside training nothing is dropped. */
  Dropout: ([x, , training]) => {
    if (training?.data[0]) throw new Error('Dropout in training is random');
    return [x, array(x.shape, x.data.map(() => 1), 'bool')];
  },
  Where: ([condition, a, b]) => [map((c, x, y) => (c ? x : y), [condition, a, b], a.type)],

  Equal: binary((a, b) => Number(a === b), 'bool'),
  Greater: binary((a, b) => Number(a > b), 'bool'),
  GreaterOrEqual: binary((a, b) => Number(a >= b), 'bool'),
  Less: binary((a, b) => Number(a < b), 'bool'),
  LessOrEqual: binary((a, b) => Number(a <= b), 'bool'),
  And: binary((a, b) => a & b),
  Or: binary((a, b) => a | b),
  Xor: binary((a, b) => a ^ b),
  Not: unary((a) => 1 - a),
  IsNaN: unary((x) => Number(Number.isNaN(x)), 'bool'),
  IsInf: ([x], { detect_negative, detect_positive }) => [map((v) => Number((v === Infinity && detect_positive === 1) || (v === -Infinity && detect_negative === 1)), [x], 'bool')],
} satisfies EagerRows;

function kindOf(to: number): ElementKind {
  const type = dataTypeOf(to);
  return type === 'bool' ? 'bool' : /int/.test(type) ? 'int' : 'float';
}

/** Floats are of one type here, so that nothing is rounded between them. */
const cast = (x: Array64, type: ElementKind): Array64 => map(type === 'bool' ? (v) => Number(v !== 0) : type === 'int' ? Math.trunc : (v) => v, [x], type);
