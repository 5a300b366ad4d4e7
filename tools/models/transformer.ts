import { makeValueInfo, type Model } from '../../packages/graph/src/index.ts';
import { between, kaiming, lecun, smallBias } from '../../packages/speech/src/index.ts';
import { GraphSketch } from './sketch.ts';

/** Sizes of an encoder like wav2vec 2.0; its base model is 12 layers, width 768, 12 heads, inner 3072, 512 channels. */
export interface TransformerSizes {
  readonly layers: number;
  /** A multiple of 16, the groups of the positional convolution, and of `heads`. */
  readonly width: number;
  readonly heads: number;
  /** Width inside a feed-forward block. */
  readonly inner: number;
  /** Of each of the seven convolutions that turn samples into frames. */
  readonly channels: number;
  readonly tokens: number;
  /** `decomposed` as torch exports it below opset 23, `fused` as one Attention node. */
  readonly attention: 'decomposed' | 'fused';
}

/** Kernel and stride of the convolutions over samples; one frame for every 320. Baevski et al. 2020, 4.2. */
const frontEnd = [[10, 5], [3, 2], [3, 2], [3, 2], [3, 2], [2, 2], [2, 2]] as const;
const positions = { kernel: 128, groups: 16 };

/**
 * A CTC recogniser on wav2vec 2.0's encoder (norms after the residuals), in the nodes that torch exports:
 * `wave` [batch, samples] → `logits` [batch, frames, token], float32.
 */
export const buildTransformer = (sizes: TransformerSizes, seed: number | string): Model => sketch(sizes).model({
  opset: sizes.attention === 'fused' ? 23 : 17,
  seed,
  name: 'transformer',
  inputs: [makeValueInfo('wave', 'float32', ['batch', 'samples'])],
  outputs: [makeValueInfo('logits', 'float32', ['batch', 'frames', sizes.tokens])],
  metadata: { producer: 'coppice', built_as: `transformer ${JSON.stringify(sizes)} seed=${seed}` },
});

/** How many parameters `buildTransformer` would give, without making the model. */
export const countTransformerParameters = (sizes: TransformerSizes): number => sketch(sizes).parameters;

function sketch(sizes: TransformerSizes): GraphSketch {
  const graph = new GraphSketch();
  const { layers, width, channels, tokens } = sizes;
  const frames = graph.node('features.transpose', 'Transpose', [featureExtractor(graph, channels)], { perm: [0, 2, 1] });
  const projected = linear(graph, 'projection', layerNorm(graph, 'projection.layer_norm', frames, channels), channels, width);
  let trunk = graph.node('positions.sum', 'Add', [projected, positionalConvolution(graph, projected, width)]);
  trunk = layerNorm(graph, 'layer_norm', trunk, width);
  for (let k = 0; k < layers; k++) trunk = encoderLayer(graph, `layers.${k}`, trunk, sizes);
  graph.node('logits', 'Add', [graph.node('lm_head', 'MatMul', [trunk, graph.weight('lm_head.weight', [width, tokens], lecun(width))]), graph.weight('lm_head.bias', [tokens], smallBias(width))]);
  return graph;
}

/** [batch, samples] → [batch, channel, frames]. The first convolution has a group norm with a group for each channel. */
function featureExtractor(graph: GraphSketch, channels: number): string {
  let value = graph.node('features.unsqueeze', 'Unsqueeze', ['wave', graph.constant('int64', [1], [1])]);
  for (const [k, [kernel, stride]] of frontEnd.entries()) {
    const name = `features.${k}.conv`;
    const inputs = k === 0 ? 1 : channels;
    value = graph.node(name, 'Conv', [value, graph.weight(`${name}.weight`, [channels, inputs, kernel], kaiming(inputs * kernel))], { kernel_shape: [kernel], strides: [stride] });
    if (k === 0) value = channelNorm(graph, `features.${k}.group_norm`, value, channels);
    value = gelu(graph, `features.${k}.gelu`, value);
  }
  return value;
}

/** Group norm as torch exports it: an instance norm without weights of its own, between two reshapes. */
function channelNorm(graph: GraphSketch, name: string, value: string, channels: number): string {
  const grouped = graph.node(`${name}.reshape`, 'Reshape', [value, graph.constant('int64', [3], [0, channels, -1])]);
  const ones = graph.constant('float32', [channels], Array.from({ length: channels }, () => 1));
  const zeros = graph.constant('float32', [channels], Array.from({ length: channels }, () => 0));
  const norm = graph.node(`${name}.instance_norm`, 'InstanceNormalization', [grouped, ones, zeros]);
  const restored = graph.node(`${name}.restore`, 'Reshape', [norm, graph.node(`${name}.shape`, 'Shape', [value])]);
  const scaled = graph.node(`${name}.scale`, 'Mul', [restored, graph.weight(`${name}.weight`, [channels, 1], between(0.5, 1.5))]);
  return graph.node(name, 'Add', [scaled, graph.weight(`${name}.bias`, [channels, 1], between(-0.25, 0.25))]);
}

