import { array, axisOf, build, count, indices, map, offset, type Array64 } from './array64.ts';
import type { EagerRows } from './row.ts';

/** A number for each list of elements that agree in all but some axes; those axes become ones. */
function over(x: Array64, axes: readonly number[], of: (elements: readonly number[]) => number): Array64 {
  const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const lists = Array.from({ length: count(kept) }, (): number[] => []);
  let k = 0;
  for (const index of indices(x.shape)) lists[offset(kept, index.map((i, axis) => (axes.includes(axis) ? 0 : i)))].push(x.data[k++]);
  return array(kept, lists.map(of));
}

const total = (elements: readonly number[]): number => elements.reduce((sum, x) => sum + x, 0);
const mean = (elements: readonly number[]): number => total(elements) / elements.length;
const variance = (elements: readonly number[]): number => mean(elements.map((x) => (x - mean(elements)) ** 2));

const range = (start: number, end: number): number[] => Array.from({ length: Math.max(0, end - start) }, (_, k) => start + k);

/** (x − mean) / √(variance + ε). */
const standard = (x: Array64, means: Array64, variances: Array64, epsilon: number): Array64 => map((a, m, v) => (a - m) / Math.sqrt(v + epsilon), [x, means, variances]);

/** [C] against [N, C, …]. */
const byChannel = (v: Array64, rank: number): Array64 => ({ ...v, shape: [v.shape[0], ...range(0, rank - 2).map(() => 1)] });

const affine = (x: Array64, scale: Array64, shift: Array64 | undefined): Array64 => map((a, s, b) => a * s + b, [x, scale, shift ?? array([], [0])]);

/** A function of each vector along an axis. */
function alongAxis(x: Array64, axis: number, of: (vector: readonly number[]) => readonly number[]): Array64 {
  const at = axisOf(axis, x.shape.length);
  const vectors = new Map<string, number[]>();
  const key = (index: readonly number[]) => index.with(at, 0).join();
  let k = 0;
  for (const index of indices(x.shape)) (vectors.get(key(index)) ?? vectors.set(key(index), []).get(key(index))!).push(x.data[k++]);
  const made = new Map([...vectors].map(([name, vector]) => [name, of(vector)]));
  return build(x.shape, (index) => made.get(key(index))![index[at]]);
}

export const normalisation = {
  BatchNormalization([x, scale, shift, storedMean, storedVariance], { epsilon, momentum, training_mode }) {
    const rank = x.shape.length;
    if (training_mode === 0) return [affine(standard(x, byChannel(storedMean, rank), byChannel(storedVariance, rank), epsilon), byChannel(scale, rank), byChannel(shift, rank))];
    const axes = [0, ...range(2, rank)];
    const [means, variances] = [over(x, axes, mean), over(x, axes, variance)];
    const running = (stored: Array64, current: Array64) => map((a, b) => a * momentum + b * (1 - momentum), [stored, { ...current, shape: stored.shape }]);
    return [affine(standard(x, means, variances, epsilon), byChannel(scale, rank), byChannel(shift, rank)), running(storedMean, means), running(storedVariance, variances)];
  },

  LayerNormalization([x, scale, shift], { axis, epsilon }) {
    const axes = range(axisOf(axis, x.shape.length), x.shape.length);
    const [means, variances] = [over(x, axes, mean), over(x, axes, variance)];
    return [affine(standard(x, means, variances, epsilon), scale, shift), means, map((v) => 1 / Math.sqrt(v + epsilon), [variances])];
  },

  RMSNormalization([x, scale], { axis, epsilon }) {
    const squares = over(x, range(axisOf(axis, x.shape.length), x.shape.length), (elements) => mean(elements.map((a) => a * a)));
    return [map((a, q, s) => (a / Math.sqrt(q + epsilon)) * s, [x, squares, scale])];
  },

  InstanceNormalization([x, scale, shift], { epsilon }) {
    const rank = x.shape.length;
    const axes = range(2, rank);
    return [affine(standard(x, over(x, axes, mean), over(x, axes, variance), epsilon), byChannel(scale, rank), byChannel(shift, rank))];
  },

  GroupNormalization([x, scale, shift], { num_groups, epsilon }) {
    const rank = x.shape.length;
    const [n, c, ...space] = x.shape;
    const groups: Array64 = { ...x, shape: [n, num_groups, c / num_groups, ...space] };
    const axes = range(2, rank + 1);
    const whole = standard(groups, over(groups, axes, mean), over(groups, axes, variance), epsilon);
    return [affine({ ...whole, shape: x.shape }, byChannel(scale, rank), byChannel(shift, rank))];
  },

  LpNormalization([x], { axis, p }) {
    const norms = over(x, [axisOf(axis, x.shape.length)], (elements) => (p === 1 ? total(elements.map(Math.abs)) : Math.hypot(...elements)));
    return [map((a, n) => (n === 0 ? 0 : a / n), [x, norms])];
  },

  MeanVarianceNormalization([x], { axes = [0, 2, 3] }) {
    const own = axes.map((axis) => axisOf(axis, x.shape.length));
    return [map((a, m, v) => (a - m) / (Math.sqrt(v) + 1e-9), [x, over(x, own, mean), over(x, own, variance)])];
  },

  LRN([x], { size, alpha, beta, bias }) {
    return [build(x.shape, (index) => {
      const c = index[1];
      let squares = 0;
      for (let j = Math.max(0, c - Math.floor((size - 1) / 2)); j <= Math.min(x.shape[1] - 1, c + Math.ceil((size - 1) / 2)); j++) squares += x.data[offset(x.shape, index.with(1, j))] ** 2;
      return x.data[offset(x.shape, index)] / (bias + (alpha / size) * squares) ** beta;
    })];
  },

  Softmax: ([x], { axis }) => [alongAxis(x, axis, (vector) => {
    const powers = vector.map((a) => Math.exp(a - Math.max(...vector)));
    return powers.map((a) => a / total(powers));
  })],
  LogSoftmax: ([x], { axis }) => [alongAxis(x, axis, (vector) => {
    const most = Math.max(...vector);
    const log = most + Math.log(total(vector.map((a) => Math.exp(a - most))));
    return vector.map((a) => a - log);
  })],
  Hardmax: ([x], { axis }) => [alongAxis(x, axis, (vector) => vector.map((_, k) => (k === vector.indexOf(Math.max(...vector)) ? 1 : 0)))],
} satisfies EagerRows;
