import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom, type Random } from '@coppice/core';
import { dataTypes, type OperatorName } from '@coppice/graph';
import { array, build, checkGradient, uniform, type Array64, type GradientCase } from '@coppice/testkit';
import { describe, expect, it } from 'vitest';

const backend = wasmBackend();

/** Open intervals from which operands are drawn: inside each, an operator is smooth. */
type Intervals = readonly (readonly [number, number])[];

/** Numbers from intervals, some way from their ends. */
const drawn = (random: Random, shape: readonly number[], intervals: Intervals): Array64 =>
  build(shape, () => {
    const [low, high] = intervals[random.integer(intervals.length)];
    return Math.fround(low + 0.01 + (high - low - 0.02) * random.uniform());
  });

const smooth: Intervals = [[-2.5, 2.5]];
const offNought: Intervals = [[-2.5, -0.05], [0.05, 2.5]];
const positive: Intervals = [[0.2, 3]];
const inside: Intervals = [[-0.9, 0.9]];

interface UnaryCase { readonly op: OperatorName; readonly from: Intervals; readonly attributes?: GradientCase['attributes'] }

const unaries: readonly UnaryCase[] = [
  ...(['Identity', 'Neg', 'Exp', 'Erf', 'Sin', 'Cos', 'Atan', 'Sinh', 'Cosh', 'Tanh', 'Asinh', 'Sigmoid', 'Softplus', 'Mish', 'Gelu', 'Dropout'] as const).map((op) => ({ op, from: smooth })),
  ...(['Abs', 'Reciprocal', 'Relu', 'LeakyRelu', 'Elu', 'Selu', 'Celu', 'Softsign'] as const).map((op) => ({ op, from: offNought })),
  ...(['Sqrt', 'Log'] as const).map((op) => ({ op, from: positive })),
  ...(['Asin', 'Acos', 'Atanh'] as const).map((op) => ({ op, from: inside })),
  { op: 'Tan', from: [[-1.3, 1.3]] },
  { op: 'Acosh', from: [[1.1, 3]] },
  { op: 'LeakyRelu', from: offNought, attributes: { alpha: 0.3 } },
  { op: 'Elu', from: offNought, attributes: { alpha: 1.7 } },
  { op: 'Selu', from: offNought, attributes: { alpha: 1.25, gamma: 0.75 } },
  { op: 'Celu', from: offNought, attributes: { alpha: 2 } },
  { op: 'Gelu', from: smooth, attributes: { approximate: 'tanh' } },
  { op: 'ThresholdedRelu', from: [[-2, 1], [1, 3]] },
  { op: 'ThresholdedRelu', from: [[-2, -0.5], [-0.5, 3]], attributes: { alpha: -0.5 } },
  { op: 'HardSigmoid', from: [[-4, -2.5], [-2.5, 2.5], [2.5, 4]] },
  { op: 'HardSigmoid', from: [[-3, -1], [-1, 1], [1, 3]], attributes: { alpha: 0.5, beta: 0.5 } },
  { op: 'HardSwish', from: [[-4, -3], [-3, 3], [3, 4]] },
  { op: 'Shrink', from: [[-2, -0.5], [-0.5, 0.5], [0.5, 2]] },
  { op: 'Shrink', from: [[-2, -1], [-1, 1], [1, 2]], attributes: { lambd: 1, bias: 0.25 } },
  { op: 'Swish', from: smooth },
  { op: 'Swish', from: smooth, attributes: { alpha: 1.5 } },
  { op: 'Cast', from: smooth, attributes: { to: dataTypes.float32 } },
];

const shapeOf = (random: Random): number[] => Array.from({ length: random.integer(4) }, () => 1 + random.integer(4));

describe('the gradient of an operator with one operand', () => {
  it.each(unaries)('$op $attributes', async ({ op, from, attributes }) => {
    const random = createRandom(op);
    for (let k = 0; k < 20; k++) await checkGradient({ op, attributes, inputs: [drawn(random, shapeOf(random), from)] });
    await checkGradient({ op, attributes, inputs: [drawn(random, [2, 5], from)], again: [drawn(random, [3, 5], from)] }, backend);
  });
});

/** Shapes that broadcast, by a result and which of its axes an operand lacks or has with size one. */
function broadcasting(random: Random, result: readonly number[]): number[] {
  const kept = result.slice(random.integer(result.length + 1));
  return kept.map((size) => (random.integer(3) === 0 ? 1 : size));
}

/** So many operands whose sizes at axis 0 differ between two runs; the first one has all axes, unless it may be any. */
function operands(random: Random, from: readonly Intervals[], anyOrder = true): { readonly inputs: Array64[]; readonly again: Array64[] } {
  const result = Array.from({ length: 1 + random.integer(3) }, () => 2 + random.integer(2));
  const full = random.integer(from.length);
  const shapes = from.map((_, k) => (k === (anyOrder ? full : 0) ? result : broadcasting(random, result)));
  const grown = (shape: readonly number[]) => (shape.length === result.length && shape[0] === result[0] ? [result[0] + 2, ...shape.slice(1)] : shape);
  const at = (size: (shape: readonly number[]) => readonly number[]) => shapes.map((shape, k) => drawn(random, size(shape), from[k]));
  return { inputs: at((shape) => shape), again: at(grown) };
}

