import type { GraphBuilder } from './builder.ts';
import { newWidth, type Block } from './convolutions.ts';
import { made } from './movements.ts';
import { reduce, reshape } from './spelling.ts';
import { as, channelAxis, inLayout, sizesOf, type Value } from './values.ts';
import { weight } from './weights.ts';

/** Normalises over the last axis, as one node or in parts. */
export function layerNorm(b: GraphBuilder, x: Value): Value {
  const c = [x.channels];
  const scale = weight(b, c);
  const bias = weight(b, c);
  if (b.opset >= 17 && b.chance(0.6)) {
    b.traits.add('norm: LayerNormalization');
    return as(x, b.op('LayerNormalization', b.chance(0.8) ? [x.name, scale, bias] : [x.name, scale], { axis: b.pick([-1, 2]), epsilon: 1e-3 }));
  }
  b.traits.add('norm: in parts');
  const mean = (v: string) => reduce(b, 'ReduceMean', v, [2], true, 3);
  const centred = b.op('Sub', [x.name, mean(x.name)]);
  const square = b.chance(0.5) ? b.op('Pow', [centred, b.scalar(2)]) : b.op('Mul', [centred, centred]);
  const deviation = b.op('Sqrt', [b.op('Add', [mean(square), b.scalar(1e-3)])]);
  const scaled = b.op('Mul', [b.op('Div', [centred, deviation]), scale]);
  return as(x, b.op('Add', [scaled, bias]));
}

const layer: Block = (b, x) => layerNorm(b, made(b, inLayout(b, x, 'btc'), newWidth(b)));

/** x · g / √(mean x² + ε), in parts or as one node. */
const rms: Block = (b, x) => {
  const value = made(b, inLayout(b, x, 'btc'), newWidth(b));
  const gain = weight(b, [value.channels]);
  if (b.opset >= 23 && b.chance(0.6)) return as(value, b.op('RMSNormalization', [value.name, gain], { epsilon: 1e-3 }));
  const square = b.chance(0.5) ? b.op('Pow', [value.name, b.scalar(2)]) : b.op('Mul', [value.name, value.name]);
  const root = b.op('Sqrt', [b.op('Add', [reduce(b, 'ReduceMean', square, [2], true, 3), b.scalar(1e-3)])]);
  const inverse = b.chance(0.5) ? b.op('Mul', [value.name, b.op('Reciprocal', [root])]) : b.op('Div', [value.name, root]);
  return as(value, b.op('Mul', b.chance(0.5) ? [inverse, gain] : [gain, inverse]));
};

/** Channels normalised in groups: one node, or InstanceNormalization between two Reshapes. */
const group: Block = (b, x) => {
  const groups = b.pick([1, 1, 2, 3]);
  const value = made(b, inLayout(b, x, b.pick(['bct', 'bcft'])), groups * b.between(2, 4));
  const n = value.channels;
  b.traits.add(groups === 1 ? 'group norm of one group' : 'group norm of several groups');
  if (b.opset >= 18 && b.chance(0.5)) {
    const size = b.opset < 21 ? [groups] : [n];
    return as(value, b.op('GroupNormalization', [value.name, weight(b, size), weight(b, size)], { num_groups: groups, epsilon: 1e-3 }));
  }
  const whole = b.ints([0, groups, -1], 'groups');
  const apart = b.op('Reshape', [value.name, whole]);
  const normed = b.op('InstanceNormalization', [apart, b.positive([groups]), weight(b, [groups])], { epsilon: 1e-3 });
  const back = b.op('Reshape', [normed, b.op('Shape', [value.name])]);
  const affine = [n, ...sizesOf(value).slice(2).map(() => 1)];
  return as(value, b.op('Add', [b.op('Mul', [back, weight(b, affine)]), weight(b, affine)]));
};

/** As many groups as channels. */
const instance: Block = (b, x) => {
  const value = made(b, inLayout(b, x, b.pick(['bct', 'bcft'])), newWidth(b));
  const c = [value.channels];
  if (b.chance(0.6)) return as(value, b.op('InstanceNormalization', [value.name, weight(b, c), weight(b, c)], { epsilon: 1e-3 }));
  const apart = b.op('Reshape', [value.name, b.ints([0, value.channels, -1], 'groups')]);
  const normed = b.op('InstanceNormalization', [apart, b.positive(c), weight(b, c)], { epsilon: 1e-3 });
  return as(value, b.op('Reshape', [normed, b.op('Shape', [value.name])]));
};

/** A softmax over the channels freezes them; one over time does not. */
const softmax: Block = (b, x) => {
  const value = made(b, inLayout(b, x, 'btc'), newWidth(b));
  const axis = b.opset < 13 ? 2 : b.pick([1, 2, -1]);
  return as(value, b.op(b.pick(['Softmax', 'LogSoftmax']), [value.name], { axis }));
};

/** The sum over pruned channels of something that is not zero at zero. */
const sumOverChannels: Block = (b, x) => {
  const value = made(b, x, newWidth(b));
  const axis = channelAxis(value);
  const rank = sizesOf(value).length;
  const op = b.pick(['ReduceSum', 'ReduceMean', 'ReduceL2', 'ReduceL1', 'ReduceMax', 'ReduceMin', 'ReduceSumSquare', 'ReduceLogSumExp']);
  const sum = reduce(b, op, b.op('Sigmoid', [value.name]), [axis], true, rank);
  const other = made(b, x, newWidth(b));
  return as(other, b.op('Mul', [other.name, b.op('Tanh', [sum])]));
};

/** Normalised to unit length over the channels. */
const unitLength: Block = (b, x) => {
  const value = made(b, x, newWidth(b));
  if (b.chance(0.5)) return as(value, b.op('LpNormalization', [value.name], { axis: channelAxis(value), p: b.between(1, 2) }));
  const norm = reduce(b, 'ReduceL2', value.name, [channelAxis(value)], true, sizesOf(value).length);
  return as(value, b.op('Div', [value.name, b.op('Add', [norm, b.scalar(0.1)])]));
};

/** Statistics over channels and time together, from a value reshaped to rows. */
const globalNorm: Block = (b, x) => {
  const value = made(b, inLayout(b, x, 'bct'), newWidth(b));
  if (b.opset >= 17 && b.chance(0.4)) {
    const turned = inLayout(b, value, 'btc');
    const rows = reshape(b, turned.name, sizesOf(turned), ['batch', turned.time, 1, turned.channels]);
    const normed = b.op('LayerNormalization', [rows, weight(b, [1, turned.channels]), weight(b, [1, turned.channels])], { axis: 2, epsilon: 1e-3 });
    return as(turned, reshape(b, normed, ['batch', turned.time, 1, turned.channels], sizesOf(turned)));
  }
  const mean = (v: string) => reduce(b, 'ReduceMean', v, [1, 2], true, 3);
  const centred = b.op('Sub', [value.name, mean(value.name)]);
  const variance = mean(b.op('Pow', [centred, b.scalar(2)]));
  const normed = b.op('Div', [centred, b.op('Sqrt', [b.op('Add', [variance, b.scalar(1e-3)])])]);
  return as(value, b.op('Add', [b.op('Mul', [normed, weight(b, [value.channels, 1])]), weight(b, [1, value.channels, 1])]));
};

export const norms = { layer, rms, group, instance, softmax, sumOverChannels, unitLength, globalNorm } satisfies Readonly<Record<string, Block>>;
