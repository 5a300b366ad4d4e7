import { CoppiceError, makeInitializer, makeModel, makeNode, makeValueInfo, newestOpset, type Model } from '@coppice/graph';
import { recurrentLayer, type Layer, type RecurrentKind } from './recurrent.ts';
import { between, countParameters, drawWeight, kaiming, lecun, smallBias } from './weights.ts';

/** Sizes over the two axes that a convolution moves along. */
export type TimeByMel = readonly [time: number, mel: number];

/** Sizes of the reference model. Everything has a default. */
export interface ReferenceOptions {
  /** Mel bands of a feature frame. Default 40. */
  readonly mels?: number;
  /** Output channels of each convolution. Default [32, 32]. */
  readonly channels?: readonly number[];
  /** Kernel of each convolution, odd sizes. Default [5, 11] for the first, [5, 7] after. */
  readonly kernels?: readonly TimeByMel[];
  /** Stride of each convolution. Default [2, 2] for the first, [1, 2] after. */
  readonly strides?: readonly TimeByMel[];
  /** After each batch norm: `relu`, or `clip` to 0…20 as Deep Speech 2 has it. Default `relu`. */
  readonly activation?: 'relu' | 'clip';
  /** Default `gru`. */
  readonly rnn?: RecurrentKind;
  /** Units of each direction of a recurrent layer. Default 128. */
  readonly hidden?: number;
  /** Bidirectional recurrent layers. Default 3. */
  readonly layers?: number;
  /** Output classes, CTC's blank among them. Default 29. */
  readonly tokens?: number;
  /** Default 0. */
  readonly seed?: number | string;
  /** Version of ONNX's operators, from 13. Default 17. */
  readonly opset?: number;
}

type Settings = Required<ReferenceOptions>;

/**
 * The CNN+RNN recogniser that Coppice is measured on, a small Deep Speech 2 (Amodei et al. 2016, 3): `features`
 * [batch, time, mel] → 2-D convolutions with batch norm → bidirectional recurrent layers → dense → `log_probs`
 * [batch, frames, token], float32. Feature frames are expected normalised to mean 0 and variance 1 for each mel band.
 * `frames` is `time` over the product of the strides in time, rounded up at each convolution.
 *
 * The weights are random but alive: batch norms have statistics that fit unit-variance features and differ between
 * channels, biases are not zero. The same options give the same bytes on every machine.
 * @throws CoppiceError `COPPICE_CONFIG_INVALID`, `COPPICE_UNSUPPORTED_OPSET`
 */
export function buildReferenceModel(options: ReferenceOptions = {}): Model {
  const settings = settle(options);
  const { mels, tokens, strides, seed, opset } = settings;
  const { nodes, weights } = layOut(settings);
  return makeModel({
    opset,
    graph: {
      name: 'crnn',
      inputs: [makeValueInfo('features', 'float32', ['batch', 'time', mels])],
      outputs: [makeValueInfo('log_probs', 'float32', ['batch', 'frames', tokens])],
      nodes: nodes.map(makeNode),
      initializers: [
        makeInitializer('channel_axis', 'int64', [1], [1]),
        makeInitializer('merge_last_axes', 'int64', [3], [0, 0, -1]),
        ...(settings.activation === 'clip' ? [makeInitializer('clip.low', 'float32', [], [0]), makeInitializer('clip.high', 'float32', [], [20])] : []),
        ...weights.map((weight) => drawWeight(weight, seed)),
      ],
    },
    metadata: {
      producer: 'coppice',
      mels: String(mels),
      tokens: String(tokens),
      frame_stride: String(strides.reduce((product, [time]) => product * time, 1)),
      // Widths change when the model is pruned; as a record of what was built this line stays true.
      built_as: describe(settings),
    },
  });
}

/**
 * How many parameters `buildReferenceModel` would give a model, the statistics of batch norms included, without making it.
 * @throws CoppiceError `COPPICE_CONFIG_INVALID`, `COPPICE_UNSUPPORTED_OPSET`
 */
