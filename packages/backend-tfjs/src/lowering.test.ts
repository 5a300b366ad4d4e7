import { nativeBackend } from '@coppice/backend-onnx';
import { graphOf, lowerComposites, makeGraph, makeInitializer, makeModel, makeNode, makeValueInfo, toModernForm, type AttributeInput } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { composites } from '../../graph/src/lower-contrib.ts';

const runtime = nativeBackend();
const hasNative = await runtime.info().then(() => true, () => false);
const wave = (count: number): Float32Array => Float32Array.from({ length: count }, (_, k) => 2 * Math.sin(k * 12.9898 + 1));
const float = (value: number) => ({ float: value });

/** Operands by their shapes, and attributes that are not the defaults. */
const samples: Readonly<Record<string, { readonly inputs: readonly (readonly number[])[]; readonly attributes?: Readonly<Record<string, AttributeInput>>; readonly outputs?: number; readonly positive?: true }>> = {
  Gemm: { inputs: [[5, 3], [4, 5], [4]], attributes: { transA: 1, transB: 1, alpha: float(0.5), beta: float(2) } },
  Celu: { inputs: [[3, 4]], attributes: { alpha: float(1.5) } },
  Elu: { inputs: [[3, 4]], attributes: { alpha: float(0.6) } },
  Selu: { inputs: [[3, 4]], attributes: { alpha: float(1.2), gamma: float(2) } },
  HardSigmoid: { inputs: [[3, 4]], attributes: { alpha: float(0.4), beta: float(0.3) } },
  HardSwish: { inputs: [[3, 4]] },
  Mish: { inputs: [[3, 4]] },
  Softsign: { inputs: [[3, 4]] },
  ThresholdedRelu: { inputs: [[3, 4]], attributes: { alpha: float(0.7) } },
  Shrink: { inputs: [[3, 4]], attributes: { lambd: float(0.7), bias: float(0.2) } },
  Gelu: { inputs: [[3, 4]], attributes: { approximate: 'tanh' } },
  ReduceL1: { inputs: [[3, 4]], attributes: { keepdims: 0 } },
  ReduceL2: { inputs: [[3, 4]] },
  ReduceLogSum: { inputs: [[3, 4]], positive: true },
  ReduceSumSquare: { inputs: [[3, 4]], attributes: { keepdims: 0 } },
  LayerNormalization: { inputs: [[2, 3, 4], [3, 4], [3, 4]], attributes: { axis: 1, epsilon: float(0.01) }, outputs: 3 },
  InstanceNormalization: { inputs: [[2, 3, 4, 5], [3], [3]], attributes: { epsilon: float(0.01) } },
  GroupNormalization: { inputs: [[2, 6, 4, 5], [6], [6]], attributes: { num_groups: 3 } },
  MeanVarianceNormalization: { inputs: [[2, 3, 4, 5]], attributes: { axes: [0, 2] } },
  LpNormalization: { inputs: [[3, 4]], attributes: { p: 1, axis: 0 } },
  LRN: { inputs: [[2, 6, 3, 3]], attributes: { size: 5, alpha: float(0.2), beta: float(0.6), bias: float(1.3) } },
  'com.microsoft.Gelu': { inputs: [[3, 4]] },
  'com.microsoft.BiasGelu': { inputs: [[3, 4], [4]] },
  'com.microsoft.FastGelu': { inputs: [[3, 4], [4]] },
  'com.microsoft.QuickGelu': { inputs: [[3, 4]], attributes: { alpha: float(1.3) } },
  'com.microsoft.Trilu': { inputs: [[3, 4]], attributes: { upper: 0 } },
  SimplifiedLayerNormalization: { inputs: [[2, 3, 4], [4]], attributes: { axis: -1, epsilon: float(0.01) } },
  'com.microsoft.SkipLayerNormalization': { inputs: [[2, 3, 4], [2, 3, 4], [4], [4], [4]], attributes: { epsilon: float(0.01) } },
  'com.microsoft.SkipSimplifiedLayerNormalization': { inputs: [[2, 3, 4], [2, 3, 4], [4], [4]], attributes: { epsilon: float(0.01) } },
  'com.microsoft.FusedConv': { inputs: [[1, 2, 5, 6], [3, 2, 2, 2], [3]], attributes: { activation: 'LeakyRelu', activation_params: { float: [0.3] }, strides: [2, 1] } },
  'com.microsoft.FusedGemm': { inputs: [[5, 3], [3, 4], [4]], attributes: { activation: 'Relu', alpha: float(0.5) } },
};
/** Too new for the runtime, or the same in other words; the official node tests and the samples of backend-tfjs hold them. */
const elsewhere = new Set(['RMSNormalization', 'Swish']);

