import type { Attributes } from '@coppice/graph';
import type { Emit, Known, Size, Value } from '../emit.ts';
import { NoGradient, withForward, type Rows } from '../vjp.ts';
import { countOf, from } from './axes.ts';

/** How windows lie on the spatial axes of a tensor [N, C, …]: one entry an axis. */
interface Windows {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** What is padded before and after. */
  readonly before: readonly Size[];
  readonly after: readonly Size[];
}

type PoolAttributes = Pick<Attributes<'AveragePool'>, 'kernel_shape' | 'auto_pad' | 'dilations' | 'pads' | 'strides'>;

function windowsOf(emit: Emit, X: Known, Y: Known, { kernel_shape: kernel, auto_pad, dilations, pads, strides }: PoolAttributes): Windows {
  const ones = kernel.map(() => 1);
  const steps = { kernel, strides: strides ?? ones, dilations: dilations ?? ones };
  if (auto_pad === 'SAME_UPPER' || auto_pad === 'SAME_LOWER') {
    const halves = kernel.map((_, a) => halved(emit, missing(emit, steps, X, Y, a)));
    const [less, more] = [halves.map(([half]) => half), halves.map(([, rest]) => rest)];
    return auto_pad === 'SAME_UPPER' ? { ...steps, before: less, after: more } : { ...steps, before: more, after: less };
  }
  const stated = auto_pad === 'VALID' || !pads ? [...kernel, ...kernel].map(() => 0) : pads;
  return { ...steps, before: stated.slice(0, kernel.length), after: stated.slice(kernel.length) };
}

/** How far one window reaches. */
const reachOf = ({ kernel, dilations }: Pick<Windows, 'kernel' | 'dilations'>, a: number): number => (kernel[a] - 1) * dilations[a] + 1;

/** What must be padded so that the last of as many windows as there are results fits. */
function missing(emit: Emit, steps: Pick<Windows, 'kernel' | 'dilations' | 'strides'>, X: Known, Y: Known, a: number): Size {
  const reach = reachOf(steps, a);
  // As many windows as elements: the sizes cancel.
  if (steps.strides[a] === 1) return reach - 1;
  const read = emit.plus(emit.times(emit.plus(emit.size(Y, a + 2), -1), steps.strides[a]), reach);
  const total = emit.minus(read, emit.size(X, a + 2));
  return typeof total === 'number' ? Math.max(0, total) : emit.op('Max', [total, emit.ints([0])]);
}

function halved(emit: Emit, size: Size): readonly [Size, Size] {
  const half = typeof size === 'number' ? Math.floor(size / 2) : emit.op('Div', [size, emit.ints([2])]);
  return [half, emit.minus(size, half)];
}

const onesKernel = (emit: Emit, { kernel }: Windows): Value => {
  const count = kernel.reduce((product, k) => product * k, 1);
  return emit.floats(Array.from({ length: count }, () => 1), [1, 1, ...kernel]);
};

/**
 * For each element of X the sum of what its windows hold, the transpose of a sum over windows. Each channel is an item of its own, so that
 * one kernel of ones serves all.
 * @param g [N, C, windows…]
 */
function sumOfWindows(emit: Emit, g: Value, X: Known, Y: Known, windows: Windows): Value {
  const space = from(2, X.shape.length);
  const channels = emit.reshape(g, [-1, 1, ...space.map((axis) => emit.size(Y, axis))]);
  const placed = emit.op('ConvTranspose', [channels, onesKernel(emit, windows)], { strides: windows.strides, dilations: windows.dilations });
  // At the end less than a stride may lie in no window.
  const whole = emit.pad(placed, [0, 0, ...space.map(() => 0), 0, 0, ...windows.strides.map((stride) => stride - 1)]);
  const ends = space.map((axis, a) => emit.plus(windows.before[a], emit.size(X, axis)));
  return emit.reshape(emit.slice(whole, { axes: space, starts: windows.before, ends }), emit.sizes(X));
}

/** By how much each window divides: [1, 1, windows…] where padding is not counted or windows hang over, else a number. */
function divisors(emit: Emit, X: Known, Y: Known, windows: Windows, { ceil_mode, count_include_pad }: Attributes<'AveragePool'>): Value | number {
  const { kernel, strides, dilations, before, after } = windows;
  const padded = [...before, ...after].some((size) => size !== 0);
  if (ceil_mode === 0 && (!padded || count_include_pad === 1)) return kernel.reduce((product, k) => product * k, 1);
  const space = from(2, X.shape.length);
  const zeros = space.map(() => 0);
  const hanging = ceil_mode === 0 ? zeros : strides.map((stride) => stride - 1);
  const inside = space.map((axis, a) => (count_include_pad === 1 ? emit.plus(emit.size(X, axis), emit.plus(before[a], after[a])) : emit.size(X, axis)));
  const ones = emit.expand(emit.scalar(1), [1, 1, ...inside]);
  const around = count_include_pad === 1 ? [...zeros, 0, 0, ...hanging] : [...before, 0, 0, ...after.map((size, a) => emit.plus(size, hanging[a]))];
  const counts = emit.op('Conv', [emit.pad(ones, [0, 0, ...around]), onesKernel(emit, windows)], { strides, dilations });
  return ceil_mode === 0 ? counts : emit.slice(counts, { axes: space, starts: zeros, ends: space.map((axis) => emit.size(Y, axis)) });
}

