import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { nativeBackend } from '@coppice/backend-onnx';
import { createRandom, gradientName, traceModel, type Backend, type Loss, type NamedTensors, type Random, type Trace } from '@coppice/core';
import { dataTypes, graphOf, makeModel, makeNode, makeValueInfo, readTensor, upgradeModel, withFields, type Model, type Tensor } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { describe, expect, it } from 'vitest';
import { differentiate } from './differentiate.ts';

const backend = nativeBackend();
const hasNative = await backend.info().then(() => true, () => false);
// Beside the repository where the project's shared material is present; skipped, visibly, elsewhere.
const shared = new URL('../../../../shared/', import.meta.url);
const files = ['zoo/', 'models/'].flatMap((folder) => (existsSync(new URL(folder, shared)) ? readdirSync(new URL(folder, shared)).filter((file) => file.endsWith('.onnx')).map((file) => folder + file) : []));

type Executable = Awaited<ReturnType<Backend['compile']>>;

/** Σ r·y over all float outputs, for r that are fed. */
function dotLoss(outputs: readonly string[]): Loss {
  const terms = outputs.flatMap((y) => [
    makeNode({ op: 'Mul', inputs: [y, `r:${y}`], outputs: [`p:${y}`] }),
    makeNode({ op: 'ReduceSum', inputs: [`p:${y}`], outputs: [`s:${y}`], attributes: { keepdims: 0 } }),
    makeNode({ op: 'Identity', inputs: [`r:${y}`], outputs: [gradientName(y)] }),
  ]);
  const graph = makeModel({ opset: 21, graph: {
    inputs: outputs.flatMap((y) => [makeValueInfo(y, 'float32'), makeValueInfo(`r:${y}`, 'float32')]),
    outputs: [makeValueInfo('loss', 'float32', []), ...outputs.map((y) => makeValueInfo(gradientName(y), 'float32'))],
    nodes: [...terms, makeNode({ op: 'Sum', inputs: outputs.map((y) => `s:${y}`), outputs: ['loss'] })],
  } });
  return { name: 'dot', reads: outputs, labels: outputs.map((y) => `r:${y}`), graph };
}

/** All float32 initializers of more than one element but the running statistics of batch norms. */
function weightsOf({ program }: Trace): string[] {
  const statistics = new Set(program.steps.filter(({ node }) => node.op === 'BatchNormalization').flatMap(({ inputs }) => inputs.slice(3).map((id) => program.values[id].name)));
  return graphOf(program.model).initializer.filter(({ name, dataType, dims }) => dataType === dataTypes.float32 && dims.some((size) => size > 1n) && !statistics.has(name)).map(({ name }) => name);
}

/** The same model with some initializers as inputs, so that other numbers can be fed. */
function withInputs(model: Model, names: ReadonlySet<string>): Model {
  const graph = graphOf(model);
  const moved = graph.initializer.filter(({ name }) => names.has(name));
  return { ...model, proto: withFields(model.proto, { graph: withFields(graph, {
    initializer: graph.initializer.filter(({ name }) => !names.has(name)),
    input: [...graph.input.filter(({ name }) => !names.has(name)), ...moved.map(({ name, dims }) => makeValueInfo(name, 'float32', dims.map(Number)))],
  }) }) };
}

const normals = (random: Random, { dims, data }: Tensor): Tensor => ({ dtype: 'float32', dims, data: Float32Array.from({ length: data.length }, () => random.normal()) });
const numbers = (tensor: Tensor): Float32Array => tensor.data as Float32Array;
function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}
const length = (a: Float32Array): number => Math.sqrt(dot(a, a));

/** How far weights move to both sides, relative to their size; at how many places in between the gradient is taken; and how near it must come. */
interface Path { readonly step: number; readonly places: number; readonly tolerance: number }
const smooth: Path = { step: 3e-3, places: 4, tolerance: 1e-3 };
const bent: Path = { step: 5e-4, places: 12, tolerance: 1e-2 };

/** A model whose weights are fed, and what else it is fed. */
interface Fed { readonly forward: Executable; readonly both: Executable; readonly inputs: NamedTensors; readonly labels: NamedTensors; readonly outputs: ReadonlyMap<string, string> }