function modelOf(op: string) {
  const { inputs, attributes, outputs = 1 } = samples[op];
  const names = inputs.map((_, k) => `x${k}`);
  const results = Array.from({ length: outputs }, (_, k) => `y${k}`);
  const [domain, name] = op.startsWith('com.microsoft.') ? ['com.microsoft', op.slice('com.microsoft.'.length)] : [undefined, op];
  const model = makeModel({ opset: { '': 21, 'com.microsoft': 1 }, graph: {
    inputs: names.map((name, k) => makeValueInfo(name, 'float32', inputs[k])), outputs: results.map((name) => makeValueInfo(name, 'float32')),
    nodes: [makeNode({ op: name, domain, name: `the ${op}`, inputs: names, outputs: results, attributes })],
  } });
  const data = (dims: readonly number[]) => wave(dims.reduce((p, d) => p * d, 1));
  return { model, feeds: Object.fromEntries(names.map((name, k) => [name, { dtype: 'float32' as const, dims: inputs[k], data: samples[op].positive ? data(inputs[k]).map(Math.abs) : data(inputs[k]) }])) };
}

describe.skipIf(!hasNative)('lowerComposites computes the same with simpler operators:', () => {
  it.each(Object.keys(samples))('%s', async (op) => {
    const { model, feeds } = modelOf(op);
    const simple = lowerComposites(model);
    expect(graphOf(simple).node.map(({ domain, opType }) => (domain ? `${domain}.${opType}` : opType))).not.toContain(op);
    const [whole, lowered] = [await runtime.compile(model), await runtime.compile(simple)];
    const [want, have] = [await whole.run(feeds), await lowered.run(feeds)];
    for (const [name, { dims, data }] of Object.entries(want)) {
      expect(have[name].dims).toEqual(dims);
      (data as Float32Array).forEach((x, k) => expect(have[name].data[k]).toBeCloseTo(x, 4));
    }
    await Promise.all([whole.dispose(), lowered.dispose()]);
  });
});

it('has a sample of every rule', () => {
  expect(Object.keys(composites).filter((op) => !(op in samples) && !elsewhere.has(op))).toEqual([]);
});

it('leaves a model without composites as it is, and lowers those in bodies', () => {
  const plain = makeModel({ opset: 21, graph: { inputs: [makeValueInfo('x', 'float32', [2])], outputs: [makeValueInfo('y', 'float32')], nodes: [makeNode({ op: 'Exp', inputs: ['x'], outputs: ['y'] })] } });
  expect(lowerComposites(plain)).toBe(plain);
  const body = makeGraph({ inputs: [], outputs: [makeValueInfo('z', 'float32')], nodes: [makeNode({ op: 'HardSwish', inputs: ['x'], outputs: ['z'] })] });
  const nested = makeModel({ opset: 21, graph: {
    inputs: [makeValueInfo('x', 'float32', [2])], outputs: [makeValueInfo('y', 'float32')], initializers: [makeInitializer('c', 'bool', [], [true])],
    nodes: [makeNode({ op: 'If', inputs: ['c'], outputs: ['y'], attributes: { then_branch: body, else_branch: body } })],
  } });
  const branches = graphOf(lowerComposites(nested)).node[0].attribute.map(({ g }) => g!);
  for (const { node, output } of branches) expect([node.map(({ opType }) => opType).includes('HardSwish'), node.at(-1)!.output]).toEqual([false, output.map(({ name }) => name)]);
});

describe.skipIf(!hasNative)('toModernForm keeps what Softmax before opset 13 meant:', () => {
  it.each(['Softmax', 'LogSoftmax', 'Hardmax'])('%s over all axes from one on', async (op) => {
    const old = makeModel({ opset: 11, graph: { inputs: [makeValueInfo('x', 'float32', [2, 3, 4])], outputs: [makeValueInfo('y', 'float32', [2, 3, 4])], nodes: [makeNode({ op, inputs: ['x'], outputs: ['y'], attributes: { axis: 1 } })] } });
    const x = { dtype: 'float32' as const, dims: [2, 3, 4], data: wave(24) };
    const [before, after] = [await runtime.compile(old), await runtime.compile(toModernForm(old))];
    const [want, have] = [(await before.run({ x })).y, (await after.run({ x })).y];
    (want.data as Float32Array).forEach((value, k) => expect(have.data[k]).toBeCloseTo(value, 6));
    await Promise.all([before.dispose(), after.dispose()]);
  });
});
