import { createHash } from 'node:crypto';
import { attributeOf, attributeValue, checkModel, encodeModel, graphOf, readTensor, type Model } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { buildReferenceModel, countReferenceParameters, type ReferenceOptions } from './reference-model.ts';

const small: ReferenceOptions = { mels: 13, channels: [5, 7], hidden: 9, layers: 2, tokens: 4 };

const weightOf = (model: Model, name: string): { dims: readonly number[]; data: Float32Array } => {
  const { dims, data } = readTensor(model, graphOf(model).initializer.find((tensor) => tensor.name === name)!);
  return { dims, data: data as Float32Array };
};
const hashOf = (model: Model): string => createHash('sha256').update(encodeModel(model)).digest('hex');
const floatsOf = (model: Model): number[] => graphOf(model).initializer.filter(({ dataType }) => dataType === 1)
  .flatMap((tensor) => [...(readTensor(model, tensor).data as Float32Array)]);

describe('buildReferenceModel', () => {
  it.each<[string, ReferenceOptions]>([
    ['the default', {}],
    ['LSTM', { rnn: 'lstm' }],
    ['odd, small sizes', small],
    ['one unit everywhere', { mels: 1, channels: [1], hidden: 1, layers: 1, tokens: 1 }],
    ['three convolutions with Clip', { channels: [6, 5, 4], activation: 'clip', hidden: 8 }],
    ['the oldest opset', { opset: 13, hidden: 8 }],
    ['the newest opset', { opset: 28, hidden: 8 }],
  ])('makes a valid model: %s', (_, options) => {
    const model = buildReferenceModel(options);
    checkModel(model);
    expect(floatsOf(model).every(Number.isFinite)).toBe(true);
  });

  it('names nodes and weights as a person would', () => {
    const { node, initializer } = graphOf(buildReferenceModel(small));
    expect(node.map(({ name }) => name)).toEqual([
      'image', 'conv1', 'bn1', 'relu1', 'conv2', 'bn2', 'relu2', 'frames.transpose', 'frames',
      'rnn1', 'rnn1.transpose', 'rnn1.merge', 'rnn2', 'rnn2.transpose', 'rnn2.merge', 'batch_first', 'dense', 'dense.add', 'log_softmax',
    ]);
    const names = ['conv1.weight', 'conv1.bias', 'bn1.scale', 'bn1.bias', 'bn1.mean', 'bn1.variance', 'rnn1.W', 'rnn1.R', 'rnn1.B', 'dense.weight', 'dense.bias'];
    expect(initializer.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
  });

  it('feeds the first recurrent layer channels times the mel bands that the strides leave', () => {
    // 13 bands → 7 → 4, of 7 channels; three gates of 9 units in two directions.
    expect(weightOf(buildReferenceModel(small), 'rnn1.W').dims).toEqual([2, 27, 28]);
    expect(weightOf(buildReferenceModel({ ...small, rnn: 'lstm' }), 'rnn2.W').dims).toEqual([2, 36, 18]);
  });

  it('declares batch and time as open, and says in its metadata what a caller must know', () => {
    const { graph, metadataProps, producerName } = buildReferenceModel({ ...small, strides: [[2, 2], [3, 1]] }).proto;
    const dims = [...graph!.input, ...graph!.output].map(({ type }) => (type!.value.case === 'tensorType' ? type!.value.value.shape!.dim.map(({ value }) => value.value) : []));
    expect(dims).toEqual([['batch', 'time', 13n], ['batch', 'frames', 4n]]);
    const metadata = Object.fromEntries(metadataProps.map(({ key, value }) => [key, value]));
    expect(metadata).toEqual({
      producer: 'coppice', mels: '13', tokens: '4', frame_stride: '6',
      built_as: 'crnn mels=13 channels=5,7 kernels=5x11,5x7 strides=2x2,3x1 activation=relu rnn=gru hidden=9 layers=2 tokens=4 seed=0',
    });
    expect(producerName).toBe('coppice');
  });

  it('gives GRU the form in which the bias lies inside the reset gate, and LSTM no such attribute', () => {
    const attribute = (options: ReferenceOptions): unknown => {
      const node = graphOf(buildReferenceModel({ ...small, ...options })).node.find(({ name }) => name === 'rnn1')!;
      const found = attributeOf(node, 'linear_before_reset');
      return found && attributeValue(found);
    };
    expect(attribute({ rnn: 'gru' })).toBe(1);
    expect(attribute({ rnn: 'lstm' })).toBe(undefined);
  });

  it.each<[string, ReferenceOptions]>([
    ['conv1.weight', { kernels: [[4, 3], [3, 3]] }], ['an entry', { channels: [4, 0] }], ['2 convolutions', { strides: [[1, 1]] }],
    ['layers', { layers: 1.5 }], ['empty', { channels: [] }], ['rnn', { rnn: 'rnn' as 'gru' }], ['activation', { activation: 'tanh' as 'relu' }],
  ])('refuses sizes that make no model (%s)', (_, options) => {
    expect(() => buildReferenceModel(options)).toThrow(expect.objectContaining({ code: 'COPPICE_CONFIG_INVALID' }));
  });

  it.each([12, 99, 17.5])('refuses opset %d', (opset) => {
    expect(() => buildReferenceModel({ opset })).toThrow(expect.objectContaining({ code: 'COPPICE_UNSUPPORTED_OPSET' }));
  });
});

describe('the seed', () => {
  it('fixes every byte, on every machine', () => {
    expect(hashOf(buildReferenceModel(small))).toBe('9e83054c2dcf438ea4c0fa0fe8b24d7ac4f93f991bf8d97c34651a9684b3c443');
    expect(hashOf(buildReferenceModel(small))).toBe(hashOf(buildReferenceModel({ ...small, seed: '0' })));
  });

  it('changes every weight', () => {
    const [first, second] = [floatsOf(buildReferenceModel(small)), floatsOf(buildReferenceModel({ ...small, seed: 1 }))];
    expect(first.filter((value, k) => value === second[k])).toEqual([]);
  });

  it('leaves the weights of a layer as they are when another layer changes', () => {
    const weight = (options: ReferenceOptions): Float32Array => weightOf(buildReferenceModel(options), 'rnn2.W').data;
    expect(weight({ ...small, channels: [5, 3], layers: 4 })).toEqual(weight(small));
  });
});

describe('the weights', () => {
  const model = buildReferenceModel();

  it('are nowhere zero and nowhere constant, so that a cut at the wrong place shows', () => {
    expect(floatsOf(model).includes(0)).toBe(false);
    for (const tensor of graphOf(model).initializer.filter(({ dataType }) => dataType === 1)) {
      const { data } = weightOf(model, tensor.name);
      expect(new Set(data).size, tensor.name).toBeGreaterThan(0.98 * data.length);
    }
  });

  it('give batch norms positive variances that differ by channel', () => {
    const { data } = weightOf(model, 'bn2.variance');
    expect(Math.min(...data)).toBeGreaterThan(0.4);
    expect(Math.max(...data) / Math.min(...data)).toBeGreaterThan(1.5);
  });

  it('make the forget gate of an LSTM remember', () => {
    const hidden = 9;
    const { data } = weightOf(buildReferenceModel({ ...small, rnn: 'lstm' }), 'rnn1.B');
    const mean = (gate: number, direction: number): number =>
      data.subarray((direction * 8 + gate) * hidden, (direction * 8 + gate + 1) * hidden).reduce((sum, value) => sum + value / hidden, 0);
    for (const direction of [0, 1]) {
      expect([0, 1, 2, 3, 4, 5, 6, 7].map((gate) => mean(gate, direction) > 0.5), `direction ${direction}`).toEqual([false, false, true, false, false, false, false, false]);
    }
  });
});

describe('countReferenceParameters', () => {
  it.each<ReferenceOptions>([{}, small, { rnn: 'lstm', layers: 2 }, { activation: 'clip', channels: [3] }])('agrees with the model that is built: %j', (options) => {
    const model = buildReferenceModel(options);
    const held = graphOf(model).initializer.filter(({ dataType, name }) => dataType === 1 && !name.startsWith('clip'));
    expect(countReferenceParameters(options)).toBe(held.reduce((sum, { dims }) => sum + dims.reduce((product, dim) => product * Number(dim), 1), 0));
  });

  it('is what the sizes say', () => {
    const convolutions = 32 * 5 * 11 + 32 * 32 * 5 * 7 + 2 * 32 + 2 * 4 * 32;
    const recurrent = [320, 256, 256].reduce((sum, width) => sum + 2 * 3 * 128 * (width + 128 + 2), 0);
    expect(countReferenceParameters()).toBe(convolutions + recurrent + 256 * 29 + 29);
  });
});
