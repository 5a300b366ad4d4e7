import { at, axisOf, broadcast, build, count, expandTo, indices, offset, type Array64 } from './array64.ts';
import type { EagerRows } from './row.ts';

const numbers = (x: Array64): number[] => Array.from(x.data);
const replaced = (index: readonly number[], axis: number, by: number): number[] => index.map((i, a) => (a === axis ? by : i));
const withShape = (x: Array64, shape: readonly number[]): Array64 => {
  if (count(shape) !== count(x.shape)) throw new Error(`[${x.shape.join(', ')}] does not become [${shape.join(', ')}]`);
  return { ...x, shape };
};

/** A shape in which 0 copies the old size and −1 is what is left. */
function reshaped(x: Array64, wanted: readonly number[], allowZero: boolean): number[] {
  const sizes = wanted.map((size, axis) => (size === 0 && !allowZero ? x.shape[axis] : size));
  const rest = sizes.filter((size) => size !== -1).reduce((product, size) => product * size, 1);
  return sizes.map((size) => (size === -1 ? count(x.shape) / rest : size));
}

/** Axes put in another order: result axis k is axis perm[k]. */
export const transpose = (x: Array64, perm: readonly number[]): Array64 =>
  build(perm.map((axis) => x.shape[axis]), (index) => {
    const from: number[] = [];
    perm.forEach((axis, k) => { from[axis] = index[k]; });
    return at(x, from);
  }, x.type);