/** Weights moved along a direction. */
const movedBy = (weights: NamedTensors, direction: ReadonlyMap<string, Float32Array>, step: number): NamedTensors =>
  Object.fromEntries(Object.entries(weights).map(([name, tensor]) => [name, { ...tensor, data: numbers(tensor).map((x, k) => x + step * (direction.get(name)?.[k] ?? 0)) }]));

async function lossAt({ forward, inputs, labels }: Fed, weights: NamedTensors): Promise<number> {
  const results = await forward.run({ ...inputs, ...weights });
  return Object.entries(labels).reduce((sum, [label, r]) => sum + dot(numbers(r), numbers(results[label.slice(2)])), 0);
}

async function gradientsAt({ both, inputs, labels, outputs }: Fed, weights: NamedTensors): Promise<Map<string, Float32Array>> {
  const results = await both.run({ ...inputs, ...weights, ...labels }, [...outputs.values()]);
  return new Map([...outputs].map(([name, output]) => [name, numbers(results[output])]));
}

/** A random direction in which each parameter changes the loss about as much as any other, so that none hides behind another. */
function directionFor(random: Random, weights: NamedTensors, gradients: ReadonlyMap<string, Float32Array>): Map<string, Float32Array> {
  const names = [...gradients.keys()].filter((name) => length(gradients.get(name)!) > 0);
  const size = (name: string) => length(numbers(weights[name])) / Math.sqrt(weights[name].data.length) || 0.1;
  const effects = names.map((name) => 1 / (length(gradients.get(name)!) * size(name))).toSorted((a, b) => a - b);
  const usual = effects[Math.floor(effects.length / 2)];
  return new Map(names.map((name) => {
    const scale = Math.min(1 / (length(gradients.get(name)!) * usual), size(name));
    return [name, numbers(normals(random, weights[name])).map((x) => x * scale)] as const;
  }));
}

/**
 * The change of the loss from one end of a short path through the weights to the other, against the mean of the gradient on the way: what
 * central differences are, but the kinks of ReLU on the path count on both sides. Relative to the change if parameters did not cancel out.
 */
async function errorAlong(random: Random, fed: Fed, weights: NamedTensors, { step, places }: Path): Promise<number> {
  const gradients = await gradientsAt(fed, weights);
  const direction = directionFor(random, weights, gradients);
  const actual = (await lossAt(fed, movedBy(weights, direction, step)) - await lossAt(fed, movedBy(weights, direction, -step))) / (2 * step);
  let mean = 0;
  for (let k = 0; k < places; k++) {
    const there = await gradientsAt(fed, movedBy(weights, direction, step * ((2 * k + 1) / places - 1)));
    for (const [name, d] of direction) mean += dot(there.get(name)!, d) / places;
  }
  const apart = Math.hypot(...Array.from(direction, ([name, d]) => length(gradients.get(name)!.map((g, k) => g * d[k]))));
  return Math.abs(actual - mean) / Math.max(Math.abs(mean), apart);
}

/** Operators whose slope jumps somewhere. */
const KINKED = new Set(['Abs', 'Clip', 'HardSigmoid', 'HardSwish', 'LeakyRelu', 'Max', 'MaxPool', 'Min', 'PRelu', 'ReduceMax', 'Relu']);

