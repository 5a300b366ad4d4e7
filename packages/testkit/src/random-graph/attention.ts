import { float } from '@coppice/graph';
import type { GraphBuilder } from './builder.ts';
import type { Block } from './convolutions.ts';
import { dense } from './products.ts';
import { concat, reshape, slice, split, sizeOf, transpose, unsqueeze } from './spelling.ts';
import { as, inLayout, type Value } from './values.ts';
import { layerNorm } from './norms.ts';
import { weight } from './weights.ts';

interface Heads { readonly heads: number; readonly width: number; readonly valueWidth: number; /** Query heads that share one key and value head. */ readonly repeats: number }

const sizes = (b: GraphBuilder): Heads => ({ heads: b.between(2, 3), width: 2 * b.between(1, 2), valueWidth: b.chance(0.6) ? 0 : b.between(2, 5), repeats: 1 });

/** [batch, time, heads · width] → [batch, heads, time, width]. */
const apart = (b: GraphBuilder, x: string, time: string, heads: number, width: number): string =>
  transpose(b, reshape(b, x, ['batch', time, heads * width], ['batch', time, heads, width]), [0, 2, 1, 3]);

const together = (b: GraphBuilder, x: string, time: string, heads: number, width: number): string =>
  reshape(b, transpose(b, x, [0, 2, 1, 3]), ['batch', time, heads, width], ['batch', time, heads * width]);

/** Queries, keys, values [batch, time, heads · width] by three layers, or one layer split in three. */
function project(b: GraphBuilder, x: Value, { heads, width, valueWidth, repeats }: Heads): [string, string, string] {
  const widths = [heads * repeats * width, heads * width, heads * valueWidth];
  if (b.chance(0.6)) return widths.map((n) => dense(b, x, n).name) as [string, string, string];
  b.traits.add('queries, keys and values from one layer');
  const all = dense(b, x, widths.reduce((p, n) => p + n, 0));
  return split(b, all.name, 2, 3, widths) as [string, string, string];
}

/** Rotates pairs of elements of each head by an angle that grows with the position; the halves of a head are pairs. */
function rotary(b: GraphBuilder, x: string, width: number): string {
  const half = width / 2;
  const positions = 64;
  const angles = Array.from({ length: positions * half }, (_, k) => Math.floor(k / half) / 10 ** (k % half));
  const table = (f: (angle: number) => number) => {
    const full = b.tensor('float32', [positions, half], Float32Array.from(angles, f), 'angles');
    const end = sizeOf(b, x, 2);
    const cut = b.opset < 10 ? undefined : b.op('Slice', [full, b.ints([0]), end, b.ints([0])]);
    return cut;
  };
  const [cos, sin] = [table(Math.cos), table(Math.sin)];
  if (cos === undefined || sin === undefined) return x;
  const [first, second] = b.chance(0.5) ? split(b, x, 3, 4, [half, half]) : [slice(b, x, 3, 4, width, 0, half), slice(b, x, 3, 4, width, half, width)];
  b.traits.add('rotary positions');
  if (b.chance(0.5)) {
    const turned = concat(b, [b.op('Neg', [second]), first], 3, 4);
    const whole = (t: string) => concat(b, [t, t], 1, 2);
    return b.op('Add', [b.op('Mul', [x, whole(cos)]), b.op('Mul', [turned, whole(sin)])]);
  }
  const left = b.op('Sub', [b.op('Mul', [first, cos]), b.op('Mul', [second, sin])]);
  const right = b.op('Add', [b.op('Mul', [second, cos]), b.op('Mul', [first, sin])]);
  return concat(b, [left, right], 3, 4);
}

/** softmax(q kᵀ / √d + bias) v in parts, on [batch, heads, time, width]. */
function attend(b: GraphBuilder, q: string, k: string, v: string, { heads, width, repeats }: Heads): string {
  const scale = 1 / Math.sqrt(width);
  const style = b.random.integer(3);
  const keys = transpose(b, style === 0 ? b.op('Mul', [k, b.scalar(Math.sqrt(scale))]) : k, [0, 1, 3, 2]);
  const queries = style === 0 ? b.op('Mul', [q, b.scalar(Math.sqrt(scale))]) : q;
  const product = b.op('MatMul', [queries, keys]);
  const scores = style === 0 ? product : style === 1 ? b.op('Mul', [product, b.scalar(scale)]) : b.op('Div', [product, b.scalar(1 / scale)]);
  const biased = b.chance(0.3) ? b.op('Add', [scores, weight(b, [1, heads * repeats, 1, 1])]) : scores;
  const probabilities = b.op('Softmax', [biased], { axis: b.opset < 13 ? 3 : -1 });
  if (b.chance(0.3) && b.opset >= 13) {
    b.traits.add('attention guarded against NaN');
    return b.op('MatMul', [b.op('Where', [b.op('IsNaN', [probabilities]), b.scalar(0), probabilities]), v]);
  }
  return b.op('MatMul', [probabilities, v]);
}

