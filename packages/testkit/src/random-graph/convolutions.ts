import type { GraphBuilder } from './builder.ts';
import { activation } from './spelling.ts';
import { as, inLayout, type Value } from './values.ts';
import { weight } from './weights.ts';

/** One way to map a value to another; undefined where the opset or the widths do not allow it. */
export type Block = (b: GraphBuilder, x: Value, others: readonly Value[]) => Value | undefined;

/** A width for a new layer: small, odd and even. */
export const newWidth = (b: GraphBuilder): number => b.between(3, 9);

/** Kernel attributes that keep the length of time (and frequency). */
const keepingLength = (b: GraphBuilder, spatial: number): { kernel: number[]; attributes: { kernel_shape?: number[]; pads: number[]; dilations?: number[] } } => {
  const kernel = Array.from({ length: spatial }, () => b.pick([1, 3]));
  const dilations = kernel.map(() => b.pick([1, 1, 2]));
  const pads = kernel.map((k, a) => ((k - 1) / 2) * dilations[a]);
  return { kernel, attributes: { kernel_shape: b.chance(0.7) ? kernel : undefined, pads: [...pads, ...pads], dilations: dilations.some((d) => d > 1) ? dilations : undefined } };
};

const spatialOf = (x: Value): number => (x.layout === 'bcft' ? 2 : 1);

/** A convolution that keeps the length; `groups` divides both widths. */
export function convolve(b: GraphBuilder, x: Value, outs: number, groups = 1): Value {
  const { kernel, attributes } = keepingLength(b, spatialOf(x));
  const ins = x.channels / groups;
  const inputs = [x.name, weight(b, [outs, ins, ...kernel], ins * kernel.reduce((p, k) => p * k, 1))];
  if (b.chance(0.7)) inputs.push(weight(b, [outs]));
  return as(x, b.op('Conv', inputs, { ...attributes, group: groups === 1 && b.chance(0.5) ? undefined : groups }), { channels: outs });
}

const spatial = (b: GraphBuilder, x: Value): Value => inLayout(b, x, x.layout === 'btc' ? b.pick(['bct', 'bcft']) : x.layout);

const convolution: Block = (b, x) => {
  const y = convolve(b, spatial(b, x), newWidth(b));
  return as(y, activation(b, y.name));
};

/** A stride along time, and along frequency where there is one: a new length. */
const strided: Block = (b, x) => {
  const value = spatial(b, x);
  const outs = newWidth(b);
  const two = value.layout === 'bcft';
  const kernel = two ? [3, 3] : [3];
  const stride = b.between(1, 2);
  const strides = two ? [stride, 2] : [2];
  const name = b.op('Conv', [value.name, weight(b, [outs, value.channels, ...kernel], 3 * value.channels), weight(b, [outs])], { kernel_shape: kernel, strides, pads: two ? [1, 1, 1, 1] : [1, 1] });
  return as(value, b.op('Relu', [name]), { channels: outs, frequency: two ? Math.floor((value.frequency - 1) / stride) + 1 : 1, time: `(${value.time}-1)/2+1` });
};

/** Depthwise, with one or two results for each channel, between two convolutions so that the channels may go. */
const depthwise: Block = (b, x) => {
  const before = convolve(b, spatial(b, x), newWidth(b));
  const active = as(before, activation(b, before.name));
  const multiplier = b.pick([1, 1, 2, 3]);
  const y = convolve(b, active, active.channels * multiplier, active.channels);
  b.traits.add(`depthwise multiplier ${multiplier > 1 ? 'above 1' : '1'}`);
  return as(y, activation(b, y.name));
};

/** A convolution in 1 < g < C groups, with producers of its own. */
const grouped: Block = (b, x) => {
  const groups = b.between(2, 3);
  const before = convolve(b, spatial(b, x), groups * b.between(2, 4));
  const y = convolve(b, as(before, activation(b, before.name)), groups * b.between(2, 3), groups);
  return as(y, activation(b, y.name));
};

/** Weights are [in, out/g]; stride 1 keeps the length. */
const transposed: Block = (b, x) => {
  const groups = b.pick([1, 1, 2, 3]);
  const value = spatial(b, x);
  const before = groups === 1 ? value : convolve(b, value, groups * b.between(2, 3));
  const perGroup = groups === 1 ? newWidth(b) : b.between(1, 3);
  const kernel = Array.from({ length: spatialOf(value) }, () => b.pick([1, 3]));
  const pads = kernel.map((k) => (k - 1) / 2);
  const inputs = [before.name, weight(b, [before.channels, perGroup, ...kernel], before.channels / groups)];
  if (b.chance(0.6)) inputs.push(weight(b, [perGroup * groups]));
  const name = b.op('ConvTranspose', inputs, { pads: [...pads, ...pads], group: groups === 1 ? undefined : groups });
  return as(before, activation(b, name), { channels: perGroup * groups });
};

/** Depthwise in the layout of ConvTranspose. */
const transposedDepthwise: Block = (b, x) => {
  const before = convolve(b, inLayout(b, x, 'bct'), newWidth(b));
  const multiplier = b.between(1, 2);
  const name = b.op('ConvTranspose', [before.name, weight(b, [before.channels, multiplier, 3], 3)], { pads: [1, 1], group: before.channels });
  return as(before, name, { channels: before.channels * multiplier });
};

/** Statistics of the channels as constants; exporters leave it where folding is not possible. */
const batchNorm: Block = (b, x) => {
  const value = spatial(b, x);
  const y = convolve(b, value, newWidth(b));
  const active = b.chance(0.5) ? as(y, b.op('Relu', [y.name])) : y;
  const c = [active.channels];
  const name = b.op('BatchNormalization', [active.name, weight(b, c), weight(b, c), weight(b, c), b.positive(c, 'variance')], { epsilon: 0.01 });
  return as(active, b.chance(0.5) ? b.op('Relu', [name]) : name);
};

/** Slopes for each channel, [C, 1, …]. */
const prelu: Block = (b, x) => {
  const y = convolve(b, spatial(b, x), newWidth(b));
  const slope = weight(b, [y.channels, ...Array.from({ length: spatialOf(y) }, () => 1)]);
  return as(y, b.op('PRelu', [y.name, slope]));
};

/** Two convolutions with one weight, and one bias for both. */
const sharedWeights: Block = (b, x) => {
  const value = spatial(b, x);
  const first = convolve(b, value, newWidth(b));
  const kernel = first.layout === 'bcft' ? [1, 1] : [1];
  const w = weight(b, [first.channels, first.channels, ...kernel], first.channels);
  const bias = weight(b, [first.channels]);
  const apply = (v: string) => b.op('Conv', [v, w, bias]);
  const once = b.op('Tanh', [apply(first.name)]);
  return as(first, b.chance(0.5) ? apply(once) : b.op('Add', [apply(once), apply(first.name)]));
};

/** Averages and maxima over neighbours in time. */
const pooling: Block = (b, x) => {
  const value = spatial(b, x);
  const y = convolve(b, value, newWidth(b));
  const attributes = { kernel_shape: y.layout === 'bcft' ? [1, 3] : [3], pads: y.layout === 'bcft' ? [0, 1, 0, 1] : [1, 1] };
  return as(y, b.op(b.pick(['MaxPool', 'AveragePool']), [y.name], attributes));
};

export const convolutions = {
  convolution, strided, depthwise, grouped, transposed, transposedDepthwise, batchNorm, prelu, sharedWeights, pooling,
} satisfies Readonly<Record<string, Block>>;