/** Finite differences of a whole model along two random directions. */
async function checkModel(trace: Trace, parameters: readonly string[], training: boolean): Promise<void> {
  const { model, steps, values } = trace.program;
  const outputs = trace.program.outputs.map((id) => values[id]).filter(({ elementType }) => elementType === dataTypes.float32).map(({ name }) => name);
  const made = differentiate(trace, { loss: dotLoss(outputs), parameters, training });
  const weights = Object.fromEntries(graphOf(model).initializer.filter(({ name }) => parameters.includes(name)).map((proto) => [proto.name, readTensor(model, proto)]));
  expect(made.gradients.size).toBeGreaterThan(0);
  const both = await backend.compile(withInputs(made.model, new Set(parameters)));
  // In training the plain model computes something else.
  const forward = training ? both : await backend.compile(withInputs(model, new Set(parameters)));
  try {
    const random = createRandom(outputs.join());
    const { inputs } = trace.runs[0];
    const shapes = trace.runs[0].shapes;
    const labels = Object.fromEntries(values.filter(({ name }) => outputs.includes(name)).map(({ id, name }) => {
      const dims = shapes[id]!;
      return [`r:${name}`, normals(random, { dtype: 'float32', dims, data: new Float32Array(dims.reduce((product, size) => product * size, 1)) })];
    }));
    const fed: Fed = { forward, both, inputs: training ? { ...inputs, ...labels } : inputs, labels, outputs: made.gradients };
    for (const [name, gradient] of await gradientsAt(fed, weights)) expect(gradient.every(Number.isFinite), name).toBe(true);
    const path = steps.some(({ node }) => KINKED.has(node.op)) ? bent : smooth;
    const others = new Map(parameters.filter((name) => !made.gradients.has(name)).map((name) => [name, numbers(weights[name])]));
    if (others.size > 0) expect(await lossAt(fed, movedBy(weights, others, 1e-3)), `${[...others.keys()]} have no gradient`).toBe(await lossAt(fed, weights));
    for (let k = 0; k < 2; k++) expect(await errorAlong(random, fed, weights, path)).toBeLessThan(path.tolerance);
  } finally {
    await forward.dispose();
    if (both !== forward) await both.dispose();
  }
}

const notFloat32 = /'.+' cannot be differentiated with respect to: it is not float32\. Bring the model to float32 first/;

/** What is refused: the weights of a type in a model, and what the user reads. */
const refused: readonly (readonly [file: string, type: 'float32' | 'float16' | 'int8', says: RegExp])[] = [
  ['zoo/16a_crnn_int8_qdq.onnx', 'float32', /QuantizeLinear '.*' \(it rounds to integers, .*; train the model before it is quantised\)/],
  ['zoo/16a_crnn_int8_qdq.onnx', 'int8', notFloat32],
  ['zoo/16b_lstm_dynamic_quant.onnx', 'float32', /com\.microsoft\.DynamicQuantizeLSTM '\/l1\/LSTM_quant' \(it rounds to integers/],
  ['zoo/20a_tdnn_unilstm_fp16.onnx', 'float16', notFloat32],
  ['zoo/20b_ds2_gru_fp16weights.onnx', 'float16', notFloat32],
  ['models/moonshine_spelling.onnx', 'int8', notFloat32],
];
/** These have no float32 weights that could be trained; of the others all that are float32 can. */
const untrainable = new Set(['zoo/16a_crnn_int8_qdq.onnx', 'zoo/16b_lstm_dynamic_quant.onnx', 'zoo/20a_tdnn_unilstm_fp16.onnx', 'zoo/20b_ds2_gru_fp16weights.onnx']);

const traceOf = (file: string) => traceModel(upgradeModel(readModel(fileURLToPath(new URL(file, shared)))), backend);
const some = (list: readonly string[]): readonly string[] => (list.length > 0 ? list : ['(../shared is absent)']);

describe.skipIf(files.length === 0 || !hasNative)('whole models,', () => {
  it.each(some(files.filter((file) => !untrainable.has(file))))('with respect to all weights: %s', { timeout: 60_000 }, async (file) => {
    const trace = await traceOf(file);
    await checkModel(trace, weightsOf(trace), false);
  });

  it.each(some(files.filter((file) => /08b|10_|13b|03_/.test(file))))('with the statistics of the batch: %s', { timeout: 60_000 }, async (file) => {
    const trace = await traceOf(file);
    await checkModel(trace, weightsOf(trace), true);
  });

  it.skipIf(!files.includes('models/honk_kws.onnx'))('a model of 2017 is refused until it is upgraded', async () => {
    const trace = await traceModel(readModel(fileURLToPath(new URL('models/honk_kws.onnx', shared))), backend);
    expect(() => differentiate(trace, { loss: dotLoss(['27']), parameters: [] })).toThrow(/upgradeModel/);
  });

  it.each(refused)('%s is refused with respect to its weights of %s, and the sentence says why', async (file, type, says) => {
    const trace = await traceOf(file);
    const weights = graphOf(trace.program.model).initializer.filter(({ dataType }) => dataType === dataTypes[type]).map(({ name }) => name);
    expect(weights.length).toBeGreaterThan(0);
    expect(() => differentiate(trace, { loss: dotLoss([trace.program.values[trace.program.outputs[0]].name]), parameters: weights })).toThrow(says);
  });
});