/** ONNX Runtime 1.30 does not take opset 28 yet. */
const several: readonly { readonly op: OperatorName; readonly from: readonly Intervals[]; readonly attributes?: GradientCase['attributes']; readonly oneWay?: true; readonly refusedByRuntime?: true }[] = [
  { op: 'Add', from: [smooth, smooth] },
  { op: 'Sub', from: [smooth, smooth] },
  { op: 'Mul', from: [smooth, smooth] },
  { op: 'Div', from: [smooth, offNought.map(([low, high]) => (low < 0 ? [low, -0.4] : [0.4, high]))] },
  { op: 'Pow', from: [positive, [[-2, 2.5]]] },
  { op: 'Sum', from: [smooth, smooth, smooth] },
  { op: 'Mean', from: [smooth, smooth, smooth] },
  { op: 'Sum', from: [smooth] },
  { op: 'Max', from: [[[-2, -1], [1, 2]], [[-1, 0], [2, 3]], [[0, 1], [3, 4]]] },
  { op: 'Min', from: [[[-2, -1], [1, 2]], [[-1, 0], [2, 3]], [[0, 1], [3, 4]]] },
  { op: 'Max', from: [smooth] },
  { op: 'PRelu', from: [offNought, smooth], oneWay: true },
  { op: 'Mod', from: [[[-2.9, -2.1], [3.1, 3.9]], [[0.95, 1.02]]], attributes: { fmod: 1 } },
  { op: 'SwiGLU', from: [smooth, smooth], attributes: { alpha: 0.75 }, refusedByRuntime: true },
];

describe('the gradient of an operator whose operands broadcast', () => {
  it.each(several)('$op of $from.length', async ({ op, from, attributes, oneWay, refusedByRuntime }) => {
    const random = createRandom(op);
    for (let k = 0; k < 40; k++) {
      const given = operands(random, from, !oneWay);
      await checkGradient({ op, attributes, ...(k % 2 === 0 ? given : { inputs: given.inputs }) }, k < 6 && !refusedByRuntime ? backend : undefined);
    }
  });

  it('Pow with a stated exponent, negative bases included', async () => {
    const random = createRandom('pow');
    for (const exponent of [2, 3, 1, 0, -1, -2, 4]) {
      await checkGradient({ op: 'Pow', inputs: [drawn(random, [2, 3], offNought), array([], [exponent])], again: [drawn(random, [4, 3], offNought), array([], [exponent])], wrt: [0] }, backend);
      await checkGradient({ op: 'Pow', inputs: [drawn(random, [2, 3], offNought), array([1, 3], [exponent, 2, 3])], wrt: [0] }, backend);
      await checkGradient({ op: 'Pow', inputs: [drawn(random, [2, 3], offNought), array([3], [exponent, 2, 3], 'int')], wrt: [0], fed: [1] }, backend);
    }
    await checkGradient({ op: 'Pow', inputs: [drawn(random, [2, 3], positive), array([], [0.5])], wrt: [0] }, backend);
  });

  it('Where, both branches, with a condition that broadcasts', async () => {
    const random = createRandom('where');
    const condition = (shape: readonly number[]) => build(shape, () => random.integer(2), 'bool');
    for (let k = 0; k < 20; k++) {
      const { inputs: [a, b, c], again: [d, e, f] } = operands(random, [smooth, smooth, smooth]);
      await checkGradient({ op: 'Where', inputs: [condition(c.shape), a, b], again: [condition(f.shape), d, e], fed: [0] }, k < 5 ? backend : undefined);
    }
  });

  it('Clip with two bounds, one, or none, also learnt ones and crossed ones', async () => {
    const random = createRandom('clip');
    const from: Intervals = [[-3, -1], [-1, 0.5], [0.5, 3]];
    const bound = (value: number | undefined) => (value === undefined ? undefined : array([], [value]));
    for (const [min, max] of [[-1, 0.5], [0.5, -1], [-1, undefined], [undefined, 0.5], [undefined, undefined]] as const) {
      const rest = [bound(min), bound(max)];
      for (let k = 0; k < 8; k++) {
        const x = drawn(random, [3, 4], from);
        const again = [drawn(random, [6, 4], from), ...rest];
        await checkGradient({ op: 'Clip', inputs: [x, ...rest], again }, k === 0 ? backend : undefined);
        await checkGradient({ op: 'Clip', inputs: [x, ...rest], again, wrt: [0] }, k === 0 ? backend : undefined);
      }
    }
  });

  it('CastLike to the type of another operand', async () => {
    const random = createRandom('cast');
    await checkGradient({ op: 'CastLike', inputs: [drawn(random, [2, 3], smooth), uniform(random, [1])], wrt: [0] }, backend);
  });

  it('several greatest operands get equal parts', async () => {
    // Where both are equal, central differences see the mean of the slopes on either side, which is one half.
    const x = array([2], [1, 2]);
    await checkGradient({ op: 'Max', inputs: [x, array([2], [1, 3])] });
    await checkGradient({ op: 'Min', inputs: [x, array([2], [1, 3])] });
  });
});

describe('operators that jump or stay', () => {
  const steps: readonly OperatorName[] = ['Sign', 'Floor', 'Ceil', 'Round'];
  it.each(steps)('%s has the gradient zero', async (op) => {
    const random = createRandom(op);
    await checkGradient({ op, inputs: [drawn(random, [3, 4], [[-1.5, -1], [-1, -0.5], [-0.5, 0], [0, 0.5], [0.5, 1]])] });
  });

  it('Dropout in training is refused with the way out', async () => {
    const x = array([2], [1, 2]);
    const given: GradientCase = { op: 'Dropout', inputs: [x, array([], [0.5]), array([], [1], 'bool')], wrt: [0], forward: ([data]) => [data!] };
    await expect(checkGradient(given)).rejects.toThrow('export the model for inference');
    await checkGradient({ ...given, inputs: [x, array([], [0.5]), array([], [0], 'bool')] }, backend);
  });
});
