import { createRandom, cutModel, findUnits, traceModel, verifyCut } from '@coppice/core';
import { float, makeGraph, makeInitializer, makeModel, makeNode, makeValueInfo, type DataType, type Model, type NodeProto, type TensorProto } from '@coppice/graph';
import { expect, it } from 'vitest';
import { nativeBackend, wasmBackend } from './index.ts';
import { spread } from './sample-models.ts';

const hasNative = await nativeBackend().info().then(() => true, () => false);
const backend = hasNative ? nativeBackend() : wasmBackend();

const weight = (name: string, ...dims: number[]): TensorProto => makeInitializer(name, 'float32', dims, spread(dims.reduce((p, n) => p * n, 1), 0.6));
const literal = (name: string, dtype: DataType, dims: readonly number[], values: readonly number[]): TensorProto => makeInitializer(name, dtype, dims, values);
const node = (op: string, inputs: readonly string[], output: string, attributes: Parameters<typeof makeNode>[0]['attributes'] = {}, domain = ''): NodeProto =>
  makeNode({ op, domain, name: output, inputs, outputs: [output], attributes });

interface Parts { readonly nodes: readonly NodeProto[]; readonly initializers: readonly TensorProto[]; readonly input?: readonly (number | string)[]; readonly dtype?: DataType; readonly opset?: number; readonly contrib?: boolean }

/** x[batch, time, 7] → y, or as stated. */
const modelOf = ({ nodes, initializers, input = ['batch', 'time', 7], dtype = 'float32', opset = 17, contrib = false }: Parts): Model => makeModel({
  opset: contrib ? { '': opset, 'com.microsoft': 1 } : opset,
  graph: { inputs: [makeValueInfo('x', dtype, input)], outputs: [makeValueInfo('y', 'float32')], initializers, nodes },
});

/** Cuts a third and then half of each group and compares with the masked original; returns the number of units of each group. */
async function proveAll(model: Model): Promise<number[]> {
  const units = findUnits(await traceModel(model, backend));
  const random = createRandom('families');
  for (const share of [0.3, 0.5]) {
    const removed = units.groups.flatMap(({ lanes }, group) => lanes.flatMap((lane) => random.shuffle(lane).slice(0, Math.floor(share * lane.length) + (group % 2))));
    const verdict = await verifyCut(units, removed, cutModel(units, removed), backend);
    expect(verdict.worst).toMatchObject({ finite: true });
    expect(verdict.worst.relative).toBeLessThan(verdict.worst.tolerance);
  }
  return units.groups.map(({ lanes }) => lanes.flat().length).toSorted((a, b) => a - b);
}

/** A hidden layer of 12, whatever `between` does with h, and a layer that reads z. */
const around = (between: readonly NodeProto[], initializers: readonly TensorProto[] = [], opset = 17): Model => modelOf({
  nodes: [node('MatMul', ['x', 'w1'], 'a'), node('Add', ['a', 'b1'], 'h'), ...between, node('MatMul', ['z', 'w2'], 'y')],
  initializers: [weight('w1', 7, 12), weight('b1', 12), weight('w2', 12, 5), ...initializers],
  opset,
});

it.each(['ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceLogSumExp'])('prunes channels that %s takes together', async (op) => {
  expect(await proveAll(around([node(op, ['h'], 'm', { axes: [2] }), node('Sub', ['h', 'm'], 'z')]))).toEqual([12]);
});

it('prunes channels that a softmax compares', async () => {
  expect(await proveAll(around([node('Softmax', ['h'], 's', { axis: -1 }), node('Mul', ['h', 's'], 'z')]))).toEqual([12]);
});

