import { dataTypes } from '@coppice/graph';
import type { GraphBuilder } from './builder.ts';
import { reduce, reshape, slice, split, squeeze, unsqueeze } from './spelling.ts';

/** How a weight may reach the node that applies it, other than straight from an initializer. */
const ways: Readonly<Record<string, (b: GraphBuilder, dims: readonly number[], scale: number) => string | undefined>> = {
  transposed(b, dims, scale) {
    const perm = b.random.shuffle(dims.map((_, a) => a));
    const stored = perm.map((_, a) => dims[perm.indexOf(a)]);
    return b.op('Transpose', [b.parameter(stored, scale)], { perm });
  },
  cast(b, dims, scale) {
    const count = dims.reduce((p, n) => p * n, 1);
    const half = b.tensor('float16', dims, Array.from({ length: count }, () => scale * (b.random.normal() + 0.05)), 'half');
    return b.op('Cast', [half], { to: dataTypes.float32 });
  },
  'slice of a larger one'(b, dims, scale) {
    const axis = b.random.integer(dims.length);
    const [before, after] = [b.between(0, 2), b.between(1, 3)];
    const size = dims[axis] + before + after;
    return slice(b, b.parameter(dims.with(axis, size), scale), axis, dims.length, size, before, before + dims[axis]);
  },
  'parts joined'(b, dims, scale) {
    const axis = b.random.integer(dims.length);
    if (dims[axis] < 2) return undefined;
    const first = b.between(1, dims[axis] - 1);
    return b.op('Concat', [b.parameter(dims.with(axis, first), scale), b.parameter(dims.with(axis, dims[axis] - first), scale)], { axis });
  },
  'half of a split'(b, dims, scale) {
    const axis = b.random.integer(dims.length);
    const parts = split(b, b.parameter(dims.with(axis, dims[axis] * 2), scale), axis, dims.length, [dims[axis], dims[axis]]);
    return parts[b.random.integer(2)];
  },
  'rows picked'(b, dims, scale) {
    const size = dims[0] + 2;
    const rows = b.random.shuffle(Array.from({ length: size }, (_, k) => k)).slice(0, dims[0]);
    const indices = rows.map((k) => (b.opset >= 11 && b.chance(0.3) ? k - size : k));
    return b.op('Gather', [b.parameter([size, ...dims.slice(1)], scale), b.ints(indices, 'rows')], { axis: 0 });
  },
  dequantised(b, dims, scale) {
    if (b.opset < 10) return undefined;
    const count = dims.reduce((p, n) => p * n, 1);
    const integers = Array.from({ length: count }, () => b.between(-100, 100));
    const q = b.tensor('int8', dims, integers, 'int8');
    if (b.opset < 13 || b.chance(0.3)) return b.op('DequantizeLinear', [q, b.scalar(scale / 60), b.constant('int8', [], [b.between(-9, 9)], 'zero_point')]);
    const axis = b.random.integer(dims.length);
    const scales = b.tensor('float32', [dims[axis]], Float32Array.from({ length: dims[axis] }, () => (scale / 60) * (0.5 + b.random.uniform())), 'scales');
    const zeros = b.tensor('int8', [dims[axis]], Array.from({ length: dims[axis] }, () => b.between(-20, 20)), 'zero_points');
    return b.op('DequantizeLinear', [q, scales, ...(b.chance(0.7) ? [zeros] : [])], { axis });
  },
  'cast and scaled'(b, dims, scale) {
    const count = dims.reduce((p, n) => p * n, 1);
    const q = b.tensor('int8', dims, Array.from({ length: count }, () => b.between(-100, 100)), 'int8');
    const axis = b.random.integer(dims.length);
    const factors = b.tensor('float32', dims.map((n, a) => (a === axis ? n : 1)), Float32Array.from({ length: dims[axis] }, () => (scale / 60) * (0.5 + b.random.uniform())), 'factors');
    return b.op('Mul', [b.op('Cast', [q], { to: dataTypes.float32 }), b.chance(0.5) ? factors : b.scalar(scale / 50)]);
  },
  'weight norm'(b, dims, scale) {
    const v = b.parameter(dims, 1, 'v');
    const kept = b.random.integer(dims.length);
    const g = b.parameter(dims.map((n, a) => (a === kept ? n : 1)), scale * Math.sqrt(dims.length), 'g');
    const over = dims.map((_, a) => a).filter((a) => a !== kept);
    if (over.length === 0) return undefined;
    const norm = b.chance(0.5)
      ? reduce(b, 'ReduceL2', v, over, true, dims.length)
      : b.op('Sqrt', [reduce(b, 'ReduceSum', b.op('Mul', [v, v]), over, true, dims.length)]);
    return b.op('Mul', [b.op('Div', [v, norm]), g]);
  },
  reshaped(b, dims, scale) {
    if (dims.length < 2) return undefined;
    const flat = [dims[0], dims.slice(1).reduce((p, n) => p * n, 1)];
    return reshape(b, b.parameter(flat, scale), flat, dims);
  },
  squeezed: (b, dims, scale) => squeeze(b, b.parameter([...dims.slice(0, 1), 1, ...dims.slice(1)], scale), [1]),
  unsqueezed: (b, dims, scale) => (dims[0] === 1 && dims.length > 1 ? unsqueeze(b, b.parameter(dims.slice(1), scale), [0]) : undefined),
};

/** A weight with about unit gain for `fanIn` terms; through arithmetic now and then. */
export function weight(b: GraphBuilder, dims: readonly number[], fanIn = 1): string {
  const scale = 1 / Math.sqrt(fanIn);
  if (b.chance(b.spelling.computedWeights)) {
    const way = b.pick(Object.keys(ways));
    const made = ways[way](b, dims, scale);
    if (made !== undefined) {
      b.traits.add(`weight: ${way}`);
      return made;
    }
  }
  return b.parameter(dims, scale);
}