/** d‖x‖_p / dx = sign x·|x|^(p−1)·‖x‖^(1−p): the first two factors. */
function powerSlope(emit: Emit, x: Value, p: number): Value {
  if (p === 2) return x;
  const sign = emit.op('Sign', [x]);
  return p === 1 ? sign : emit.mul(sign, emit.op('Pow', [emit.op('Abs', [x]), p - 1]));
}

/** dy·‖x‖^(1−p), and 0 where the norm is. */
function perNorm(emit: Emit, dY: Value, norm: Value, p: number): Value {
  if (p === 1) return dY;
  const alive = emit.op('Greater', [norm, 0]);
  const safe = emit.where(alive, norm, 1);
  return emit.where(alive, emit.div(dY, p === 2 ? safe : emit.op('Pow', [safe, p - 1])), 0);
}

export const pools = {
  /**
   * What flows back goes to the one element that won its window; the forward pass gives its number in the whole tensor. Comparing windows with
   * their winners instead takes three to five times as long.
   */
  MaxPool: withForward<'MaxPool', { readonly winners: Value }>({
    forward({ inputs: { X }, outputs: { Indices }, attributes: { storage_order, ...attributes }, emit }) {
      if (Indices && storage_order === 1) throw new NoGradient('the numbers of its winners count columns first');
      const [Y, winners] = emit.node('MaxPool', [X], attributes, 2);
      return { outputs: { Y, Indices: winners }, saved: { winners } };
    },
    backward: ({ inputs: { X }, dY, saved, emit }) => ({
      X: () => {
        const flat = (v: Value) => emit.reshape(v, [-1]);
        const sums = emit.op('ScatterElements', [flat(emit.zerosLike(X)), flat(saved!.winners), flat(dY)], { axis: 0, reduction: 'add' });
        return emit.reshape(sums, emit.sizes(X));
      },
    }),
  }),

  /** Each element gets, from each window that it lies in, dy / (number of elements that the window counts). */
  AveragePool: ({ inputs: { X }, outputs: { Y }, attributes, dY, emit }) => ({
    X: () => {
      const windows = windowsOf(emit, X, Y, attributes);
      return sumOfWindows(emit, emit.div(dY, divisors(emit, X, Y, windows, attributes)), X, Y, windows);
    },
  }),

  /** y = ‖window‖_p: dx = sign x·|x|^(p−1)·(sum of dy·y^(1−p) over the windows in which it lies). */
  LpPool: ({ inputs: { X }, outputs: { Y }, attributes, dY, emit }) => ({
    X: () => emit.mul(powerSlope(emit, X, attributes.p), sumOfWindows(emit, perNorm(emit, dY, Y, attributes.p), X, Y, windowsOf(emit, X, Y, attributes))),
  }),

  /** An element went to the place that its index names, and its gradient comes from there. */
  MaxUnpool({ inputs: { X, I, output_shape }, dY, emit }) {
    if (output_shape) throw new NoGradient('its indices count through another shape than that of its result');
    return { X: () => emit.reshape(emit.gather(emit.reshape(dY, [-1]), emit.reshape(I, [-1]), 0), emit.sizes(X)) };
  },

  /** The mean over all positions. */
  GlobalAveragePool: ({ inputs: { X }, dY, emit }) => ({
    X: () => emit.expand(emit.div(dY, countOf(emit, X, from(2, X.shape.length))), emit.sizes(X)),
  }),

  /** The largest of all positions; equal ones share. */
  GlobalMaxPool: ({ inputs: { X }, outputs: { Y }, dY, emit }) => ({
    X: () => {
      const wins = emit.asFloat(emit.op('Equal', [X, Y]));
      return emit.mul(wins, emit.div(dY, emit.reduceSum(wins, from(2, X.shape.length), true)));
    },
  }),

  /** y = ‖x‖_p over all positions. */
  GlobalLpPool: ({ inputs: { X }, outputs: { Y }, attributes: { p }, dY, emit }) => ({
    X: () => emit.mul(powerSlope(emit, X, p), perNorm(emit, dY, Y, p)),
  }),
} satisfies Rows;