it('prunes channels whose deviation is taken with a count from the shape', async () => {
  const between = [
    node('ReduceMean', ['h'], 'm', { axes: [2] }), node('Sub', ['h', 'm'], 'c'), node('Mul', ['c', 'c'], 'q'), node('ReduceSum', ['q', 'last'], 'ss'),
    node('Shape', ['h'], 'shape'), node('Gather', ['shape', 'two'], 'n'), node('Cast', ['n'], 'count', { to: 1 }), node('Sub', ['count', 'one'], 'less'),
    node('Div', ['ss', 'less'], 'v'), node('Sqrt', ['v'], 'd'), node('Div', ['c', 'd'], 'z'),
  ];
  expect(await proveAll(around(between, [literal('last', 'int64', [1], [-1]), literal('two', 'int64', [], [2]), literal('one', 'float32', [], [1])]))).toEqual([12]);
});

it('counts no removed element in sums and maxima of truth values', async () => {
  const between = [
    node('Greater', ['h', 'zero'], 'g'), node('Not', ['g'], 'off'), node('Cast', ['off'], 'ones', { to: 7 }), node('ReduceSum', ['ones', 'last'], 'count'),
    node('Cast', ['off'], 'bits', { to: 6 }), node('ReduceMax', ['bits'], 'any', { axes: [-1] }),
    node('Cast', ['count'], 'c', { to: 1 }), node('Cast', ['any'], 'd', { to: 1 }), node('Add', ['h', 'c'], 'e'), node('Mul', ['e', 'd'], 'z'),
  ];
  expect(await proveAll(around(between, [literal('zero', 'float32', [], [0]), literal('last', 'int64', [1], [-1])]))).toEqual([12]);
});

it('keeps the units of layers apart that share the ones and zeros of their norms', async () => {
  const norm = (from: string, to: string) => node('LayerNormalization', [from, 'ones', 'zeros'], to, { axis: -1 });
  const model = modelOf({
    nodes: [node('MatMul', ['x', 'w1'], 'a'), norm('a', 'b'), node('Relu', ['b'], 'c'), node('MatMul', ['c', 'w2'], 'd'), norm('d', 'e'), node('Relu', ['e'], 'f'), node('MatMul', ['f', 'w3'], 'g'), norm('g', 'y')],
    initializers: [weight('w1', 7, 12), weight('w2', 12, 12), weight('w3', 12, 12), literal('ones', 'float32', [12], Array.from({ length: 12 }, () => 1)), literal('zeros', 'float32', [12], Array.from({ length: 12 }, () => 0))],
  });
  expect(await proveAll(model)).toEqual([12, 12]);
});

it('hands equal elements out of a branch in the width of the other branch', async () => {
  const then = makeGraph({ name: 'then', inputs: [], outputs: [makeValueInfo('t', 'float32')], nodes: [node('Relu', ['h'], 't')] });
  const otherwise = makeGraph({ name: 'else', inputs: [], outputs: [makeValueInfo('o', 'float32')], nodes: [node('Shape', ['h'], 'shape'), node('ConstantOfShape', ['shape'], 'o')] });
  const between = [
    node('ReduceMean', ['x'], 'mean', { keepdims: 0 }), node('Greater', ['mean', 'zero'], 'up'),
    makeNode({ op: 'If', name: 'choice', inputs: ['up'], outputs: ['z'], attributes: { then_branch: then, else_branch: otherwise } }),
  ];
  expect(await proveAll(around(between, [literal('zero', 'float32', [], [0])]))).toEqual([12]);
});

it('makes zeros in the width of who reads them, whatever shape they are taken from', async () => {
  const model = modelOf({
    nodes: [
      node('MatMul', ['x', 'w1'], 'a'), node('MatMul', ['x', 'w2'], 'b'), node('Shape', ['a'], 'shape'), node('Expand', ['zero', 'shape'], 'zeros'), node('Add', ['b', 'zeros'], 'c'),
      node('MatMul', ['a', 'w3'], 'd'), node('MatMul', ['c', 'w4'], 'e'), node('Add', ['d', 'e'], 'y'),
    ],
    initializers: [weight('w1', 7, 12), weight('w2', 7, 12), weight('w3', 12, 5), weight('w4', 12, 5), literal('zero', 'float32', [], [0])],
  });
  expect(await proveAll(model)).toEqual([12, 12]);
});