export const countReferenceParameters = (options: ReferenceOptions = {}): number => countParameters(layOut(settle(options)).weights);

function describe({ mels, channels, kernels, strides, activation, rnn, hidden, layers, tokens, seed }: Settings): string {
  const pairs = (list: readonly TimeByMel[]): string => list.map((pair) => pair.join('x')).join(',');
  return `crnn mels=${mels} channels=${channels.join(',')} kernels=${pairs(kernels)} strides=${pairs(strides)} activation=${activation} rnn=${rnn} hidden=${hidden} layers=${layers} tokens=${tokens} seed=${seed}`;
}

function settle(options: ReferenceOptions): Settings {
  const channels = options.channels ?? [32, 32];
  const settings: Settings = {
    mels: 40, activation: 'relu', rnn: 'gru', hidden: 128, layers: 3, tokens: 29, seed: 0, opset: 17,
    kernels: channels.map((_, k) => (k === 0 ? [5, 11] : [5, 7])),
    strides: channels.map((_, k) => (k === 0 ? [2, 2] : [1, 2])),
    ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
    channels,
  };
  check(settings);
  return settings;
}

function check({ mels, channels, kernels, strides, activation, rnn, hidden, layers, tokens, opset }: Settings): void {
  const invalid = (what: string): CoppiceError => new CoppiceError('COPPICE_CONFIG_INVALID', `The reference model cannot be built: ${what}.`);
  const sizes = { mels, hidden, layers, tokens, channels: [...channels], kernels: kernels.flat(), strides: strides.flat() };
  for (const [name, values] of Object.entries(sizes)) {
    for (const value of [values].flat()) if (!Number.isInteger(value) || value < 1) throw invalid(`${name} must be whole numbers from 1, and one is ${value}`);
  }
  if (channels.length === 0) throw invalid('channels is empty, and at least one convolution is needed');
  for (const [name, list] of Object.entries({ kernels, strides })) {
    if (list.length !== channels.length) throw invalid(`${name} has ${list.length} entries for ${channels.length} convolutions`);
    if (list.some((pair) => pair.length !== 2)) throw invalid(`each entry of ${name} is a pair [time, mel]`);
  }
  if (kernels.flat().some((size) => size % 2 === 0)) throw invalid('kernels must be odd, so that padding is the same on both sides');
  if (!['relu', 'clip'].includes(activation)) throw invalid(`activation is relu or clip, not ${activation}`);
  if (!['gru', 'lstm'].includes(rnn)) throw invalid(`rnn is gru or lstm, not ${rnn}`);
  if (!Number.isInteger(opset) || opset < 13 || opset > newestOpset) {
    throw new CoppiceError('COPPICE_UNSUPPORTED_OPSET', `The reference model cannot be built with opset ${opset}; choose one from 13 to ${newestOpset}.`);
  }
}

/** The graph's nodes in order, and the weights that they name. */
function layOut(settings: Settings): Pick<Layer, 'nodes' | 'weights'> {
  const { channels, mels, rnn, hidden, layers, tokens } = settings;
  // [batch, time, mel] → [batch, 1, time, mel]: time is the height of the picture, mel its width.
  const parts: Layer[] = [{ nodes: [{ op: 'Unsqueeze', name: 'image', inputs: ['features', 'channel_axis'], outputs: ['image'] }], weights: [], output: 'image' }];
  const last = (): string => parts.at(-1)!.output;
  let bands = mels;
  for (let k = 0; k < channels.length; k++) {
    parts.push(convolution(settings, k, last()));
    bands = Math.ceil(bands / settings.strides[k][1]);
  }
  parts.push(frameVectors(last()));
  let width = channels.at(-1)! * bands;
  for (let k = 1; k <= layers; k++) {
    parts.push(recurrentLayer({ kind: rnn, name: `rnn${k}`, input: last(), width, hidden, mergeShape: 'merge_last_axes' }));
    width = 2 * hidden;
  }
  parts.push(classifier(last(), width, tokens));
  return { nodes: parts.flatMap((part) => part.nodes), weights: parts.flatMap((part) => part.weights) };
}

