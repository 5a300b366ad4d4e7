import type { Attributes } from '@coppice/graph';
import type { Device } from '../adapter.ts';
import { axisOf, numbers, sizeOf, stridesOf, vector } from '../host/array.ts';
import { alongAxis, axesOf, keptDims, reduced } from '../host/reduction.ts';
import { lowered, type Computed, type DeviceRow, type Rows } from '../row.ts';
import { inverse, Value, type Host } from '../value.ts';
import { lying } from './follow.ts';

type ReduceAttributes = Attributes<'ReduceSum'>;

const statedAxes = (rank: number, axes: Host | undefined, { noop_with_empty_axes }: ReduceAttributes): number[] => axesOf(rank, axes && numbers(axes), noop_with_empty_axes === 1);

/** A reduction as the operand lies. */
export function reduceDevice(device: Device, kernel: string, x: Value, axes: readonly number[], keepDims: boolean): Value {
  if (axes.length === 0) return x.share();
  const here = lying(x, device);
  const order = x.order;
  const physical = (order ? axes.map((axis) => order[axis]) : [...axes]).sort((a, b) => a - b);
  const tensor = device.run(kernel, { x: here }, { axis: physical, reductionIndices: physical, keepDims });
  if (!order) return fixed(x.dtype, device, tensor, keptDims(x.dims, axes, keepDims));
  if (keepDims) return Value.ordered(x.dtype, tensor, order);
  const places = order.flatMap((place, axis) => (axes.includes(axis) ? [] : place));
  const sorted = [...places].sort((a, b) => a - b);
  const left = places.map((place) => sorted.indexOf(place));
  return Value.ordered(x.dtype, tensor, left.every((axis, k) => axis === k) ? undefined : left);
}

/** Some kernels forget axes of size 1. */
const fixed = (dtype: Value['dtype'], device: Device, tensor: ReturnType<Device['run']>, dims: readonly number[]): Value =>
  Value.device(dtype, tensor.shape.length === dims.length && tensor.shape.every((size, k) => size === dims[k]) ? tensor : device.consume(tensor, (t) => device.reshape(t, dims)));

const onDevice = (kernel: string): DeviceRow<ReduceAttributes> => ({ inputs: [x, axes], attributes, device }) =>
  [reduceDevice(device, kernel, x, statedAxes(x.dims.length, axes as (Value & Host) | undefined, attributes), attributes.keepdims === 1)];

const reducing = (kernel: string, of: (list: number[]) => number, big?: (list: bigint[]) => bigint): Computed<ReduceAttributes> => ({
  host: ({ inputs: [x, axes], attributes }) => [reduced(x, statedAxes(x.dims.length, axes, attributes), attributes.keepdims === 1, of, big)],
  device: onDevice(kernel),
  kernels: [kernel],
  reads: [1],
});

const total = (list: readonly number[]): number => list.reduce((sum, x) => sum + x, 0);

/** The place of the best element; of equal ones the first, or the last. */
const best = (better: (a: number | bigint, b: number | bigint) => boolean): Computed<Attributes<'ArgMax'>> => ({
  host({ inputs: [x], attributes: { axis, keepdims, select_last_index } }) {
    const at = axisOf(axis, x.dims.length);
    const [size, inner] = [x.dims[at], stridesOf(x.dims)[at]];
    const dims = keptDims(x.dims, [at], keepdims === 1);
    const places = Array.from({ length: sizeOf(dims) }, (_, k) => {
      const start = Math.floor(k / inner) * size * inner + (k % inner);
      let found = 0;
      for (let j = 1; j < size; j++) {
        const [candidate, holder] = [x.data[start + j * inner] as number, x.data[start + found * inner] as number];
        if (better(candidate, holder) || (select_last_index === 1 && candidate === holder)) found = j;
      }
      return found;
    });
    return [{ ...vector(places), dims }];
  },
});

/** max + log Σ e^(x − max). */
const logSum = (list: ArrayLike<number>): number => {
  let most = -Infinity;
  for (let k = 0; k < list.length; k++) most = Math.max(most, list[k]);
  if (!Number.isFinite(most)) return most;
  let sum = 0;
  for (let k = 0; k < list.length; k++) sum += Math.exp(list[k] - most);
  return most + Math.log(sum);
};

/** A kernel over the last axis, with another one moved there. */
function overLast(device: Device, x: Value, axis: number, run: (tensor: ReturnType<Device['run']>) => ReturnType<Device['run']>): Value {
  const rank = x.dims.length;
  const at = axisOf(axis, rank);
  const order = x.dims.map((_, k) => k).filter((k) => k !== at).concat(at);
  const isLast = at === rank - 1;
  const moved = isLast && !x.order ? x.plain(device) : x.ordered(device, order);
  const flat = device.reshape(moved, [sizeOf(moved.shape.slice(0, -1)), moved.shape.at(-1)!]);
  const result = device.consume(device.consume(flat, run), (tensor) => device.reshape(tensor, moved.shape));
  return Value.ordered(x.dtype, result, isLast ? undefined : inverse(order));
}