it('leaves the sizes of a Resize live except those of pruned channels', async () => {
  const model = modelOf({
    input: ['batch', 1, 'height', 'width'],
    nodes: [
      node('Conv', ['x', 'k1'], 'a', { pads: [1, 1, 1, 1] }), node('Relu', ['a'], 'h'), node('Conv', ['h', 'k2'], 'b', { strides: [2, 2] }),
      node('Shape', ['h'], 'whole'), node('Slice', ['whole', 'two', 'four'], 'space'), node('Shape', ['b'], 'small'), node('Slice', ['small', 'none', 'two'], 'front'),
      makeNode({ op: 'Concat', name: 'sizes', inputs: ['front', 'space'], outputs: ['sizes'], attributes: { axis: 0 } }),
      node('Resize', ['b', '', '', 'sizes'], 'up', { mode: 'nearest' }), node('Concat', ['up', 'h'], 'c', { axis: 1 }), node('Conv', ['c', 'k3'], 'y'),
    ],
    initializers: [weight('k1', 6, 1, 3, 3), weight('k2', 8, 6, 1, 1), weight('k3', 3, 14, 1, 1), literal('none', 'int64', [1], [0]), literal('two', 'int64', [1], [2]), literal('four', 'int64', [1], [4])],
  });
  expect(await proveAll(model)).toEqual([6, 8]);
});

it('prunes a head width whose square root is computed from the shape of a weight', async () => {
  const between = [node('Shape', ['bias'], 'shape'), node('Cast', ['shape'], 'n', { to: 1 }), node('Sqrt', ['n'], 'd'), node('Add', ['h', 'bias'], 'k'), node('Div', ['k', 'd'], 'z')];
  expect(await proveAll(around(between, [weight('bias', 12)]))).toEqual([12]);
});

it('masks in files from before Where', async () => {
  expect(await proveAll(around([node('Relu', ['h'], 'z')], [], 8))).toEqual([12]);
});

it('keeps the bias of a fused norm out of its statistics', async () => {
  const model = modelOf({
    contrib: true,
    nodes: [
      node('MatMul', ['x', 'w1'], 'a'), node('MatMul', ['x', 'w2'], 'b'),
      makeNode({ op: 'SkipLayerNormalization', domain: 'com.microsoft', name: 'norm', inputs: ['a', 'b', 'gain', 'offset', 'bias'], outputs: ['n'], attributes: {} }),
      node('MatMul', ['n', 'w3'], 'y'),
    ],
    initializers: [weight('w1', 7, 12), weight('w2', 7, 12), weight('gain', 12), weight('offset', 12), weight('bias', 12), weight('w3', 12, 5)],
  });
  expect(await proveAll(model)).toEqual([12]);
});

const bytes = (name: string, ...dims: number[]) => makeInitializer(name, 'uint8', dims, Array.from(spread(dims.reduce((p, n) => p * n, 1), 60), (v) => Math.round(v) + 120));
const scale = (name: string, value: number) => literal(name, 'float32', [], [value]);
const zeroPoint = (name: string, value: number) => literal(name, 'uint8', [], [value]);

it('takes the zero point for the zero of quantised operators', async () => {
  const model = modelOf({
    contrib: true,
    input: ['batch', 3, 'time'],
    nodes: [
      node('QuantizeLinear', ['x', 's', 'p'], 'q'), node('QLinearConv', ['q', 's', 'p', 'k1', 's', 'p', 's2', 'p2'], 'a'),
      makeNode({ op: 'QLinearSigmoid', domain: 'com.microsoft', name: 'gate', inputs: ['a', 's2', 'p2', 's3', 'p3'], outputs: ['g'] }),
      makeNode({ op: 'QLinearConcat', domain: 'com.microsoft', name: 'both', inputs: ['s2', 'p2', 'a', 's2', 'p2', 'g', 's3', 'p3'], outputs: ['c'], attributes: { axis: 1 } }),
      node('QLinearConv', ['c', 's2', 'p2', 'k2', 's', 'p', 's2', 'p2'], 'o'), node('DequantizeLinear', ['o', 's2', 'p2'], 'y'),
    ],
    initializers: [bytes('k1', 8, 3, 1), bytes('k2', 4, 16, 1), scale('s', 0.02), zeroPoint('p', 120), scale('s2', 0.05), zeroPoint('p2', 130), scale('s3', 1 / 256), zeroPoint('p3', 3)],
  });
  expect(await proveAll(model)).toEqual([8]);
});

