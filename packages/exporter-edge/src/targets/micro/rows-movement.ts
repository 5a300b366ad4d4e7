import { attributeNumber, attributeNumbers, four, lookup, numbers, quantised, refuse, result, sizeOf, stridesOf, target, type Lowered, type QuantisedValue, type Row, type TensorValue, type Value } from './lowering.ts';

const tensor = (node: Lowered): TensorValue => {
  const [value] = node.inputs;
  return value?.kind === 'tensor' ? value : refuse('moves constants, which should have been folded: finish the model first');
};

/** The same elements under other sizes: costs nothing. */
const renamed = (dimsOf: (dims: readonly number[], node: Lowered) => readonly number[]): Row => (node) => {
  const x = tensor(node);
  const dims = dimsOf(x.dims, node);
  return sizeOf(dims) === sizeOf(x.dims) ? [{ ...x, dims }] : refuse(`makes ${dims.join(' × ')} of ${x.dims.join(' × ')}`);
};

function reshaped(dims: readonly number[], node: Lowered): readonly number[] {
  const wanted = (numbers(node, 1) ?? refuse('has no sizes')).map((n, axis) => (n === 0 && attributeNumber(node, 'allowzero', 0) === 0 ? dims[axis] : n));
  const known = sizeOf(wanted.filter((n) => n !== -1));
  return wanted.map((n) => (n === -1 ? sizeOf(dims) / known : n));
}

const wrap = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

function squeezed(dims: readonly number[], node: Lowered): readonly number[] {
  const axes = numbers(node, 1)?.map((axis) => wrap(axis, dims.length));
  return dims.filter((n, axis) => (axes === undefined ? n !== 1 : !axes.includes(axis)));
}

function unsqueezed(dims: readonly number[], node: Lowered): readonly number[] {
  const given = numbers(node, 1) ?? refuse('has no axes');
  const axes = new Set(given.map((axis) => wrap(axis, dims.length + given.length)));
  const rest = [...dims];
  return Array.from({ length: dims.length + axes.size }, (_, axis) => (axes.has(axis) ? 1 : rest.shift()!));
}

const flattened = (dims: readonly number[], node: Lowered): readonly number[] => {
  const axis = wrap(attributeNumber(node, 'axis', 1), dims.length);
  return [sizeOf(dims.slice(0, axis)), sizeOf(dims.slice(axis))];
};

interface Move {
  readonly extent: readonly number[];
  readonly from?: number;
  readonly fromStride: readonly number[];
  readonly to?: number;
  readonly toStride: readonly number[];
}

/** Copies elements of `x` into a buffer. */
const move = (node: Lowered, x: QuantisedValue, into: number, { extent, from = 0, fromStride, to = 0, toStride }: Move): void =>
  node.call('move', { extent: four(extent, 1), from, from_stride: four(fromStride, 0), to, to_stride: four(toStride, 0) }, [x.buffer], into);

const transpose: Row = (node) => {
  const x = tensor(node);
  const perm = attributeNumbers(node, 'perm') ?? x.dims.map((_, axis) => x.dims.length - 1 - axis);
  const dims = perm.map((axis) => x.dims[axis]);
  const order = (of: readonly number[]): readonly number[] => of.filter((axis) => x.dims[axis] !== 1);
  // Where only axes of one element change places nothing moves.
  if (String(order(perm)) === String(order(x.dims.map((_, axis) => axis)))) return [{ ...x, dims }];
  const own = quantised(node);
  const strides = stridesOf(x.dims);
  const buffer = node.buffer('int8', sizeOf(dims));
  move(node, own, buffer, { extent: dims, fromStride: perm.map((axis) => strides[axis]), toStride: stridesOf(dims) });
  return [result(dims, buffer, own.scale)];
};

const slice: Row = (node) => {
  const x = quantised(node);
  const [starts = [], ends = []] = [numbers(node, 1), numbers(node, 2)];
  const axes = numbers(node, 3) ?? starts.map((_, k) => k);
  const steps = numbers(node, 4) ?? starts.map(() => 1);
  const [dims, strides] = [[...x.dims], [...stridesOf(x.dims)]];
  let from = 0;
  axes.forEach((given, k) => {
    const axis = wrap(given, x.dims.length);
    const [n, step] = [x.dims[axis], steps[k]];
    const inside = (at: number, low: number, high: number): number => Math.max(low, Math.min(high, at < 0 ? at + n : at));
    const start = inside(starts[k], 0, step > 0 ? n : n - 1);
    const end = step > 0 ? inside(ends[k], 0, n) : inside(ends[k], -1, n - 1);
    dims[axis] = Math.max(0, Math.ceil((end - start) / step));
    from += start * strides[axis];
    strides[axis] *= step;
  });
  if (sizeOf(dims) === 0) refuse('leaves nothing');
  const buffer = node.buffer('int8', sizeOf(dims));
  move(node, x, buffer, { extent: dims, from, fromStride: strides, toStride: stridesOf(dims) });
  return [result(dims, buffer, x.scale)];
};