/** x − max − log Σ e^(x − max) over the last axis of a matrix. */
function logSoftmax(device: Device, x: ReturnType<Device['run']>): ReturnType<Device['run']> {
  const most = device.run('Max', { x }, { reductionIndices: [1], keepDims: true });
  const shifted = device.consume(most, (tensor) => device.run('Sub', { a: x, b: tensor }));
  const sum = device.consume(device.run('Exp', { x: shifted }), (tensor) => device.run('Sum', { x: tensor }, { axis: [1], keepDims: true }));
  const log = device.consume(sum, (tensor) => device.run('Log', { x: tensor }));
  const result = device.run('Sub', { a: shifted, b: log });
  for (const tensor of [shifted, log]) device.dispose(tensor);
  return result;
}

export const reduction = {
  ReduceSum: reducing('Sum', total, (list) => list.reduce((sum, x) => sum + x, 0n)),
  ReduceMean: reducing('Mean', (list) => total(list) / list.length),
  ReduceMax: { ...reducing('Max', (list) => list.reduce((a, b) => Math.max(a, b), -Infinity), (list) => list.reduce((a, b) => (a > b ? a : b), -(2n ** 63n))) },
  ReduceMin: { ...reducing('Min', (list) => list.reduce((a, b) => Math.min(a, b), Infinity), (list) => list.reduce((a, b) => (a < b ? a : b), 2n ** 63n - 1n)) },
  ReduceProd: reducing('Prod', (list) => list.reduce((product, x) => product * x, 1), (list) => list.reduce((product, x) => product * x, 1n)),
  ReduceL1: lowered,
  ReduceL2: lowered,
  ReduceLogSum: lowered,
  ReduceLogSumExp: {
    host: ({ inputs: [x, axes], attributes }) => [reduced(x, statedAxes(x.dims.length, axes, attributes), attributes.keepdims === 1, logSum)],
    device({ inputs: [x, axes], attributes, device }) {
      const over = statedAxes(x.dims.length, axes as (Value & Host) | undefined, attributes);
      return [logSumExpDevice(device, x, over, attributes.keepdims === 1)];
    },
    kernels: ['Max', 'Sub', 'Exp', 'Sum', 'Log', 'Add'],
    reads: [1],
  },
  ReduceSumSquare: lowered,
  ArgMax: best((a, b) => a > b),
  ArgMin: best((a, b) => a < b),
  Softmax: {
    host: ({ inputs: [x], attributes: { axis } }) => [alongAxis(x, axis, (list) => {
      const log = logSum(list);
      return list.map((a) => Math.exp(a - log));
    })],
    device: ({ inputs: [x], attributes: { axis }, device }) => [overLast(device, x, axis, (logits) => device.run('Softmax', { logits }, { dim: 1 }))],
    kernels: ['Softmax'],
  },
  LogSoftmax: {
    host: ({ inputs: [x], attributes: { axis } }) => [alongAxis(x, axis, (list) => {
      const log = logSum(list);
      return list.map((a) => a - log);
    })],
    device: ({ inputs: [x], attributes: { axis }, device }) => [overLast(device, x, axis, (matrix) => logSoftmax(device, matrix))],
    kernels: ['Max', 'Sub', 'Exp', 'Sum', 'Log'],
  },
  Hardmax: {
    host: ({ inputs: [x], attributes: { axis } }) => [alongAxis(x, axis, (list) => {
      const top = list.indexOf(Math.max(...list));
      return list.map((_, k) => (k === top ? 1 : 0));
    })],
  },
} satisfies Rows;

/** As `logSum`; where every element is −∞ the shift is 0, so that the result is −∞ and not NaN. */
function logSumExpDevice(device: Device, x: Value, axes: readonly number[], keepDims: boolean): Value {
  const plain = x.plain(device);
  const most = device.run('Max', { x: plain }, { reductionIndices: [...axes], keepDims: true });
  const shift = device.consume(most, (tensor) => device.run('ClipByValue', { x: tensor }, { clipValueMin: -3.4e38, clipValueMax: 3.4e38 }));
  const powers = device.consume(device.run('Sub', { a: plain, b: shift }), (tensor) => device.run('Exp', { x: tensor }));
  const sum = device.consume(powers, (tensor) => device.run('Sum', { x: tensor }, { axis: [...axes], keepDims: true }));
  const log = device.consume(sum, (tensor) => device.run('Log', { x: tensor }));
  const whole = device.consume(log, (tensor) => device.run('Add', { a: tensor, b: shift }));
  device.dispose(shift);
  return fixed(x.dtype, device, whole, keptDims(x.dims, axes, keepDims));
}
