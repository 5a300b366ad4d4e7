import { newWidth, type Block } from './convolutions.ts';
import { made } from './movements.ts';
import { dense } from './products.ts';
import { activation, reduce, sizeOf, squeeze, unsqueeze } from './spelling.ts';
import { as, channelAxis, inLayout, sizesOf, type Value } from './values.ts';
import { weight } from './weights.ts';

/** The dims of a constant that broadcasts to a value along its channels. */
const alongChannels = (x: Value): number[] => sizesOf(x).slice(channelAxis(x)).map((_, a) => (a === 0 ? x.channels : 1));

/** A block and its input added; the input's channels are made here, or those of before. */
const residual: Block = (b, x) => {
  const start = b.chance(0.6) ? made(b, x, newWidth(b)) : x;
  const branch = made(b, made(b, start, newWidth(b)), start.channels);
  const op = b.pick(['Add', 'Add', 'Sum', 'Sub', 'Mul', 'Max', 'Min', 'Mean']);
  const inputs = ['Sum', 'Max', 'Min', 'Mean'].includes(op) && b.chance(0.4) ? [start.name, branch.name, start.name] : [branch.name, start.name];
  return as(start, b.op(op, inputs));
};

/** Scaled and shifted by constants of one number, one for each channel, or with leading ones. */
const constants: Block = (b, x) => {
  const value = made(b, x, newWidth(b));
  const dims = b.pick([() => alongChannels(value), () => [1, ...alongChannels(value)].slice(-sizesOf(value).length), () => [1], () => [] as number[]])();
  const scaled = b.op(b.pick(['Mul', 'Div']), [value.name, b.positive(dims)]);
  const operands = [scaled, weight(b, alongChannels(value))];
  return as(value, b.op(b.pick(['Add', 'Sub', 'PRelu', 'Max']), operands));
};

/** An earlier value of the same length is added through a layer of its own, or joined by broadcasting over frequency. */
const longSkip: Block = (b, x, others) => {
  const value = inLayout(b, x, 'btc');
  const earlier = others.filter((o) => o.time === value.time && o.name !== x.name);
  if (earlier.length === 0) return undefined;
  const other = dense(b, inLayout(b, b.pick(earlier), 'btc'), value.channels);
  return as(value, b.op('Add', [value.name, other.name]));
};

/** Squeeze and excitation: averages over time gate the channels. */
const gate: Block = (b, x) => {
  const value = made(b, inLayout(b, x, b.pick(['bct', 'bcft'])), newWidth(b));
  const rank = sizesOf(value).length;
  const spatial = Array.from({ length: rank - 2 }, (_, k) => k + 2);
  const hidden = b.between(2, 5);
  if (b.chance(0.5)) {
    const pooled = b.chance(0.5) ? b.op('GlobalAveragePool', [value.name]) : reduce(b, 'ReduceMean', value.name, spatial, true, rank);
    const ones = spatial.map(() => 1);
    const inner = b.op('Relu', [b.op('Conv', [pooled, weight(b, [hidden, value.channels, ...ones], value.channels), weight(b, [hidden])])]);
    const outer = b.op('Conv', [inner, weight(b, [value.channels, hidden, ...ones], hidden), weight(b, [value.channels])]);
    return as(value, b.op('Mul', [value.name, b.op('Sigmoid', [outer])]));
  }
  const style = b.random.integer(3);
  const flat = style === 0
    ? b.op('Flatten', [b.op('GlobalMaxPool', [value.name])], { axis: 1 })
    : style === 1 ? squeeze(b, reduce(b, 'ReduceMean', value.name, spatial, true, rank), spatial) : reduce(b, 'ReduceMean', value.name, spatial, false, rank);
  const inner = b.op('Relu', [b.op('Gemm', [flat, weight(b, [hidden, value.channels], value.channels), weight(b, [hidden])], { transB: 1 })]);
  const outer = b.op('Sigmoid', [b.op('Gemm', [inner, weight(b, [hidden, value.channels], hidden), weight(b, [value.channels])])]);
  return as(value, b.op('Mul', [unsqueeze(b, outer, spatial), value.name]));
};

/** [mean ‖ deviation] over time, spread over time again by broadcasting. */
const statistics: Block = (b, x) => {
  const value = made(b, inLayout(b, x, 'bct'), newWidth(b));
  const mean = reduce(b, 'ReduceMean', value.name, [2], true, 3);
  const centred = b.op('Sub', [value.name, mean]);
  const variance = reduce(b, 'ReduceMean', b.op('Mul', [centred, centred]), [2], true, 3);
  const deviation = b.op('Sqrt', [b.op('Add', [variance, b.scalar(1e-2)])]);
  const both = b.op('Concat', [mean, deviation], { axis: 1 });
  const projected = b.op('Conv', [both, weight(b, [value.channels, 2 * value.channels, 1], 2 * value.channels)]);
  return as(value, b.op('Add', [value.name, projected]));
};

