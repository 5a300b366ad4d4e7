import { convolve, newWidth, type Block } from './convolutions.ts';
import type { GraphBuilder } from './builder.ts';
import { activation, axisNumber, concat, pad, reshape, slice, split, squeeze, transpose, unsqueeze } from './spelling.ts';
import { as, channelAxis, inLayout, sizesOf, type Value } from './values.ts';
import { dense } from './products.ts';
import { weight } from './weights.ts';

/** New channels made by this block, so that it does not depend on whether those before may go. */
export const made = (b: GraphBuilder, x: Value, width: number): Value => {
  const y = x.layout === 'btc' ? dense(b, x, width) : convolve(b, x, width);
  return as(y, activation(b, y.name));
};

const rankOf = (x: Value): number => sizesOf(x).length;

/** Channels are dealt out to groups, as in ShuffleNet. */
const channelShuffle: Block = (b, x) => {
  const groups = b.between(2, 3);
  const value = made(b, inLayout(b, x, b.pick(['bct', 'bcft'])), groups * b.between(2, 4));
  const rest = sizesOf(value).slice(2);
  const n = value.channels / groups;
  const apart = reshape(b, value.name, sizesOf(value), ['batch', groups, n, ...rest]);
  const dealt = transpose(b, apart, [0, 2, 1, ...rest.map((_, k) => k + 3)]);
  return as(value, reshape(b, dealt, ['batch', n, groups, ...rest], sizesOf(value)));
};

/** Blocks of channels become frequency and time. */
const depthToSpace: Block = (b, x) => {
  const value = made(b, inLayout(b, x, 'bcft'), 4 * b.between(2, 3));
  const mode = b.opset >= 11 ? b.pick(['DCR', 'CRD', undefined]) : undefined;
  const name = b.op('DepthToSpace', [value.name], { blocksize: 2, mode });
  const wide = as(value, name, { channels: value.channels / 4, frequency: value.frequency * 2, time: `${value.time}*2` });
  if (b.chance(0.5)) return wide;
  const back = b.op('SpaceToDepth', [convolve(b, wide, wide.channels).name], { blocksize: 2 });
  return as(value, back);
};

/** The same by Reshape and Transpose, along frequency. */
const pixelShuffle: Block = (b, x) => {
  const value = made(b, inLayout(b, x, 'bcft'), 2 * b.between(2, 4));
  const { frequency: f, time } = value;
  const c = value.channels / 2;
  const outer = b.chance(0.5);
  const apart = reshape(b, value.name, sizesOf(value), outer ? ['batch', 2, c, f, time] : ['batch', c, 2, f, time]);
  const turned = transpose(b, apart, outer ? [0, 2, 3, 1, 4] : [0, 1, 3, 2, 4]);
  return as(value, reshape(b, turned, ['batch', c, f, 2, time], ['batch', c, f * 2, time]), { channels: c, frequency: f * 2 });
};

/** Branches of different widths end to end; one of them twice now and then, or a constant among them. */
const concatenation: Block = (b, x) => {
  const first = made(b, x, newWidth(b));
  const second = made(b, x, newWidth(b));
  const parts = b.chance(0.3) ? [first, second, first] : [first, second];
  const channels = parts.reduce((sum, p) => sum + p.channels, 0);
  if (parts.length > 2) b.traits.add('concat of the same value twice');
  return as(first, concat(b, parts.map((p) => p.name), channelAxis(first), rankOf(first)), { channels });
};

/** Two values one after the other in time share their channels. */
const concatenationInTime: Block = (b, x) => {
  const width = newWidth(b);
  const [first, second] = [made(b, x, width), made(b, x, width)];
  const axis = first.layout === 'btc' ? 1 : rankOf(first) - 1;
  return as(first, concat(b, [first.name, second.name], axis, rankOf(first)), { time: `${first.time}+${first.time}` });
};

/** Half of the channels gate the others. */
const glu: Block = (b, x) => {
  const n = b.between(2, 6);
  const value = made(b, x, 2 * n);
  const axis = channelAxis(value);
  const rank = rankOf(value);
  const [a, g] = b.chance(0.5)
    ? split(b, value.name, axis, rank, [n, n])
    : [slice(b, value.name, axis, rank, 2 * n, 0, n), slice(b, value.name, axis, rank, 2 * n, n, 2 * n)];
  return as(value, b.op('Mul', [a, b.op('Sigmoid', [g])]), { channels: n });
};

/** Parts of unequal widths with consumers of their own; a part may stay unread. */
const unequalSplit: Block = (b, x) => {
  const sizes = [b.between(2, 4), b.between(2, 5), b.between(2, 3)].slice(0, b.between(2, 3));
  const value = made(b, x, sizes.reduce((p, n) => p + n, 0));
  const parts = split(b, value.name, channelAxis(value), rankOf(value), sizes);
  const width = newWidth(b);
  const used = parts.map((name, k) => made(b, as(value, name, { channels: sizes[k] }), width)).slice(0, b.chance(0.8) ? parts.length : 1);
  return used.reduce((sum, part) => as(sum, b.op('Add', [sum.name, part.name])));
};

