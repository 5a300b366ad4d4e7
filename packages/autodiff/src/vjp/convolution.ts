import type { Emit, Known, Size, Value } from '../emit.ts';
import { NoGradient, type Call, type Cotangents, type Gradients } from '../vjp.ts';
import { weightGradient } from './weight-gradient.ts';

/** How a kernel lies and moves along the spatial axes, an entry for each. */
export interface Window {
  readonly taps: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Elements from the first tap to the last. */
  readonly spans: readonly number[];
  /** Padding in front and at the end. */
  readonly before: readonly Size[];
  readonly after: readonly Size[];
}

type Convolution = 'Conv' | 'ConvTranspose';

/**
 * y[n,o,t] = b[o] + Σ_{i,k} x[n,i, s·t + d·k − p] · w[o,i,k], o and i of the same group, any number of spatial axes t.
 *   dx  each dy[t] returns to the x that it read: the transposed convolution; with stride 1, the convolution with the kernel flipped and
 *       its channels swapped, which runtimes compute faster
 *   dw  tap by tap, dy against the x that the tap saw
 *   db  dy summed over everything but o
 * Dumoulin & Visin 2016, §4. Spec: Conv-11.
 */
export function conv(call: Call<'Conv'> & Cotangents<'Conv'>): Gradients<'Conv'> {
  const { inputs: { X, W, B }, outputs: { Y }, attributes: { group }, dY, emit } = call;
  const window = (): Window => convWindow(call);
  return {
    X: () => readFrom(emit, X, W, { ...dY, shape: Y.shape }, window(), group),
    W: () => weightGradient(emit, { rows: { ...dY, shape: Y.shape }, source: X, window: window(), group }),
    B: B && (() => biasGradient(emit, dY, Y)),
  };
}

/**
 * y[n,o, s·t + d·k − p] += x[n,i,t] · w[i,o,k], any number of spatial axes t: the dx of a convolution, so that
 *   dx  is that convolution of dy
 *   dw  tap by tap, x against the dy to which the tap wrote
 *   db  dy summed over everything but o
 * Dumoulin & Visin 2016, §4. Spec: ConvTranspose-11.
 */
export function convTranspose(call: Call<'ConvTranspose'> & Cotangents<'ConvTranspose'>): Gradients<'ConvTranspose'> {
  const { inputs: { X, W, B }, outputs: { Y }, attributes: { group }, dY, emit } = call;
  const window = (): Window => transposeWindow(call);
  return {
    X: () => {
      const { strides, dilations, before, after } = window();
      return emit.op('Conv', [dY, W], { strides, dilations, group, pads: [...before, ...after] as number[] });
    },
    W: () => weightGradient(emit, { rows: X, source: { ...dY, shape: Y.shape }, window: window(), group }),
    B: B && (() => biasGradient(emit, dY, Y)),
  };
}

const biasGradient = (emit: Emit, dY: Value, { shape }: Known): Value => emit.reduceSum(dY, [0, ...spaceOf(shape)]);

/** The spatial axes of [batch, channel, …]. */
const spaceOf = (shape: readonly unknown[]): number[] => shape.slice(2).map((_, axis) => axis + 2);

/** What the attributes say of the kernel itself. */
function kernelOf({ inputs: { W }, attributes: { strides, dilations } }: Call<Convolution>): Pick<Window, 'taps' | 'strides' | 'dilations' | 'spans'> {
  if (W.shape.some((size) => size === undefined)) throw new NoGradient('the shape of its weight differs between runs');
  const taps = W.shape.slice(2) as number[];
  const steps = dilations ?? taps.map(() => 1);
  return { taps, strides: strides ?? taps.map(() => 1), dilations: steps, spans: taps.map((count, axis) => steps[axis] * (count - 1) + 1) };
}

/** Padding as the attribute lists it, none where it does not. */
const stated = (pads: readonly number[] | undefined, rank: number): Pick<Window, 'before' | 'after'> =>
  ({ before: pads?.slice(0, rank) ?? Array<number>(rank).fill(0), after: pads?.slice(rank) ?? Array<number>(rank).fill(0) });

/** Padding of a total, axis by axis; the odd one comes at the end, or in front. */
function halved(emit: Emit, totals: readonly Size[], inFront: boolean): Pick<Window, 'before' | 'after'> {
  const small = totals.map((total) => (typeof total === 'number' ? Math.floor(total / 2) : emit.op('Div', [total, emit.ints([2])])));
  const large = totals.map((total, axis) => emit.minus(total, small[axis]));
  return inFront ? { before: large, after: small } : { before: small, after: large };
}

