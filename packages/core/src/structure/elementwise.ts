import { broadcastAxes, explain, legacyOf, notation, unevenBroadcast } from './node-view.ts';
import type { ContribRows, StandardRows } from './rows.ts';
import { letters, type NodeView, type Signature } from './signature.ts';

/**
 * Every element of the result depends on the aligned elements of the operands and on nothing else. Axes align at the right; an axis of one
 * ties nothing where the result is wider. Before opset 7 the second operand could begin at any axis of the first.
 */
export const elementwiseRule = (node: NodeView): Signature => {
  const result = letters(node.outputs.find((o) => o)!.length);
  const { alignAt } = legacyOf(node);
  const axes = notation(
    node,
    node.inputs.map((_, k) => broadcastAxes(node, result, k, undefined, k === 1 ? alignAt : undefined)),
    node.outputs.map(() => result.join(' ')),
  );
  return { axes, because: explain(axes, { V: unevenBroadcast }) };
};

/** Elementwise in the first operand; of the others only a type or a rate is read, so their axes are theirs alone. */
const firstOperandRule = (node: NodeView): Signature => {
  const result = letters(node.inputs[0]!.length).join(' ');
  const unread = node.inputs.slice(1).map((shape, k) => shape && letters(shape.length, `u${k}_`).join(' '));
  return { axes: notation(node, [result, ...unread], node.outputs.map(() => result)) };
};

export const elementwise = {
  Abs: elementwiseRule,
  Acos: elementwiseRule,
  Acosh: elementwiseRule,
  Add: elementwiseRule,
  And: elementwiseRule,
  Asin: elementwiseRule,
  Asinh: elementwiseRule,
  Atan: elementwiseRule,
  Atanh: elementwiseRule,
  /** Draws one number for each element. */
  Bernoulli: elementwiseRule,
  BitCast: elementwiseRule,
  BitShift: elementwiseRule,
  BitwiseAnd: elementwiseRule,
  BitwiseNot: elementwiseRule,
  BitwiseOr: elementwiseRule,
  BitwiseXor: elementwiseRule,
  Cast: elementwiseRule,
  CastLike: firstOperandRule,
  Ceil: elementwiseRule,
  Celu: elementwiseRule,
  Clip: elementwiseRule,
  Cos: elementwiseRule,
  Cosh: elementwiseRule,
  Div: elementwiseRule,
  /** The mask has the axes of the data. */
  Dropout: firstOperandRule,
  Elu: elementwiseRule,
  Equal: elementwiseRule,
  Erf: elementwiseRule,
  Exp: elementwiseRule,
  Floor: elementwiseRule,
  Gelu: elementwiseRule,
  Greater: elementwiseRule,
  GreaterOrEqual: elementwiseRule,
  HardSigmoid: elementwiseRule,
  HardSwish: elementwiseRule,
  Identity: elementwiseRule,
  IsInf: elementwiseRule,
  IsNaN: elementwiseRule,
  LeakyRelu: elementwiseRule,
  Less: elementwiseRule,
  LessOrEqual: elementwiseRule,
  Log: elementwiseRule,
  Max: elementwiseRule,
  Mean: elementwiseRule,
  Min: elementwiseRule,
  Mish: elementwiseRule,
  Mod: elementwiseRule,
  Mul: elementwiseRule,
  Neg: elementwiseRule,
  Not: elementwiseRule,
  Or: elementwiseRule,
  PRelu: elementwiseRule,
  Pow: elementwiseRule,
  /** The operand gives the shape only, which is why both shrink together. */
  RandomNormalLike: elementwiseRule,
  RandomUniformLike: elementwiseRule,
  Reciprocal: elementwiseRule,
  Relu: elementwiseRule,
  Round: elementwiseRule,
  Selu: elementwiseRule,
  Shrink: elementwiseRule,
  Sigmoid: elementwiseRule,
  Sign: elementwiseRule,
  Sin: elementwiseRule,
  Sinh: elementwiseRule,
  Softplus: elementwiseRule,
  Softsign: elementwiseRule,
  Sqrt: elementwiseRule,
  Sub: elementwiseRule,
  Sum: elementwiseRule,
  SwiGLU: elementwiseRule,
  Swish: elementwiseRule,
  Tan: elementwiseRule,
  Tanh: elementwiseRule,
  ThresholdedRelu: elementwiseRule,
  Where: elementwiseRule,
  Xor: elementwiseRule,
} satisfies StandardRows;

export const contribElementwise = {
  BiasGelu: elementwiseRule,
  FastGelu: elementwiseRule,
  Gelu: elementwiseRule,
  QuickGelu: elementwiseRule,
} satisfies ContribRows;