/** Convolution `index`, batch norm, activation: [batch, channel, time, mel] → the same, time and mel over the strides, rounded up. */
function convolution({ channels, kernels, strides, activation }: Settings, index: number, input: string): Layer {
  const number = index + 1;
  const [conv, norm, act] = [`conv${number}`, `bn${number}`, `${activation}${number}`];
  const [outputs, inputs] = [channels[index], index === 0 ? 1 : channels[index - 1]];
  const kernel = kernels[index];
  const fanIn = inputs * kernel[0] * kernel[1];
  const pads = kernel.map((size) => (size - 1) / 2);
  // What a Kaiming convolution gives for the unit variance of the features, and for what a ReLU leaves of it.
  const variance = index === 0 ? 2 : 1;
  return {
    nodes: [
      { op: 'Conv', name: conv, inputs: [input, `${conv}.weight`, `${conv}.bias`], outputs: [conv], attributes: { kernel_shape: kernel, strides: strides[index], pads: [...pads, ...pads] } },
      { op: 'BatchNormalization', name: norm, inputs: [conv, `${norm}.scale`, `${norm}.bias`, `${norm}.mean`, `${norm}.variance`], outputs: [norm] },
      activation === 'relu'
        ? { op: 'Relu', name: act, inputs: [norm], outputs: [act] }
        : { op: 'Clip', name: act, inputs: [norm, 'clip.low', 'clip.high'], outputs: [act] },
    ],
    weights: [
      { name: `${conv}.weight`, dims: [outputs, inputs, ...kernel], fill: kaiming(fanIn) },
      { name: `${conv}.bias`, dims: [outputs], fill: smallBias(fanIn) },
      { name: `${norm}.scale`, dims: [outputs], fill: between(0.5, 1.5) },
      { name: `${norm}.bias`, dims: [outputs], fill: between(-0.25, 0.25) },
      { name: `${norm}.mean`, dims: [outputs], fill: between(-0.5, 0.5) },
      { name: `${norm}.variance`, dims: [outputs], fill: between(0.5 * variance, 1.5 * variance) },
    ],
    output: act,
  };
}

/** [batch, channel, frames, mel] → [frames, batch, channel·mel], channels the slower: what ONNX's recurrent layers read. */
const frameVectors = (input: string): Layer => ({
  nodes: [
    { op: 'Transpose', name: 'frames.transpose', inputs: [input], outputs: ['frames.transpose'], attributes: { perm: [2, 0, 1, 3] } },
    { op: 'Reshape', name: 'frames', inputs: ['frames.transpose', 'merge_last_axes'], outputs: ['frames'] },
  ],
  weights: [],
  output: 'frames',
});

/** [frames, batch, width] → [batch, frames, token]. */
const classifier = (input: string, width: number, tokens: number): Layer => ({
  nodes: [
    { op: 'Transpose', name: 'batch_first', inputs: [input], outputs: ['batch_first'], attributes: { perm: [1, 0, 2] } },
    { op: 'MatMul', name: 'dense', inputs: ['batch_first', 'dense.weight'], outputs: ['dense'] },
    { op: 'Add', name: 'dense.add', inputs: ['dense', 'dense.bias'], outputs: ['logits'] },
    { op: 'LogSoftmax', name: 'log_softmax', inputs: ['logits'], outputs: ['log_probs'], attributes: { axis: -1 } },
  ],
  weights: [
    { name: 'dense.weight', dims: [width, tokens], fill: lecun(width) },
    { name: 'dense.bias', dims: [tokens], fill: smallBias(width) },
  ],
  output: 'log_probs',
});
