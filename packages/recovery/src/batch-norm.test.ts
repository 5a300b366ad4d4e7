import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom, flattenModel, type NamedTensors, type Random } from '@coppice/core';
import { graphOf, makeInitializer, makeModel, makeNode, makeValueInfo, readTensor, type Model, type NodeParts, type Tensor } from '@coppice/graph';
import { buildReferenceModel } from '@coppice/speech';
import { describe, expect, it } from 'vitest';
import { recalibrateNorms } from './batch-norm.ts';
import { exposing } from './exposed.ts';
import { withWeights } from './weights.ts';

const backend = wasmBackend();
const draw = (random: Random, dims: readonly number[], mean = 0): Tensor => ({ dtype: 'float32', dims, data: Float32Array.from({ length: dims.reduce((p, n) => p * n, 1) }, () => mean + random.normal()) });

/** The values of one tensor of the model on all data, channel by channel. */
async function channelsOf(model: Model, value: string, data: readonly NamedTensors[]): Promise<number[][]> {
  const program = flattenModel(model);
  const executable = await backend.compile(exposing(program, [program.values.find(({ name }) => name === value)!.id]));
  const channels: number[][] = [];
  for (const batch of data) {
    const { dims, data: elements } = (await executable.run(batch))[value];
    const space = dims.slice(2).reduce((p, n) => p * n, 1);
    (elements as Float32Array).forEach((element, k) => (channels[Math.floor(k / space) % dims[1]] ??= []).push(element));
  }
  await executable.dispose();
  return channels;
}

const meanOf = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
const varianceOf = (list: readonly number[]) => meanOf(list.map((value) => (value - meanOf(list)) ** 2));
const contents = (model: Model, name: string) => Array.from(readTensor(model, graphOf(model).initializer.find((t) => t.name === name)!).data as Float32Array);