/** Padding so that y has ⌈x/s⌉ elements depends on the size of x, unless the stride is one. */
function convWindow(call: Call<'Conv'>): Window {
  const { inputs: { X }, outputs: { Y }, attributes: { auto_pad, pads }, emit } = call;
  const kernel = kernelOf(call);
  const { strides, spans } = kernel;
  if (!auto_pad.startsWith('SAME')) return { ...kernel, ...stated(auto_pad === 'NOTSET' ? pads : undefined, spans.length) };
  const totals = spans.map((span, axis): Size => {
    if (strides[axis] === 1) return span - 1;
    const covered = emit.plus(emit.times(emit.plus(emit.size(Y, axis + 2), -1), strides[axis]), span);
    const missing = emit.minus(covered, emit.size(X, axis + 2));
    return typeof missing === 'number' ? Math.max(0, missing) : emit.op('Max', [missing, emit.ints([0])]);
  });
  return { ...kernel, ...halved(emit, totals, auto_pad === 'SAME_LOWER') };
}

/** What is cut off y at both ends, which SAME and `output_shape` state by the size that is left; the odd one in front, except with SAME_UPPER. */
function transposeWindow(call: Call<'ConvTranspose'>): Window {
  const { inputs: { X }, attributes: { auto_pad, pads, output_padding, output_shape }, emit } = call;
  const kernel = kernelOf(call);
  const { strides, spans } = kernel;
  const extra = spans.map((span, axis) => span + (output_padding?.[axis] ?? 0));
  if (output_shape && output_shape.length > 0) {
    const totals = extra.map((span, axis) => {
      const size = X.shape[axis + 2];
      if (size === undefined) throw new NoGradient('it states the shape of its result although that of its input differs between runs');
      return Math.max(0, strides[axis] * (size - 1) + span - output_shape[axis]);
    });
    return { ...kernel, ...halved(emit, totals, auto_pad !== 'SAME_UPPER') };
  }
  if (!auto_pad.startsWith('SAME')) return { ...kernel, ...stated(auto_pad === 'NOTSET' ? pads : undefined, spans.length) };
  return { ...kernel, ...halved(emit, extra.map((span, axis) => Math.max(0, span - strides[axis])), auto_pad !== 'SAME_UPPER') };
}

/** dx of a convolution. X [n, (g i), S…], W [(g o), i, K…], dY [n, (g o), T…]. */
function readFrom(emit: Emit, X: Known, W: Known, dY: Known, window: Window, group: number): Value {
  const { taps, strides, dilations, spans, before, after } = window;
  const fixed = [...before, ...after].every((size) => typeof size === 'number');
  const flippedPads = [...before, ...after].map((size, k) => (typeof size === 'number' ? spans[k % spans.length] - 1 - size : -1));
  if (strides.every((stride) => stride === 1) && flippedPads.every((size) => size >= 0)) {
    return emit.op('Conv', [dY, flipped(emit, W, taps, group)], { dilations, group, pads: flippedPads });
  }
  // What the last step of the kernel left unread: known, or less than a stride.
  const unread = strides.map((stride, axis) => {
    const [x, y, front, end] = [X.shape[axis + 2], dY.shape[axis + 2], before[axis], after[axis]];
    return x !== undefined && y !== undefined && typeof front === 'number' && typeof end === 'number' ? x + front + end - spans[axis] - stride * (y - 1) : undefined;
  });
  const dx = emit.op('ConvTranspose', [dY, W], {
    strides, dilations, group,
    pads: fixed ? ([...before, ...after] as number[]) : [...before, ...after].map(() => 0),
    output_padding: unread.map((size, axis) => size ?? strides[axis] - 1),
  });
  if (fixed && unread.every((size, axis) => size !== undefined || strides[axis] === 1)) return dx;
  const starts = before.map((size) => (fixed ? 0 : size));
  return emit.slice(dx, { axes: spaceOf(X.shape), starts, ends: starts.map((start, axis) => emit.plus(start, emit.size(X, axis + 2))) });
}

/** The kernel back to front with its channels swapped: [(g o), i, K…] to [(g i), o, K…]. */
function flipped(emit: Emit, W: Known, taps: readonly number[], group: number): Value {
  const axes = taps.flatMap((count, axis) => (count > 1 ? [axis + 2] : []));
  const turned = axes.length === 0 ? W : emit.slice(W, { axes, starts: axes.map(() => -1), ends: axes.map((axis) => -1 - taps[axis - 2]), steps: axes.map(() => -1) });
  const [outs, ins] = W.shape as readonly number[];
  if (group === 1) return emit.transpose(turned, [1, 0, ...spaceOf(W.shape)]);
  if (ins === 1 && outs === group) return turned;
  const grouped = emit.reshape(turned, [group, outs / group, ins, ...taps]);
  return emit.reshape(emit.transpose(grouped, [0, 2, 1, ...taps.map((_, axis) => axis + 3)]), [group * ins, outs / group, ...taps]);
}