/** [batch, frames, width] → the same. An even kernel gives one frame too many, which is cut off. */
function positionalConvolution(graph: GraphSketch, value: string, width: number): string {
  const name = 'positions.conv';
  const { kernel, groups } = positions;
  const fanIn = (width / groups) * kernel;
  const one = graph.constant('int64', [1], [1]);
  const channelsFirst = graph.node('positions.transpose', 'Transpose', [value], { perm: [0, 2, 1] });
  const weights = [graph.weight(`${name}.weight`, [width, width / groups, kernel], kaiming(fanIn)), graph.weight(`${name}.bias`, [width], smallBias(fanIn))];
  const conv = graph.node(name, 'Conv', [channelsFirst, ...weights], { kernel_shape: [kernel], pads: [kernel / 2, kernel / 2], group: groups });
  const cut = graph.node('positions.slice', 'Slice', [conv, graph.constant('int64', [1], [0]), graph.constant('int64', [1], [-1]), graph.constant('int64', [1], [2]), one]);
  return graph.node('positions.restore', 'Transpose', [gelu(graph, 'positions.gelu', cut)], { perm: [0, 2, 1] });
}

/** [batch, frames, width] → the same: attention and feed-forward, each with a residual and a norm after it. */
function encoderLayer(graph: GraphSketch, name: string, value: string, sizes: TransformerSizes): string {
  const { width, inner } = sizes;
  const attended = graph.node(`${name}.attention.residual`, 'Add', [value, attention(graph, `${name}.attention`, value, sizes)]);
  const normed = layerNorm(graph, `${name}.layer_norm`, attended, width);
  const wide = gelu(graph, `${name}.feed_forward.gelu`, linear(graph, `${name}.feed_forward.intermediate`, normed, width, inner));
  const narrow = linear(graph, `${name}.feed_forward.output`, wide, inner, width);
  return layerNorm(graph, `${name}.final_layer_norm`, graph.node(`${name}.feed_forward.residual`, 'Add', [normed, narrow]), width);
}

/** [batch, frames, width] → the same: multi-head self-attention, scaled by 1/√(width of a head). */
function attention(graph: GraphSketch, name: string, value: string, sizes: TransformerSizes): string {
  const { width, heads } = sizes;
  const size = width / heads;
  const project = (part: string): string => linear(graph, `${name}.${part}_proj`, value, width, width);
  const [batch, frames] = [0, 1].map((axis) => {
    const gathered = graph.node(`${name}.size${axis}`, 'Gather', [graph.node(`${name}.shape${axis}`, 'Shape', [value]), graph.constant('int64', [], [axis])], { axis: 0 });
    return graph.node(`${name}.size${axis}.unsqueeze`, 'Unsqueeze', [gathered, graph.constant('int64', [1], [0])]);
  });
  /** [batch, frames, width] → [batch, frames, head, size] → the order asked for. */
  const split = (part: string, perm: readonly number[]): string => {
    const projected = project(part);
    const shape = graph.node(`${name}.${part}.shape`, 'Concat', [batch, frames, graph.constant('int64', [1], [-1]), graph.constant('int64', [1], [size])], { axis: 0 });
    return graph.node(`${name}.${part}`, 'Transpose', [graph.node(`${name}.${part}.split`, 'Reshape', [projected, shape])], { perm });
  };
  const scale = Math.fround(1 / Math.sqrt(size));
  const headFirst = [0, 2, 1, 3];
  const fused = (): string => graph.node(`${name}.attend`, 'Attention', ['q', 'k', 'v'].map((part) => split(part, headFirst)), { scale });
  const decomposed = (): string => {
    const scores = graph.node(`${name}.scores`, 'MatMul', [split('q', headFirst), split('k', [0, 2, 3, 1])]);
    const scaled = graph.node(`${name}.scaled`, 'Mul', [scores, graph.constant('float32', [], [scale])]);
    return graph.node(`${name}.attend`, 'MatMul', [graph.node(`${name}.softmax`, 'Softmax', [scaled], { axis: -1 }), split('v', headFirst)]);
  };
  const context = graph.node(`${name}.context`, 'Transpose', [sizes.attention === 'fused' ? fused() : decomposed()], { perm: headFirst });
  const shape = graph.node(`${name}.merged_shape`, 'Concat', [batch, frames, graph.constant('int64', [1], [width])], { axis: 0 });
  return linear(graph, `${name}.out_proj`, graph.node(`${name}.merged`, 'Reshape', [context, shape]), width, width);
}

/** [.., inputs] → [.., outputs]. */
function linear(graph: GraphSketch, name: string, value: string, inputs: number, outputs: number): string {
  const product = graph.node(`${name}.matmul`, 'MatMul', [value, graph.weight(`${name}.weight`, [inputs, outputs], lecun(inputs))]);
  return graph.node(name, 'Add', [graph.weight(`${name}.bias`, [outputs], smallBias(inputs)), product]);
}

const layerNorm = (graph: GraphSketch, name: string, value: string, width: number): string => graph.node(name, 'LayerNormalization', [
  value, graph.weight(`${name}.weight`, [width], between(0.5, 1.5)), graph.weight(`${name}.bias`, [width], between(-0.25, 0.25)),
], { axis: -1 });

/** x · (1 + erf(x/√2)) · ½, as torch exports it below opset 20. */
function gelu(graph: GraphSketch, name: string, value: string): string {
  const scalar = (number: number): string => graph.constant('float32', [], [number]);
  const erf = graph.node(`${name}.erf`, 'Erf', [graph.node(`${name}.div`, 'Div', [value, scalar(Math.fround(Math.SQRT2))])]);
  const product = graph.node(`${name}.mul`, 'Mul', [value, graph.node(`${name}.add`, 'Add', [erf, scalar(1)])]);
  return graph.node(name, 'Mul', [product, scalar(0.5)]);
}
