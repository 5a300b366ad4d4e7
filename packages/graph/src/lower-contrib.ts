import type { ContribAttributes, ContribOperatorName } from './contrib-operators.ts';
import { rules, standardised, type CompositeRule } from './lower-rules.ts';
import type { Lowering } from './lower-emit.ts';

type Rules = { readonly [N in ContribOperatorName]?: CompositeRule<ContribAttributes<N>> };

/** x·½·(1 + tanh(√(2/π)·(x + 0.044715·x³))). */
const tanhGelu = (emit: Lowering, x: string): string => emit.op('Gelu', [x], { approximate: 'tanh' });

/** What ONNX Runtime's optimiser puts behind a product; undefined for what has no simple form. */
function activated(emit: Lowering, x: string, activation: string | undefined, [first, second]: readonly (number | undefined)[]): string | undefined {
  switch (activation) {
    case undefined: case '': return x;
    case 'Relu': case 'Sigmoid': case 'Tanh': return emit.op(activation, [x]);
    case 'LeakyRelu': return emit.op('LeakyRelu', [x], { alpha: { float: first ?? 0.01 } });
    case 'HardSigmoid': return emit.op('HardSigmoid', [x], { alpha: { float: first ?? 0.2 }, beta: { float: second ?? 0.5 } });
    case 'Clip': return emit.op('Clip', [x, emit.like(first ?? -3.4e38, x), emit.like(second ?? 3.4e38, x)]);
    default: return undefined;
  }
}

/** input + skip + bias. */
const summed = (emit: Lowering, [x, skip, bias]: readonly string[]): string => {
  const sum = emit.op('Add', [x, skip]);
  return bias ? emit.op('Add', [sum, bias]) : sum;
};

/** ONNX Runtime's own operators that are some standard ones at once. */
export const contribRules = {
  Gelu: ({ inputs: [x], emit }) => [emit.op('Gelu', [x])],
  BiasGelu: ({ inputs: [a, b], emit }) => [emit.op('Gelu', [emit.op('Add', [a, b])])],
  FastGelu: ({ inputs: [x, bias = ''], emit }) => [tanhGelu(emit, bias === '' ? x : emit.op('Add', [x, bias]))],
  QuickGelu: ({ inputs: [x], attributes: { alpha }, emit }) => [emit.op('Mul', [x, emit.op('Sigmoid', [emit.op('Mul', [x, emit.like(alpha, x)])])])],
  Trilu: ({ inputs, attributes: { upper }, emit }) => [emit.op('Trilu', inputs, { upper })],
  SimplifiedLayerNormalization({ inputs: [x, scale], attributes: { axis, epsilon }, emit }) {
    if (axis !== -1) return undefined;
    const squares = emit.op('ReduceMean', [emit.op('Mul', [x, x]), emit.ints(-1)], { keepdims: 1 });
    const inverse = emit.op('Reciprocal', [emit.op('Sqrt', [emit.op('Add', [squares, emit.like(epsilon, x)])])]);
    return [emit.op('Mul', [emit.op('Mul', [x, inverse]), scale]), inverse];
  },
  SkipLayerNormalization({ inputs: [x, skip, gamma, beta = '', bias = ''], attributes: { epsilon }, emit }) {
    const sum = summed(emit, [x, skip, bias]);
    const { centred, mean, inverse } = standardised(emit, sum, emit.ints(-1), epsilon);
    const scaled = emit.op('Mul', [emit.op('Mul', [centred, inverse]), gamma]);
    return [beta === '' ? scaled : emit.op('Add', [scaled, beta]), mean, inverse, sum];
  },
  SkipSimplifiedLayerNormalization({ inputs: [x, skip, gamma, bias = ''], attributes: { epsilon }, emit }) {
    const sum = summed(emit, [x, skip, bias]);
    const squares = emit.op('ReduceMean', [emit.op('Mul', [sum, sum]), emit.ints(-1)], { keepdims: 1 });
    const inverse = emit.op('Reciprocal', [emit.op('Sqrt', [emit.op('Add', [squares, emit.like(epsilon, x)])])]);
    return [emit.op('Mul', [emit.op('Mul', [sum, inverse]), gamma]), undefined, inverse, sum];
  },
  FusedConv({ inputs: [x, w, b = '', z = ''], attributes: { activation, activation_params, auto_pad, dilations, group, kernel_shape, pads, strides }, emit }) {
    const y = emit.op('Conv', b === '' ? [x, w] : [x, w, b], { auto_pad, dilations, group, kernel_shape, pads, strides });
    const result = activated(emit, z === '' ? y : emit.op('Add', [y, z]), activation, activation_params ?? []);
    return result === undefined ? undefined : [result];
  },
  FusedGemm({ inputs, attributes: { activation, activation_alpha, activation_beta, alpha, beta, transA, transB }, emit }) {
    const y = emit.op('Gemm', inputs, { alpha: { float: alpha }, beta: { float: beta }, transA, transB });
    const result = activated(emit, y, activation, [activation_alpha, activation_beta]);
    return result === undefined ? undefined : [result];
  },
} satisfies Rules;

/** All rules by operator, with the domain in front for those that are not in ONNX's own. */
export const composites: Readonly<Record<string, CompositeRule<never>>> = {
  ...rules,
  ...Object.fromEntries(Object.entries(contribRules).map(([op, rule]) => [op === 'SimplifiedLayerNormalization' ? op : `com.microsoft.${op}`, rule as CompositeRule<never>])),
};
