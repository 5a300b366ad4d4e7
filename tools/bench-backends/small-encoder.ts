import { makeInitializer, makeModel, makeNode, makeValueInfo, type Model, type NodeParts, type TensorProto } from '@coppice/graph';
import { drawWeight, lecun, type Weight } from '@coppice/speech';

/** Sizes of an encoder in the manner of wav2vec 2.0 (Baevski et al. 2020, §2), small. */
export interface EncoderSizes {
  /** Channels of the convolutions over the waveform. */
  readonly channels: number;
  /** Kernel and stride of each. */
  readonly convolutions: readonly (readonly [kernel: number, stride: number])[];
  readonly width: number;
  readonly heads: number;
  readonly hidden: number;
  readonly layers: number;
  readonly tokens: number;
}

export const smallSizes: EncoderSizes = { channels: 64, convolutions: [[10, 5], [8, 4], [4, 4], [4, 4]], width: 96, heads: 4, hidden: 384, layers: 3, tokens: 32 };

/**
 * `waveform` [batch, 1, samples] → strided convolutions with GELU → layer norm and projection → transformer layers, norms first → `log_probs`
 * [batch, frames, token]. Random weights; the same ones each time.
 */
export function buildSmallEncoder({ channels, convolutions, width, heads, hidden, layers, tokens }: EncoderSizes = smallSizes): Model {
  const nodes: NodeParts[] = [];
  const initializers: TensorProto[] = [];
  let count = 0;
  const op = (kind: string, inputs: readonly string[], attributes: NodeParts['attributes'] = {}, output = `v${count++}`): string => {
    nodes.push({ op: kind, name: output, inputs: [...inputs], outputs: [output], attributes });
    return output;
  };
  const weight = (name: string, dims: readonly number[], fill: Weight['fill']): string => {
    initializers.push(drawWeight({ name, dims, fill }, 0));
    return name;
  };
  const whole = (values: readonly number[]): string => {
    const name = `ints.${values.join('_')}`;
    if (!initializers.some((tensor) => tensor.name === name)) initializers.push(makeInitializer(name, 'int64', [values.length], [...values]));
    return name;
  };
  const constant = (value: number): Weight['fill'] => (data) => data.fill(value);
  const norm = (x: string, name: string, size: number): string => op('LayerNormalization', [x, weight(`${name}.scale`, [size], constant(1)), weight(`${name}.bias`, [size], constant(0))], { axis: -1 });
  const dense = (x: string, name: string, from: number, to: number): string =>
    op('Add', [op('MatMul', [x, weight(`${name}.weight`, [from, to], lecun(from))]), weight(`${name}.bias`, [to], constant(0))]);

  let x = 'waveform';
  convolutions.forEach(([kernel, stride], k) => {
    const inputs = k === 0 ? 1 : channels;
    x = op('Gelu', [op('Conv', [x, weight(`conv${k}.weight`, [channels, inputs, kernel], lecun(inputs * kernel)), weight(`conv${k}.bias`, [channels], constant(0))], { kernel_shape: [kernel], strides: [stride] })]);
  });
  x = dense(norm(op('Transpose', [x], { perm: [0, 2, 1] }), 'features', channels), 'project', channels, width);
  const split = (value: string): string => op('Transpose', [op('Reshape', [value, whole([0, 0, heads, width / heads])])], { perm: [0, 2, 1, 3] });
  initializers.push(makeInitializer('scale', 'float32', [], [Math.sqrt(width / heads)]));
  for (let layer = 0; layer < layers; layer++) {
    const name = `layer${layer}`;
    const seen = norm(x, `${name}.norm1`, width);
    const [q, k, v] = ['q', 'k', 'v'].map((part) => split(dense(seen, `${name}.${part}`, width, width)));
    const weights = op('Softmax', [op('Div', [op('MatMul', [q, op('Transpose', [k], { perm: [0, 1, 3, 2] })]), 'scale'])], { axis: -1 });
    const joined = op('Reshape', [op('Transpose', [op('MatMul', [weights, v])], { perm: [0, 2, 1, 3] }), whole([0, 0, width])]);
    x = op('Add', [x, dense(joined, `${name}.out`, width, width)]);
    x = op('Add', [x, dense(op('Gelu', [dense(norm(x, `${name}.norm2`, width), `${name}.wide`, width, hidden)]), `${name}.narrow`, hidden, width)]);
  }
  op('LogSoftmax', [dense(norm(x, 'last', width), 'head', width, tokens)], { axis: -1 }, 'log_probs');
  return makeModel({ opset: 20, graph: {
    name: 'small_encoder', inputs: [makeValueInfo('waveform', 'float32', ['batch', 1, 'samples'])], outputs: [makeValueInfo('log_probs', 'float32', ['batch', 'frames', tokens])],
    nodes: nodes.map(makeNode), initializers,
  } });
}

/** Frames that come out of so many samples. */
export const framesOf = (samples: number, { convolutions }: EncoderSizes = smallSizes): number =>
  convolutions.reduce((length, [kernel, stride]) => Math.floor((length - kernel) / stride) + 1, samples);