/** Parts of the channels by Slice, overlapping, with steps and backwards. */
const slices: Block = (b, x) => {
  const width = b.between(5, 9);
  const value = made(b, x, width);
  const axis = channelAxis(value);
  const rank = rankOf(value);
  const start = b.between(1, 3);
  const parts: [string, number][] = [[slice(b, value.name, axis, rank, width, start, width), width - start]];
  if (b.opset >= 10 && b.chance(0.6)) {
    const step = b.between(2, 3);
    parts.push([slice(b, value.name, axis, rank, width, 1, width, step), Math.ceil((width - 1) / step)]);
    b.traits.add('slice with a step');
  }
  if (b.opset >= 10 && b.chance(0.4)) {
    parts.push([slice(b, value.name, axis, rank, width, width - 1, undefined, -1), width]);
    b.traits.add('slice backwards');
  }
  if (b.chance(0.4)) parts.push([slice(b, value.name, axis, rank, width, 0, 2), 2]);
  if (parts.length === 1) return as(value, parts[0][0], { channels: parts[0][1] });
  return as(value, concat(b, parts.map(([name]) => name), axis, rank), { channels: parts.reduce((sum, [, n]) => sum + n, 0) });
};

/** Channels picked by number: some twice, some never, some counted from the end. */
const gather: Block = (b, x) => {
  const width = b.between(4, 8);
  const value = made(b, x, width);
  const axis = channelAxis(value);
  const order = b.random.shuffle(Array.from({ length: width }, (_, k) => k));
  const picked = b.chance(0.3) ? [...order, order[0]] : order.slice(0, b.between(3, width));
  const indices = picked.map((k) => (b.opset >= 11 && b.chance(0.4) ? k - width : k));
  return as(value, b.op('Gather', [value.name, b.ints(indices, 'indices')], { axis: axisNumber(b, axis, rankOf(value)) }), { channels: picked.length });
};

/** One channel taken out by its number, often the last, and multiplied to the rest. */
const gatherOne: Block = (b, x) => {
  const value = made(b, x, newWidth(b));
  const axis = channelAxis(value);
  const rank = rankOf(value);
  const last = b.chance(0.6);
  const index = last ? (b.opset >= 11 ? -1 : value.channels - 1) : b.random.integer(value.channels);
  const one = b.op('Gather', [value.name, b.constant('int64', [], [index], 'index')], { axis });
  const column = unsqueeze(b, one, [axis]);
  if (b.chance(0.5)) return as(value, b.op('Mul', [value.name, b.op('Tanh', [column])]));
  return as(value, concat(b, [value.name, column], axis, rank), { channels: value.channels + 1 });
};

/** Zeros before and behind the channels, as in a residual branch that gets wider. */
const padding: Block = (b, x) => {
  const value = made(b, x, newWidth(b));
  const axis = channelAxis(value);
  const [first, last] = [b.between(0, 2), b.between(1, 3)];
  const amounts = (n: number) => sizesOf(value).map((_, a) => (a === axis ? n : 0));
  const wide = as(value, pad(b, value.name, amounts(first), amounts(last)), { channels: value.channels + first + last });
  if (b.chance(0.5)) return wide;
  const other = made(b, x, wide.channels);
  return as(wide, b.op('Add', [wide.name, other.name]));
};

/** The same channels several times over. */
const tiling: Block = (b, x) => {
  const value = made(b, x, newWidth(b));
  const times = b.between(2, 3);
  const repeats = sizesOf(value).map((_, a) => (a === channelAxis(value) ? times : 1));
  return as(value, b.op('Tile', [value.name, b.ints(repeats, 'repeats')]), { channels: value.channels * times });
};

/** An axis of one comes and goes; a channel axis is cut into factors and put together again. */
const squeezes: Block = (b, x) => {
  const value = made(b, inLayout(b, x, b.pick(['bct', 'btc'])), newWidth(b));
  const at = b.between(1, 3);
  const wide = unsqueeze(b, value.name, [at]);
  return as(value, squeeze(b, activation(b, wide), [at]));
};

/** Channels apart and together again in the other order: only a whole slot of one factor may go. */
const factors: Block = (b, x) => {
  const [p, q] = [b.between(2, 4), b.between(2, 4)];
  const value = made(b, inLayout(b, x, 'btc'), p * q);
  const apart = reshape(b, value.name, sizesOf(value), ['batch', value.time, p, q]);
  const scaled = b.op('Mul', [apart, weight(b, b.chance(0.5) ? [q] : [p, 1])]);
  const turned = b.chance(0.5);
  const inner = turned ? transpose(b, scaled, [0, 1, 3, 2]) : scaled;
  return as(value, reshape(b, inner, turned ? ['batch', value.time, q, p] : ['batch', value.time, p, q], sizesOf(value)));
};

export const movements = {
  channelShuffle, depthToSpace, pixelShuffle, concatenation, concatenationInTime, glu, unequalSplit, slices, gather, gatherOne, padding, tiling, squeezes, factors,
} satisfies Readonly<Record<string, Block>>;
