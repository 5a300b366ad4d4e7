import type { GraphBuilder } from './builder.ts';
import { newWidth, type Block } from './convolutions.ts';
import { activation, addBias, reshape, sizeOf, transpose } from './spelling.ts';
import { as, inLayout, sizesOf, type Value } from './values.ts';
import { weight } from './weights.ts';

/** A linear layer over the last axis, as MatMul and Add. */
export function dense(b: GraphBuilder, x: Value, width: number, bias = b.chance(0.7)): Value {
  const product = b.op('MatMul', [x.name, weight(b, [x.channels, width], x.channels)]);
  return as(x, bias ? addBias(b, product, weight(b, [width])) : product, { channels: width });
}

const linear: Block = (b, x) => {
  const y = dense(b, inLayout(b, x, 'btc'), newWidth(b));
  return as(y, activation(b, y.name));
};

/** Gemm on the rows of batch and time together, either matrix transposed, with a bias of any shape that broadcasts. */
const gemm: Block = (b, x) => {
  const value = inLayout(b, x, 'btc');
  const width = newWidth(b);
  const transA = b.chance(0.3) ? 1 : 0;
  const transB = b.chance(0.6) ? 1 : 0;
  const rows = b.op('Reshape', [value.name, b.ints([-1, value.channels], 'rows')]);
  const a = transA ? transpose(b, rows, [1, 0]) : rows;
  const inputs = [a, weight(b, transB ? [width, value.channels] : [value.channels, width], value.channels)];
  if (b.opset < 11 || b.chance(0.8)) inputs.push(b.pick([() => weight(b, [width]), () => weight(b, [1, width]), () => weight(b, [1, 1])])());
  const attributes = { transA: transA || undefined, transB: transB || undefined, alpha: b.chance(0.3) ? 0.75 : undefined, beta: b.chance(0.3) ? 1.5 : undefined };
  const active = activation(b, b.op('Gemm', inputs, attributes));
  const shape = b.op('Concat', [sizeOf(b, value.name, 0), sizeOf(b, value.name, 1), b.ints([b.chance(0.5) ? -1 : width], 'width')], { axis: 0 });
  return as(value, b.op('Reshape', [active, shape]), { channels: width });
};

/** y = W x with the weight on the left: channels are rows. */
const weightOnTheLeft: Block = (b, x) => {
  const value = inLayout(b, x, 'bct');
  const width = newWidth(b);
  const product = b.op('MatMul', [weight(b, [width, value.channels], value.channels), value.name]);
  return as(value, activation(b, addBias(b, product, weight(b, [width, 1]))), { channels: width });
};

const einsum: Block = (b, x) => {
  if (b.opset < 12) return undefined;
  const width = newWidth(b);
  const value = inLayout(b, x, b.pick(['btc', 'bct']));
  const [equation, dims, layout] = value.layout === 'btc'
    ? b.pick([['btc,cd->btd', [value.channels, width], 'btc'], ['btc,dc->bdt', [width, value.channels], 'bct'], ['...c,cd->...d', [value.channels, width], 'btc'], ['bTc,cD->bTD', [value.channels, width], 'btc']] as const)
    : b.pick([['bct,cd->btd', [value.channels, width], 'btc'], ['dc,bct->bdt', [width, value.channels], 'bct']] as const);
  const w = weight(b, dims, value.channels);
  const name = b.op('Einsum', equation.startsWith('dc') ? [w, value.name] : [value.name, w], { equation });
  return as(value, activation(b, name), { layout, channels: width });
};

/** Each channel is multiplied by a matrix of its own: heads × widths of a weight of three axes. */
const batchedProduct: Block = (b, x) => {
  const [heads, inner, outer] = [b.between(2, 3), b.between(2, 4), b.between(2, 4)];
  const value = dense(b, inLayout(b, x, 'btc'), heads * inner);
  const apart = reshape(b, value.name, sizesOf(value), ['batch', value.time, heads, inner]);
  const turned = transpose(b, apart, [0, 2, 1, 3]);
  const product = b.op('MatMul', [turned, weight(b, [heads, inner, outer], inner)]);
  const back = transpose(b, product, [0, 2, 1, 3]);
  return as(value, reshape(b, back, ['batch', value.time, heads, outer], ['batch', value.time, heads * outer]), { channels: heads * outer });
};

/** Several layers read one value, each its own way. */
const severalReaders: Block = (b, x) => {
  const value = inLayout(b, x, 'btc');
  const shared = dense(b, value, newWidth(b));
  const active = as(shared, activation(b, shared.name));
  const width = newWidth(b);
  const [p, q] = [dense(b, active, width), dense(b, active, width)];
  return as(p, b.op('Mul', [p.name, b.op('Tanh', [q.name])]));
};

export const products = { linear, gemm, weightOnTheLeft, einsum, batchedProduct, severalReaders } satisfies Readonly<Record<string, Block>>;