const split: Row = (node) => {
  const x = quantised(node);
  const axis = wrap(attributeNumber(node, 'axis', 0), x.dims.length);
  const parts = attributeNumber(node, 'num_outputs', 0);
  const each = Math.ceil(x.dims[axis] / (parts || 1));
  const sizes = numbers(node, 1) ?? (parts > 0 ? Array.from({ length: parts }, (_, k) => Math.min(each, x.dims[axis] - k * each)) : refuse('does not say how it splits'));
  let from = 0;
  return sizes.map((n) => {
    const dims = x.dims.with(axis, n);
    const buffer = node.buffer('int8', sizeOf(dims));
    move(node, x, buffer, { extent: dims, from, fromStride: stridesOf(x.dims), toStride: stridesOf(dims) });
    from += n * stridesOf(x.dims)[axis];
    return result(dims, buffer, x.scale);
  });
};

const concat: Row = (node) => {
  const to = target(node);
  const parts = node.inputs.map((_, k) => quantised(node, k));
  const axis = wrap(attributeNumber(node, 'axis', 0), parts[0].dims.length);
  const dims = parts[0].dims.with(axis, parts.reduce((sum, part) => sum + part.dims[axis], 0));
  const buffer = node.buffer('int8', sizeOf(dims));
  let at = 0;
  for (const part of parts) {
    const same = part.scale.scale === to.scale && part.scale.zero === to.zero && to.least === -128 && to.most === 127;
    const own = same ? part : (lookup(node, part, (x) => x, to) as QuantisedValue);
    move(node, own, buffer, { extent: part.dims, fromStride: stridesOf(part.dims), to: at, toStride: stridesOf(dims) });
    at += part.dims[axis] * stridesOf(dims)[axis];
  }
  return [result(dims, buffer, to)];
};

/** Scores in float may have constants put behind them: `classifierAsCtc` adds a blank that never wins. */
function padScores(x: TensorValue, given: readonly number[], value: number): Value {
  const last = x.dims.length - 1;
  const behind = given.at(-1)!;
  if (given.some((n, k) => n !== 0 && k !== given.length - 1) || behind < 0 || sizeOf(x.dims) !== x.dims[last]) return refuse('pads scores elsewhere than behind the last class');
  return { ...x, beyond: Array<number>(behind).fill(value) };
}

const pad: Row = (node) => {
  const [first] = node.inputs;
  if (first?.kind === 'tensor' && first.scale === undefined && node.inputs[3] === undefined) return [padScores(first, numbers(node, 1) ?? [], numbers(node, 2)?.[0] ?? 0)];
  const x = quantised(node);
  if ((node.attributes['mode'] ?? 'constant') !== 'constant') refuse(`pads by ${String(node.attributes['mode'])}, and only constant padding is there`);
  if ((numbers(node, 2)?.[0] ?? 0) !== 0) refuse('pads with another number than zero');
  const given = numbers(node, 1) ?? refuse('has no padding');
  const axes = (numbers(node, 3) ?? x.dims.map((_, axis) => axis)).map((axis) => wrap(axis, x.dims.length));
  const [before, after] = [x.dims.map(() => 0), x.dims.map(() => 0)];
  axes.forEach((axis, k) => { [before[axis], after[axis]] = [given[k], given[k + axes.length]]; });
  if ([...before, ...after].some((n) => n < 0)) refuse('has negative padding');
  const dims = x.dims.map((n, axis) => n + before[axis] + after[axis]);
  const buffer = node.buffer('int8', sizeOf(dims));
  node.call('fill', { count: sizeOf(dims), value: x.scale.zero }, [], buffer);
  move(node, x, buffer, { extent: x.dims, fromStride: stridesOf(x.dims), to: before.reduce((sum, n, axis) => sum + n * stridesOf(dims)[axis], 0), toStride: stridesOf(dims) });
  return [result(dims, buffer, x.scale)];
};

const expand: Row = (node) => {
  const x = quantised(node);
  const wanted = numbers(node, 1) ?? refuse('has no sizes');
  const rank = Math.max(wanted.length, x.dims.length);
  const padded = [...Array<number>(rank - x.dims.length).fill(1), ...x.dims];
  const dims = padded.map((n, axis) => Math.max(n, wanted[axis - rank + wanted.length] ?? 1));
  const buffer = node.buffer('int8', sizeOf(dims));
  move(node, x, buffer, { extent: dims, fromStride: stridesOf(padded).map((stride, axis) => (padded[axis] === 1 ? 0 : stride)), toStride: stridesOf(dims) });
  return [result(dims, buffer, x.scale)];
};

const same: Row = (node) => [tensor(node)] satisfies readonly Value[];

export const movement = {
  Reshape: renamed(reshaped), Squeeze: renamed(squeezed), Unsqueeze: renamed(unsqueezed), Flatten: renamed(flattened), Identity: same, Dropout: same,
  Transpose: transpose, Slice: slice, Split: split, Concat: concat, Pad: pad, Expand: expand,
} as const satisfies Readonly<Record<string, Row>>;