describe('recalibrateNorms', () => {
  const model = buildReferenceModel({ mels: 8, channels: [3, 5], kernels: [[3, 3], [3, 3]], hidden: 4, layers: 1, tokens: 4 });
  const random = createRandom('norms');
  // Far from unit variance, so that the statistics of the file are wrong, and unequal batches.
  const data = [[4, 24], [1, 7], [3, 50]].map(([batch, time]) => ({ features: draw(random, [batch, time, 8], 3), targets: draw(random, [1]) }));
  const inputs = data.map(({ features }) => ({ features }));

  it('gives each norm the statistics of what it sees once those before it are recalibrated', async () => {
    const progress: string[] = [];
    const { weights, norms, notes } = await recalibrateNorms(model, { backend, data: () => data, onProgress: (done, total) => progress.push(`${done}/${total}`) });
    expect([norms, notes, progress]).toEqual([['bn1', 'bn2'], [], ['1/2', '2/2']]);
    expect(Object.keys(weights).sort()).toEqual(['bn1.mean', 'bn1.variance', 'bn2.mean', 'bn2.variance']);
    const recalibrated = withWeights(model, weights);
    for (const [norm, input] of [['bn1', 'conv1'], ['bn2', 'conv2']]) {
      const seen = await channelsOf(recalibrated, input, inputs);
      const [means, variances] = [contents(recalibrated, `${norm}.mean`), contents(recalibrated, `${norm}.variance`)];
      seen.forEach((list, c) => {
        expect(means[c] / meanOf(list)).toBeCloseTo(1, 5);
        expect(variances[c] / varianceOf(list)).toBeCloseTo(1, 5);
      });
      // What comes out has mean 0 and variance 1 before scale and bias.
      const [scales, biases] = [contents(model, `${norm}.scale`), contents(model, `${norm}.bias`)];
      (await channelsOf(recalibrated, norm, inputs)).forEach((list, c) => {
        const normalised = list.map((value) => (value - biases[c]) / scales[c]);
        expect(meanOf(normalised)).toBeCloseTo(0, 4);
        expect(varianceOf(normalised)).toBeCloseTo(1, 3);
      });
    }
    expect(contents(model, 'bn2.mean')).not.toEqual(contents(recalibrated, 'bn2.mean'));
  });

  it('changes nothing when it is done again', async () => {
    const options = { backend, data: () => data };
    const { weights } = await recalibrateNorms(model, options);
    expect((await recalibrateNorms(withWeights(model, weights), options)).weights).toEqual(weights);
  });

  it('gives the same statistics however the data are split into batches', async () => {
    const whole = draw(random, [6, 20, 8]);
    const part = (from: number, to: number) => ({ features: { ...whole, dims: [to - from, 20, 8], data: (whole.data as Float32Array).slice(from * 160, to * 160) } });
    const [once, split] = [await recalibrateNorms(model, { backend, data: () => [part(0, 6)] }), await recalibrateNorms(model, { backend, data: async function* () { yield part(0, 1); yield part(1, 6); } })];
    for (const [name, { data: numbers }] of Object.entries(once.weights)) (numbers as Float32Array).forEach((value, k) => expect((split.weights[name].data as Float32Array)[k]).toBeCloseTo(value, 5));
  });

  const norm = (input: string, output: string, statistics: string): NodeParts => ({ op: 'BatchNormalization', name: output, inputs: [input, 'ones', 'zeros', ...statistics.split(' ')], outputs: [output] });
  const build = (nodes: readonly NodeParts[], names: readonly string[]): Model => makeModel({ opset: 15, graph: {
    inputs: [makeValueInfo('x', 'float32', ['N', 2])], outputs: [makeValueInfo('y', 'float32')], nodes: nodes.map(makeNode),
    initializers: ['ones', 'zeros', ...names].map((name, k) => makeInitializer(name, 'float32', [2], k === 1 ? [0, 0] : [1 + k / 10, 1])),
  } });

  it('measures a norm of the graph input', async () => {
    const { weights } = await recalibrateNorms(build([norm('x', 'y', 'm v')], ['m', 'v']), { backend, data: () => [{ x: { dtype: 'float32', dims: [2, 2], data: Float32Array.of(1, 10, 4, 20) } }] });
    expect(Array.from(weights.m.data as Float32Array)).toEqual([2.5, 15]);
    expect(Array.from(weights.v.data as Float32Array)).toEqual([2.25, 25]);
  });

  it('says which norms it leaves, and that a model has none', async () => {
    const data = () => [{ x: { dtype: 'float32', dims: [2, 2], data: Float32Array.of(1, 2, 3, 4) } } satisfies NamedTensors];
    const shared = await recalibrateNorms(build([norm('x', 'a', 'm v'), norm('a', 'b', 'm v2'), { op: 'Neg', inputs: ['x'], outputs: ['n'] }, { op: 'Abs', inputs: ['m3'], outputs: ['m4'] }, norm('b', 'c', 'm4 v3'), { op: 'Add', inputs: ['c', 'n'], outputs: ['y'] }], ['m', 'v', 'v2', 'm3', 'v3']), { backend, data });
    expect(shared).toEqual({ weights: {}, norms: [], notes: [
      "The batch norm 'a' keeps its statistics: something else reads them too.", "The batch norm 'b' keeps its statistics: something else reads them too.", "The batch norm 'c' keeps its statistics: they are not initializers.",
    ] });
    const none = await recalibrateNorms(build([{ op: 'Neg', inputs: ['x'], outputs: ['y'] }], []), { backend, data });
    expect(none).toEqual({ weights: {}, norms: [], notes: [expect.stringContaining('no batch norms')] });
  });

  it('refuses no data, and data that are not finite', async () => {
    await expect(recalibrateNorms(model, { backend, data: () => [] })).rejects.toMatchObject({ code: 'COPPICE_INPUT_INVALID' });
    const broken = draw(random, [1, 10, 8]);
    (broken.data as Float32Array)[3] = NaN;
    await expect(recalibrateNorms(model, { backend, data: () => [{ features: broken }] })).rejects.toMatchObject({ code: 'COPPICE_INPUT_INVALID', message: expect.stringContaining("'bn1'") });
  });
});