export const movement = {
  Transpose: ([x], { perm }) => [transpose(x, perm ?? x.shape.map((_, axis) => x.shape.length - 1 - axis))],
  Reshape: ([x, shape], { allowzero }) => [withShape(x, reshaped(x, numbers(shape), allowzero === 1))],
  Flatten: ([x], { axis }) => {
    const rows = count(x.shape.slice(0, axis < 0 ? axis + x.shape.length : axis));
    return [withShape(x, [rows, count(x.shape) / rows])];
  },
  Squeeze: ([x, axes]) => {
    const gone = axes ? numbers(axes).map((axis) => axisOf(axis, x.shape.length)) : x.shape.flatMap((size, axis) => (size === 1 ? [axis] : []));
    return [withShape(x, x.shape.filter((_, axis) => !gone.includes(axis)))];
  },
  Unsqueeze: ([x, axes]) => {
    const rank = x.shape.length + axes.data.length;
    const added = numbers(axes).map((axis) => axisOf(axis, rank));
    let k = 0;
    return [withShape(x, Array.from({ length: rank }, (_, axis) => (added.includes(axis) ? 1 : x.shape[k++])))];
  },
  /** Broadcasting in both directions. */
  Expand: ([x, shape]) => [expandTo(x, broadcast(x.shape, numbers(shape)))],
  Tile: ([x, repeats]) => [build(x.shape.map((size, axis) => size * repeats.data[axis]), (index) => at(x, index.map((i, axis) => i % x.shape[axis])), x.type)],
  Concat: (xs, { axis }) => {
    const along = axisOf(axis, xs[0].shape.length);
    const shape = replaced(xs[0].shape, along, xs.reduce((sum, x) => sum + x.shape[along], 0));
    return [build(shape, (index) => {
      let [k, place] = [0, index[along]];
      while (place >= xs[k].shape[along]) place -= xs[k++].shape[along];
      return at(xs[k], replaced(index, along, place));
    }, xs[0].type)];
  },
  /** Equal parts, the last one smaller where they do not fit, unless sizes are given. */
  Split: ([x, split], { axis, num_outputs }, outputs) => {
    const along = axisOf(axis, x.shape.length);
    const parts = num_outputs ?? outputs;
    const even = Math.ceil(x.shape[along] / parts);
    const sizes = split ? numbers(split) : Array.from({ length: parts }, (_, k) => Math.min(even, x.shape[along] - k * even));
    let from = 0;
    return sizes.map((size) => {
      const start = from;
      from += size;
      return build(replaced(x.shape, along, size), (index) => at(x, replaced(index, along, index[along] + start)), x.type);
    });
  },
  /** [n, c, h, w] → [n, c/b², h·b, w·b]; of the channels the block comes first (DCR) or last (CRD). */
  DepthToSpace: ([x], { blocksize: b, mode }) => {
    const [n, c, h, w] = x.shape;
    const depth = c / (b * b);
    return [build([n, depth, h * b, w * b], ([k, d, i, j]) => {
      const block = (i % b) * b + (j % b);
      return at(x, [k, mode === 'DCR' ? block * depth + d : d * b * b + block, Math.floor(i / b), Math.floor(j / b)]);
    })];
  },
  /** [n, c, h, w] → [n, c·b², h/b, w/b], the inverse of DepthToSpace. */
  SpaceToDepth: ([x], { blocksize: b, mode }) => {
    const [n, c, h, w] = x.shape;
    return [build([n, c * b * b, h / b, w / b], ([k, d, i, j]) => {
      const [channel, block] = mode === 'DCR' ? [d % c, Math.floor(d / c)] : [Math.floor(d / (b * b)), d % (b * b)];
      return at(x, [k, channel, i * b + Math.floor(block / b), j * b + (block % b)]);
    })];
  },
  /** The triangle above (below) the k-th diagonal of each matrix, the diagonal included. */
  Trilu: ([x, k], { upper }) => [build(x.shape, (index) => {
    const over = index.at(-1)! - index.at(-2)! - (k?.data[0] ?? 0);
    return (upper === 1 ? over >= 0 : over <= 0) ? at(x, index) : 0;
  }, x.type)],
  ReverseSequence: ([x, lengths], { batch_axis, time_axis }) => [build(x.shape, (index) => {
    const length = lengths.data[index[batch_axis]];
    const t = index[time_axis];
    return at(x, t < length ? replaced(index, time_axis, length - 1 - t) : index);
  }, x.type)],
  /** Cut or padded with zeros to a shape, as much on both sides; of an odd number the end gets more. */
  CenterCropPad: ([x, shape], { axes }) => {
    const sizes = [...x.shape];
    (axes ?? x.shape.map((_, axis) => axis)).forEach((axis, k) => { sizes[axisOf(axis, x.shape.length)] = shape.data[k]; });
    return [build(sizes, (index) => {
      const from = index.map((i, axis) => i + (sizes[axis] < x.shape[axis] ? Math.floor((x.shape[axis] - sizes[axis]) / 2) : -Math.floor((sizes[axis] - x.shape[axis]) / 2)));
      return from.every((i, axis) => i >= 0 && i < x.shape[axis]) ? at(x, from) : 0;
    }, x.type)];
  },
  /** Blocks x [n, c·blocks, l] summed into an image [n, c, …], each at its place. */
  Col2Im: ([x, image, block], attributes) => {
    const space = numbers(image).map((_, a) => a);
    const { dilations = space.map(() => 1), strides = space.map(() => 1), pads = [...space, ...space].map(() => 0) } = attributes;
    const steps = space.map((a) => Math.floor((image.data[a] + pads[a] + pads[a + space.length] - dilations[a] * (block.data[a] - 1) - 1) / strides[a]) + 1);
    const channels = x.shape[1] / count(numbers(block));
    const blocks: Array64 = { ...x, shape: [x.shape[0], channels, ...numbers(block), ...steps] };
    const y = build([x.shape[0], channels, ...numbers(image)], () => 0);
    for (const index of indices(blocks.shape)) {
      const pixel = space.map((a) => strides[a] * index[2 + space.length + a] + dilations[a] * index[2 + a] - pads[a]);
      if (pixel.every((i, a) => i >= 0 && i < image.data[a])) y.data[offset(y.shape, [index[0], index[1], ...pixel])] += at(blocks, index);
    }
    return [y];
  },
} satisfies EagerRows;
