import type { GraphBuilder } from './builder.ts';

/** A size that the file fixes, or the name of one that differs between runs. */
export type Size = number | string;

const INT64_MAX = 9223372036854775807n;

/** An axis number, negative now and then where the opset allows it. */
export const axisNumber = (b: GraphBuilder, axis: number, rank: number): number => (b.opset >= 11 && b.chance(0.3) ? axis - rank : axis);

export function unsqueeze(b: GraphBuilder, x: string, axes: readonly number[]): string {
  return b.opset < 13 ? b.op('Unsqueeze', [x], { axes: [...axes] }) : b.op('Unsqueeze', [x, b.ints(axes, 'axes')]);
}

/** @param implied whether no other axis has one element, so that the axes need not be listed */
export function squeeze(b: GraphBuilder, x: string, axes: readonly number[]): string {
  return b.opset < 13 ? b.op('Squeeze', [x], { axes: [...axes] }) : b.op('Squeeze', [x, b.ints(axes, 'axes')]);
}

export const transpose = (b: GraphBuilder, x: string, perm: readonly number[]): string => b.op('Transpose', [x], { perm: [...perm] });

export function concat(b: GraphBuilder, values: readonly string[], axis: number, rank: number): string {
  return b.op('Concat', values, { axis: axisNumber(b, axis, rank) });
}

/** A reduction over some axes. */
export function reduce(b: GraphBuilder, op: string, x: string, axes: readonly number[], keepdims: boolean, rank: number): string {
  const numbers = axes.map((a) => axisNumber(b, a, rank));
  const attributes = { keepdims: keepdims ? 1 : 0 };
  return b.opset < (op === 'ReduceSum' ? 13 : 18) ? b.op(op, [x], { axes: numbers, ...attributes }) : b.op(op, [x, b.ints(numbers, 'axes')], attributes);
}

/** Sizes of parts along an axis; equal parts are sometimes left unsaid. */
export function split(b: GraphBuilder, x: string, axis: number, rank: number, sizes: readonly number[]): string[] {
  const outputs = sizes.map((_, k) => k);
  const at = axisNumber(b, axis, rank);
  const implied = sizes.every((n) => n === sizes[0]) && b.chance(0.6);
  if (implied) return b.ops('Split', [x], { axis: at, num_outputs: b.opset >= 18 ? sizes.length : undefined }, outputs);
  return b.opset < 13 ? b.ops('Split', [x], { axis: at, split: [...sizes] }, outputs) : b.ops('Split', [x, b.ints(sizes, 'split')], { axis: at }, outputs);
}

/** Part of one axis of `size` elements. `end` may equal `size`; bounds are spelt in any of the ways that mean the same. */
export function slice(b: GraphBuilder, x: string, axis: number, rank: number, size: Size, start: number, end: number | undefined, step = 1): string {
  const negative = (n: number) => (typeof size === 'number' && n < size && b.chance(0.3) ? n - size : n);
  const far = end === undefined || end === size;
  const [from, to] = step > 0
    ? [negative(start), far ? (b.chance(0.7) ? INT64_MAX : BigInt(typeof size === 'number' ? size : 2147483647)) : BigInt(negative(end))]
    : [negative(start), end === undefined || end < 0 ? -INT64_MAX : BigInt(end)];
  if (b.opset < 10) {
    const finite = to > 2147483647n ? 2147483647 : Number(to);
    return b.op('Slice', [x], { axes: [axis], starts: [from], ends: [finite] });
  }
  const operands = [x, b.ints([from], 'starts'), b.constant('int64', [1], [to], 'ends'), b.ints([axisNumber(b, axis, rank)], 'axes')];
  if (step !== 1 || b.chance(0.5)) operands.push(b.ints([step], 'steps'));
  return b.op('Slice', operands);
}

/** Zeros before and behind each axis. */
export function pad(b: GraphBuilder, x: string, before: readonly number[], after: readonly number[]): string {
  if (b.opset < 11) return b.op('Pad', [x], { pads: [...before, ...after], mode: b.chance(0.5) ? 'constant' : undefined });
  const axes = before.map((_, a) => a).filter((a) => before[a] !== 0 || after[a] !== 0);
  if (b.opset >= 18 && b.chance(0.4)) return b.op('Pad', [x, b.ints([...axes.map((a) => before[a]), ...axes.map((a) => after[a])], 'pads'), '', b.ints(axes, 'axes')]);
  const operands = [x, b.ints([...before, ...after], 'pads')];
  if (b.chance(0.4)) operands.push(b.scalar(0, 'zero'));
  return b.op('Pad', operands);
}