it('takes the zero point of its reader for the zero of a row of a quantised table', async () => {
  const model = modelOf({
    input: ['batch', 'time'], dtype: 'int64',
    nodes: [
      node('Gather', ['table', 'x'], 'row'), node('MatMulInteger', ['row', 'w', 'p', 'p2'], 'sum'), node('Cast', ['sum'], 'f', { to: 1 }),
      node('DequantizeLinear', ['row', 's', 'p'], 'e'), node('MatMul', ['e', 'v'], 'g'), node('Add', ['f', 'g'], 'y'),
    ],
    initializers: [bytes('table', 20, 12), bytes('w', 12, 5), zeroPoint('p', 117), zeroPoint('p2', 120), scale('s', 0.02), weight('v', 12, 5)],
  });
  expect(await proveAll(model)).toEqual([12]);
});

it.each([['LSTM', 4, 2], ['GRU', 3, 1], ['RNN', 1, 1]] as const)('prunes each direction of a %s whose batch axis comes first', async (op, gates, states) => {
  const names = ['h0', 'c0'].slice(0, states);
  const recurrent = makeNode({
    op, name: 'r', inputs: ['x', 'W', 'R', 'B', '', ...names], outputs: ['r', ...['rh', 'rc'].slice(0, states)],
    attributes: { hidden_size: 9, direction: 'bidirectional', layout: 1 },
  });
  const model = modelOf({
    input: [2, 'time', 7],
    nodes: [
      recurrent,
      node('Reshape', ['r', 'merged'], 'frames'), node('MatMul', ['frames', 'w2'], 'a'),
      node('Reshape', ['rh', 'flat'], 'last'), node('MatMul', ['last', 'w3'], 'l'), node('Unsqueeze', ['l', 'one'], 'u'), node('Add', ['a', 'u'], 'y'),
    ],
    initializers: [
      weight('W', 2, gates * 9, 7), weight('R', 2, gates * 9, 9), weight('B', 2, 2 * gates * 9), ...names.map((name) => weight(name, 2, 2, 9)),
      weight('w2', 18, 5), weight('w3', 18, 5), literal('merged', 'int64', [3], [0, 0, -1]), literal('flat', 'int64', [2], [0, -1]), literal('one', 'int64', [1], [1]),
    ],
  });
  expect(await proveAll(model)).toEqual([18]);
});

it('keeps the gains of a norm in the order of its channels when the graph joins them from single numbers', async () => {
  const numbers = Array.from({ length: 4 }, (_, k) => literal(`g${k}`, 'float32', [1], [1.5 - k / 3]));
  const model = modelOf({
    nodes: [
      node('MatMul', ['x', 'w1'], 'h'), makeNode({ op: 'Concat', name: 'gain', inputs: ['g0', 'g1', 'g2', 'g3'], outputs: ['gain'], attributes: { axis: 0 } }),
      node('LayerNormalization', ['h', 'gain', 'b'], 'z', { axis: -1 }), node('MatMul', ['z', 'w2'], 'y'),
    ],
    initializers: [weight('w1', 7, 4), ...numbers, weight('b', 4), weight('w2', 4, 5)],
  });
  expect(await proveAll(model)).toEqual([4]);
});

it('cuts a list of numbers that a Constant node holds', async () => {
  const bias = makeNode({ op: 'Constant', name: 'bias', inputs: [], outputs: ['bias'], attributes: { value_floats: float(Array.from({ length: 12 }, (_, k) => k / 7 - 0.6)) } });
  expect(await proveAll(around([bias, node('Add', ['h', 'bias'], 'z')]))).toEqual([12]);
});