/** Repeats each key or value head for the queries that share it. */
function repeatHeads(b: GraphBuilder, x: string, time: string, { heads, repeats }: Heads, width: number): string {
  if (repeats === 1) return x;
  b.traits.add('grouped queries');
  const wide = unsqueeze(b, x, [2]);
  const shape = b.op('Concat', [sizeOf(b, x, 0), b.ints([heads, repeats]), sizeOf(b, x, 2), b.ints([width])], { axis: 0 });
  const copies = b.op('Expand', [wide, shape]);
  return reshape(b, copies, ['batch', heads, repeats, time, width], ['batch', heads * repeats, time, width]);
}

const selfAttention = (options: { readonly grouped?: boolean; readonly turned?: boolean }): Block => (b, x) => {
  const value = inLayout(b, x, 'btc');
  const base = sizes(b);
  const h: Heads = { ...base, valueWidth: base.valueWidth || base.width, repeats: options.grouped ? 2 : 1 };
  const [q, k, v] = project(b, value, h);
  const turn = (t: string) => (options.turned ? rotary(b, t, h.width) : t);
  const queries = turn(apart(b, q, value.time, h.heads * h.repeats, h.width));
  const keys = repeatHeads(b, turn(apart(b, k, value.time, h.heads, h.width)), value.time, h, h.width);
  const values = repeatHeads(b, apart(b, v, value.time, h.heads, h.valueWidth), value.time, h, h.valueWidth);
  const mixed = together(b, attend(b, queries, keys, values, h), value.time, h.heads * h.repeats, h.valueWidth);
  return dense(b, as(value, mixed, { channels: h.heads * h.repeats * h.valueWidth }), value.channels);
};

/** The operator of opset 23, whose scale follows from the head width while it is not stated. */
const attentionNode: Block = (b, x) => {
  if (b.opset < 23) return undefined;
  const value = inLayout(b, x, 'btc');
  const base = sizes(b);
  const h: Heads = { ...base, valueWidth: base.valueWidth || base.width, repeats: b.between(1, 2) };
  // ONNX Runtime 1.30 infers a wrong width for Attention where that of an operand is computed.
  const [q, k, v] = b.plainly(() => project(b, value, h));
  const scale = b.chance(0.4) ? float(0.6) : undefined;
  const heads = h.heads * h.repeats;
  if (b.chance(0.5)) {
    b.traits.add('Attention with three axes');
    const name = b.op('Attention', [q, k, v], { q_num_heads: heads, kv_num_heads: h.heads, scale, is_causal: b.chance(0.3) ? 1 : undefined });
    return dense(b, as(value, name, { channels: heads * h.valueWidth }), value.channels);
  }
  b.traits.add('Attention with four axes');
  const name = b.op('Attention', [apart(b, q, value.time, heads, h.width), apart(b, k, value.time, h.heads, h.width), apart(b, v, value.time, h.heads, h.valueWidth)], { scale });
  return dense(b, as(value, together(b, name, value.time, heads, h.valueWidth), { channels: heads * h.valueWidth }), value.channels);
};

/** Norm, attention, sum; norm, two layers, sum: the residual stream is one width. */
const transformer: Block = (b, x) => {
  const start = dense(b, inLayout(b, x, 'btc'), b.between(4, 8));
  const mixed = selfAttention({ grouped: b.chance(0.2), turned: b.chance(0.2) })(b, layerNorm(b, start), [])!;
  const middle = as(start, b.op('Add', [start.name, mixed.name]));
  const inner = dense(b, layerNorm(b, middle), b.between(4, 9));
  const outer = dense(b, as(inner, b.op('Relu', [inner.name])), middle.channels);
  return as(middle, b.op('Add', b.chance(0.5) ? [middle.name, outer.name] : [outer.name, middle.name]));
};

export const attentions = {
  attention: selfAttention({}), groupedQueries: selfAttention({ grouped: true }), rotaryAttention: selfAttention({ turned: true }), attentionNode, transformer,
} satisfies Readonly<Record<string, Block>>;