/** The size of one axis as a tensor [1]. */
export function sizeOf(b: GraphBuilder, x: string, axis: number): string {
  if (b.opset >= 15 && b.chance(0.4)) return b.op('Shape', [x], { start: axis, end: axis + 1 });
  const shape = b.op('Shape', [x]);
  if (b.chance(0.5)) return b.op('Gather', [shape, b.ints([axis], 'index')], { axis: 0 });
  return unsqueeze(b, b.op('Gather', [shape, b.constant('int64', [], [axis], 'index')], { axis: 0 }), [0]);
}

/**
 * Reshape to `target`. Sizes by name must be sizes of `source`. Stated with 0 and -1 where that can be, else computed from Shape in one of
 * the ways of exporters: literals for what is fixed, products and quotients of measured sizes now and then.
 */
export function reshape(b: GraphBuilder, x: string, source: readonly Size[], target: readonly Size[]): string {
  const named = target.map((size, k) => (typeof size === 'string' && source[k] !== size ? k : -1)).filter((k) => k >= 0);
  if (named.length > 1 || b.chance(b.spelling.computedShapes)) return b.op('Reshape', [x, computedShape(b, x, source, target)]);
  const open = named.length === 1 ? named[0] : b.chance(0.5) ? b.random.integer(target.length) : -1;
  const literal = target.map((size, k) => (k === open ? -1 : typeof size === 'string' || (size === source[k] && b.chance(0.4)) ? 0 : size));
  return b.op('Reshape', [x, b.ints(literal, 'shape')]);
}

/** A shape as a tensor of integers, put together at run time. */
export function computedShape(b: GraphBuilder, x: string, source: readonly Size[], target: readonly Size[]): string {
  const open = b.chance(0.4) ? b.random.integer(target.length) : -1;
  const parts = target.map((size, k): string => {
    if (k === open) return b.ints([-1], 'open');
    const at = source.indexOf(size);
    if (typeof size === 'string') return sizeOf(b, x, at);
    const style = b.random.uniform();
    if (style < 0.2 && at >= 0 && source.filter((n) => n === size).length === 1) return sizeOf(b, x, at);
    if (style < 0.5) {
      const pair = factorPair(source, size);
      if (pair) return b.op('Mul', [sizeOf(b, x, pair[0]), sizeOf(b, x, pair[1])]);
    }
    return b.ints([size], 'fixed');
  });
  return b.op('Concat', parts, { axis: 0 });
}

/** Two axes whose fixed sizes multiply to `size`. */
function factorPair(source: readonly Size[], size: number): [number, number] | undefined {
  for (let i = 0; i < source.length; i++) {
    for (let j = i + 1; j < source.length; j++) {
      const [a, c] = [source[i], source[j]];
      if (typeof a === 'number' && typeof c === 'number' && a > 1 && c > 1 && a * c === size) return [i, j];
    }
  }
  return undefined;
}

/** Bias and value in either order: older exporters put the bias first. */
export const addBias = (b: GraphBuilder, x: string, bias: string): string => b.op('Add', b.chance(0.5) ? [bias, x] : [x, bias]);

/** A random elementwise function; those that are not zero at zero are the ones that expose a wrong oracle. */
export function activation(b: GraphBuilder, x: string): string {
  const names = ['Relu', 'Tanh', 'Sigmoid', 'Elu', 'LeakyRelu', 'Softplus', 'Softsign', 'Cos', 'Erf', 'HardSigmoid', 'Selu', 'Abs', 'swish', 'clip', 'none'];
  const name = b.pick(names);
  if (name === 'none') return x;
  if (name === 'swish') return b.op('Mul', [x, b.op('Sigmoid', [x])]);
  if (name === 'clip') return b.opset < 11 ? b.op('Clip', [x], { min: -0.5, max: 6.5 }) : b.op('Clip', [x, b.scalar(-0.5), b.scalar(6.5)]);
  return b.op(name, [x]);
}
