import { attributeNumber, four, inBits, lookup, numbers, quantised, refuse, result, sizeOf, stridesOf, target, type Lowered, type QuantisedValue, type Row, type Value } from './lowering.ts';

/** Sizes of a result whose operands are repeated along axes where they have one element. ONNX, "Broadcasting". */
export function broadcast(a: readonly number[], b: readonly number[]): readonly number[] {
  const rank = Math.max(a.length, b.length);
  const at = (dims: readonly number[], k: number): number => dims[k - rank + dims.length] ?? 1;
  return Array.from({ length: rank }, (_, k) => {
    const [left, right] = [at(a, k), at(b, k)];
    return left === right || right === 1 ? left : left === 1 ? right : refuse(`has operands of sizes ${a.join(' × ')} and ${b.join(' × ')}, which do not go together`);
  });
}

/** Strides over four axes, 0 where an operand is repeated. */
const repeated = (dims: readonly number[], rank: number): readonly number[] => {
  const strides = stridesOf(dims).map((stride, axis) => (dims[axis] === 1 ? 0 : stride));
  return four([...Array<number>(rank - dims.length).fill(0), ...strides], 0);
};

/** An operand in the arena or in flash. */
interface Operand extends Pick<QuantisedValue, 'dims' | 'scale'> {
  readonly from: number | Int8Array;
}

function operand(node: Lowered, k: number): Operand {
  const value = node.inputs[k];
  if (value?.kind !== 'weight') return { ...quantised(node, k), from: quantised(node, k).buffer };
  if (!(value.q instanceof Int8Array) || value.scales.length !== 1) return refuse(`has a constant operand ${k + 1} that is not in int8 with one scale`);
  return { dims: value.dims, scale: { scale: value.scales[0], zero: 0 }, from: value.q };
}

/** The one number of a constant operand. */
function single(value: Value | undefined): number | undefined {
  if (value?.kind === 'constant' && value.data.length === 1) return value.data[0];
  return value?.kind === 'weight' && value.q.length === 1 ? value.q[0] * value.scales[0] : undefined;
}

const binary = (kernel: 'add' | 'multiply', f: (a: number, b: number) => number, sign = 1): Row => (node) => {
  const to = target(node);
  const [left, right] = [single(node.inputs[0]), single(node.inputs[1])];
  if (left !== undefined || right !== undefined) {
    const x = quantised(node, left === undefined ? 0 : 1);
    const dims = broadcast(x.dims, node.inputs[left === undefined ? 1 : 0]!.dims);
    return [lookup(node, x, left === undefined ? (value) => f(value, Math.fround(right!)) : (value) => f(Math.fround(left), value), to, dims)];
  }
  const [a, b] = [operand(node, 0), operand(node, 1)];
  const dims = broadcast(a.dims, b.dims);
  const buffer = node.buffer('int8', sizeOf(dims));
  node.call(kernel, {
    extent: four(dims, 1), a_stride: repeated(a.dims, dims.length), b_stride: repeated(b.dims, dims.length), a_zero: a.scale.zero, b_zero: b.scale.zero,
    out_zero: to.zero, out_least: to.least, out_most: to.most, a_scale: a.scale.scale, b_scale: sign * b.scale.scale, out_scale: to.scale,
  }, [a.from, b.from], buffer);
  return [result(dims, buffer, to)];
};

/** A constant divisor only: then it is a table. */
const divide: Row = (node) => {
  const divisor = single(node.inputs[1]);
  if (divisor === undefined) return refuse('divides by more than one constant number');
  return [lookup(node, quantised(node), (x) => x / divisor, target(node))];
};

/** max and min of a tensor and a constant. */
const limited = (f: (a: number, b: number) => number): Row => (node) => {
  const bound = node.inputs.map(single).find((value) => value !== undefined);
  if (node.inputs.length !== 2 || bound === undefined) return refuse('compares tensors, and there is a table for a tensor and one constant number only');
  return [lookup(node, quantised(node, node.inputs[0]?.kind === 'tensor' ? 0 : 1), (x) => f(x, bound), target(node))];
};

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => (x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x)));
/** Abramowitz & Stegun 1964, 7.1.26: right to 1.5e-7, far below a step of 8 bits. */
const erf = (x: number): number => {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * Math.exp(-x * x);
  return Math.sign(x) * (1 - tail);
};
const hardSigmoid = (x: number, alpha: number, beta: number): number => Math.max(0, Math.min(1, alpha * x + beta));

/** A function of one number: 256 values computed at the export. */
const unary = (f: (x: number, of: (name: string, otherwise: number) => number) => number): Row => (node) =>
  [lookup(node, quantised(node), (x) => f(x, (name, otherwise) => attributeNumber(node, name, otherwise)), target(node))];

const clip: Row = (node) => {
  const [low = -Infinity, high = Infinity] = [numbers(node, 1)?.[0], numbers(node, 2)?.[0]];
  return [lookup(node, quantised(node), (x) => Math.min(high, Math.max(low, x)), target(node))];
};

/** Slopes of one number only. */
const pRelu: Row = (node) => {
  const slope = single(node.inputs[1]);
  if (slope === undefined) return refuse('has a slope for each channel, and tables are for whole tensors');
  return [lookup(node, quantised(node), (x) => (x < 0 ? slope * x : x), target(node))];
};

export const elementwise = {
  Add: binary('add', (a, b) => a + b), Sub: binary('add', (a, b) => a - b, -1), Mul: binary('multiply', (a, b) => a * b), Div: divide, Max: limited(Math.max), Min: limited(Math.min),
  Relu: unary((x) => Math.max(0, x)), Clip: clip, LeakyRelu: unary((x, of) => (x < 0 ? of('alpha', 0.01) * x : x)), PRelu: pRelu,
  Sigmoid: unary(sigmoid), HardSigmoid: unary((x, of) => hardSigmoid(x, of('alpha', 0.2), of('beta', 0.5))), HardSwish: unary((x) => x * hardSigmoid(x, 1 / 6, 0.5)),
  Swish: unary((x, of) => x * sigmoid(of('alpha', 1) * x)), Tanh: unary(Math.tanh), Softplus: unary(softplus), Softsign: unary((x) => x / (1 + Math.abs(x))), Mish: unary((x) => x * Math.tanh(softplus(x))),
  Elu: unary((x, of) => (x < 0 ? of('alpha', 1) * Math.expm1(x) : x)), Selu: unary((x, of) => of('gamma', 1.0507009873554805) * (x > 0 ? x : of('alpha', 1.6732632423543772) * Math.expm1(x))), Celu: unary((x, of) => Math.max(0, x) + Math.min(0, of('alpha', 1) * Math.expm1(x / of('alpha', 1)))),
  Erf: unary(erf), Abs: unary(Math.abs), Neg: unary((x) => -x), Exp: unary(Math.exp), Sqrt: unary((x) => Math.sqrt(Math.max(0, x))), ThresholdedRelu: unary((x, of) => (x > of('alpha', 1) ? x : 0)),
} as const satisfies Readonly<Record<string, Row>>;

/** The ends of the range that a ReLU or a Clip leaves, for an operator that it is joined with; undefined for others. */
export function clampOf(op: string, bounds: readonly (number | undefined)[], scale: { readonly scale: number; readonly zero: number }): { readonly least: number; readonly most: number } | undefined {
  if (op === 'Relu') return { least: inBits(0, scale), most: 127 };
  if (op !== 'Clip') return undefined;
  return { least: bounds[0] === undefined ? -128 : inBits(bounds[0], scale), most: bounds[1] === undefined ? 127 : inBits(bounds[1], scale) };
}