/** Weights of positions from a softmax over time pool the channels. */
const attentivePooling: Block = (b, x) => {
  const value = made(b, inLayout(b, x, 'btc'), newWidth(b));
  const scores = dense(b, made(b, value, newWidth(b)), b.chance(0.5) ? 1 : value.channels);
  const shares = b.op('Softmax', [scores.name], { axis: b.opset < 13 ? 2 : 1 });
  const pooled = reduce(b, 'ReduceSum', b.op('Mul', [value.name, shares]), [1], true, 3);
  return as(value, b.op('Add', [value.name, b.op('Tanh', [pooled])]));
};

/** Where with a mask of channels, of positions, or of the values themselves. */
const masks: Block = (b, x) => {
  const value = made(b, x, newWidth(b));
  const dims = alongChannels(value);
  const style = b.random.integer(3);
  if (style === 0) {
    const bits = Array.from({ length: value.channels }, () => b.chance(0.5));
    const other = b.chance(0.5) ? weight(b, dims) : b.scalar(0.3);
    return as(value, b.op('Where', [b.tensor('bool', dims, bits, 'mask'), value.name, other]));
  }
  if (style === 1) {
    const sums = reduce(b, 'ReduceMax', value.name, [channelAxis(value)], true, sizesOf(value).length);
    return as(value, b.op('Where', [b.op('Greater', [sums, b.scalar(0.4)]), value.name, b.scalar(-0.2)]));
  }
  const other = made(b, x, value.channels);
  return as(value, b.op('Where', [b.op(b.pick(['Less', 'Greater']), [value.name, other.name]), value.name, b.chance(0.5) ? other.name : weight(b, dims)]));
};

/** One vector repeated for every item and position by Expand or Tile of a computed shape, and joined or added. */
const expanded: Block = (b, x) => {
  const value = inLayout(b, made(b, x, newWidth(b)), 'btc');
  const extra = b.chance(0.5) ? value.channels : b.between(2, 4);
  const joins = extra !== value.channels || b.chance(0.4);
  const start = weight(b, [1, 1, extra]);
  const sizes = () => [sizeOf(b, value.name, 0), sizeOf(b, value.name, 1)];
  const style = b.random.integer(3);
  const wide = style === 0
    ? b.op('Expand', [start, b.op('Concat', [...sizes(), b.ints([b.chance(0.5) ? extra : 1])], { axis: 0 })])
    : style === 1
      ? b.op('Tile', [start, b.op('Concat', [...sizes(), b.ints([1])], { axis: 0 })])
      : b.op('Add', [b.op('ConstantOfShape', [b.op('Concat', [...sizes(), b.ints([extra])], { axis: 0 })]), start]);
  if (!joins) return as(value, b.op('Add', [value.name, wide]));
  return as(value, b.op('Concat', [value.name, wide], { axis: 2 }), { channels: value.channels + extra });
};

/** Every position twice as long, by Resize or Upsample. */
const resized: Block = (b, x) => {
  const value = made(b, inLayout(b, x, 'bcft'), newWidth(b));
  const scales = b.constant('float32', [4], [1, 1, 1, 2], 'scales');
  if (b.opset < 11) return as(value, b.op(b.opset < 10 ? 'Upsample' : 'Resize', [value.name, scales], { mode: 'nearest' }), { time: `${value.time}*2` });
  const mode = b.pick(['nearest', 'linear']);
  const empty = b.opset < 13 ? b.constant('float32', [0], [], 'roi') : '';
  return as(value, b.op('Resize', [value.name, empty, scales], { mode, coordinate_transformation_mode: 'asymmetric', nearest_mode: mode === 'nearest' ? 'floor' : undefined }), { time: `${value.time}*2` });
};

/** Values in 8 bits and back; the ReLU is the zero point. */
const quantised: Block = (b, x) => {
  if (b.opset < 10) return undefined;
  const value = made(b, x, newWidth(b));
  const zero = b.constant('uint8', [], [b.pick([0, 128])], 'zero');
  const scale = b.scalar(0.03, 'step');
  const back = b.op('DequantizeLinear', [b.op('QuantizeLinear', [b.op('Tanh', [value.name]), scale, zero]), scale, zero]);
  return as(value, back);
};

/** A shape is measured of the value itself, and a number computed from its width scales it. */
const measured: Block = (b, x) => {
  const value = made(b, x, newWidth(b));
  const width = b.op('Cast', [sizeOf(b, value.name, channelAxis(value))], { to: 1 });
  const root = b.op('Sqrt', [width]);
  return as(value, activation(b, b.op('Div', [value.name, root])));
};

export const residuals = {
  residual, constants, longSkip, gate, statistics, attentivePooling, masks, expanded, resized, quantised, measured,
} satisfies Readonly<Record<string, Block>>;
