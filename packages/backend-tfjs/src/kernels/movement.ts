import type { Device, DeviceTensor } from '../adapter.ts';
import { axisOf, broadcast, broadcastDims, elements, expectThat, indices, numbers, permuted, reshaped, sizeOf, stridesOf, strided, vector, writable } from '../host/array.ts';
import { expectJoinable, joined, padded, sliceBounds, sliced } from '../host/movement.ts';
import { ALL, FLOAT, HELD, type DeviceCall, type Rows } from '../row.ts';
import { inverse, Value, type Host, type Order } from '../value.ts';
import { arranged, commonOrder, lying, spread } from './follow.ts';

/** An operand that was read. */
const read = (value: Value): number[] => numbers(value as Value & Host);

/** The shape that Reshape asks for: 0 copies a size, −1 is what is left. Spec: Reshape-21. */
export function targetDims(dims: readonly number[], wanted: readonly number[], allowZero: boolean): number[] {
  const result = wanted.map((size, axis) => (size === 0 && !allowZero ? dims[axis] : size));
  const open = result.indexOf(-1);
  const known = result.reduce((product, size) => (size === -1 ? product : product * size), 1);
  if (open >= 0) result[open] = known === 0 ? 0 : sizeOf(dims) / known;
  if (sizeOf(result) !== sizeOf(dims) || result.some((size) => !Number.isInteger(size))) throw new Error(`${sizeOf(dims)} elements do not fit the shape [${wanted.join(', ')}]`);
  return result;
}

/** A value in another shape; shares its elements. */
function reshapedValue(x: Value, dims: readonly number[], device: Device): Value {
  if (!x.order && dims.length === x.dims.length && dims.every((size, k) => size === x.dims[k])) return x.share();
  return Value.device(x.dtype, device.reshape(x.plain(device), dims));
}

/** The axes that Squeeze drops: the stated ones, or all of size 1. */
function squeezedDims(dims: readonly number[], axes: readonly number[] | undefined): number[] {
  const dropped = axes ? axes.map((axis) => axisOf(axis, dims.length)) : dims.flatMap((size, axis) => (size === 1 ? axis : []));
  const wrong = dropped.find((axis) => dims[axis] !== 1);
  if (wrong !== undefined) throw new Error(`axis ${wrong} of [${dims.join(', ')}] has not size 1`);
  return dims.filter((_, axis) => !dropped.includes(axis));
}

function unsqueezedDims(dims: readonly number[], axes: readonly number[]): number[] {
  const rank = dims.length + axes.length;
  const added = new Set(axes.map((axis) => axisOf(axis, rank)));
  let k = 0;
  return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : dims[k++]));
}

const flattenedDims = (dims: readonly number[], axis: number): number[] => {
  const at = axisOf(axis, dims.length);
  return [sizeOf(dims.slice(0, at)), sizeOf(dims.slice(at))];
};

const reversedOrder = (rank: number): Order => Array.from({ length: rank }, (_, k) => rank - 1 - k);

/** Sizes of the parts of Split. Spec: Split-18. */
function partSizes(size: number, stated: readonly number[] | undefined, count: number): readonly number[] {
  if (stated) {
    expectThat(stated.reduce((a, b) => a + b, 0) === size, () => `parts of ${stated.join(', ')} are not ${size} in all`);
    return stated;
  }
  const each = Math.ceil(size / count);
  return Array.from({ length: count }, (_, k) => Math.max(0, Math.min(each, size - k * each)));
}

/** What a Slice node reads, an entry for each axis that it names. */
function slicesOf(dims: readonly number[], [, starts, ends, axes, steps]: readonly Host[]): { readonly axis: number; readonly start: number; readonly count: number; readonly step: number }[] {
  const to = numbers(ends);
  const along = axes ? numbers(axes) : to.map((_, k) => k);
  const by = steps ? numbers(steps) : to.map(() => 1);
  return numbers(starts).map((start, k) => {
    const axis = axisOf(along[k], dims.length);
    return { axis, ...sliceBounds(dims[axis], start, to[k], by[k]) };
  });
}

/** What comes before and after each axis. Spec: Pad-21. */
function padsOf(rank: number, pads: readonly number[], axes: readonly number[] | undefined): readonly [before: number[], after: number[]] {
  const [before, after] = [Array<number>(rank).fill(0), Array<number>(rank).fill(0)];
  const along = axes ? axes.map((axis) => axisOf(axis, rank)) : before.map((_, k) => k);
  along.forEach((axis, k) => {
    before[axis] = pads[k];
    after[axis] = pads[k + along.length];
  });
  return [before, after];
}

export const movement = {
  Identity: { host: ({ inputs: [x] }) => [x], device: ({ inputs: [x] }) => [x.share()], takes: HELD, hostTakes: ALL },
  Reshape: {
    host: ({ inputs: [x, shape], attributes: { allowzero } }) => [reshaped(x, targetDims(x.dims, numbers(shape), allowzero === 1))],
    device: ({ inputs: [x, shape], attributes: { allowzero }, device }) => [reshapedValue(x, targetDims(x.dims, read(shape), allowzero === 1), device)],
    reads: [1], takes: HELD, hostTakes: ALL,
  },
  Flatten: {
    host: ({ inputs: [x], attributes: { axis } }) => [reshaped(x, flattenedDims(x.dims, axis))],
    device: ({ inputs: [x], attributes: { axis }, device }) => [reshapedValue(x, flattenedDims(x.dims, axis), device)],
    takes: HELD, hostTakes: ALL,
  },
  Squeeze: {
    host: ({ inputs: [x, axes] }) => [reshaped(x, squeezedDims(x.dims, axes && numbers(axes)))],
    device: ({ inputs: [x, axes], device }) => [reshapedValue(x, squeezedDims(x.dims, axes && read(axes)), device)],
    reads: [1], takes: HELD, hostTakes: ALL,
  },
  Unsqueeze: {
    host: ({ inputs: [x, axes] }) => [reshaped(x, unsqueezedDims(x.dims, numbers(axes)))],
    device: ({ inputs: [x, axes], device }) => [reshapedValue(x, unsqueezedDims(x.dims, read(axes)), device)],
    reads: [1], takes: HELD, hostTakes: ALL,
  },
  /** Nothing moves on the device: the value lies in another order, and who reads it decides. */
  Transpose: {
    host: ({ inputs: [x], attributes: { perm } }) => [permuted(x, perm ?? reversedOrder(x.dims.length))],
    device({ inputs: [x], attributes: { perm }, device }) {
      const order = perm ?? reversedOrder(x.dims.length);
      const whole = x.order ? order.map((axis) => x.order![axis]) : order;
      const isPlain = whole.every((axis, k) => axis === k);
      return [Value.ordered(x.dtype, device.run('Identity', { x: lying(x, device) }), isPlain ? undefined : whole)];
    },
    takes: HELD, hostTakes: ALL,
  },
  Concat: {
    host: ({ inputs, attributes: { axis } }) => [joined(inputs, axisOf(axis, inputs[0].dims.length))],
    device({ inputs, attributes: { axis }, device }) {
      const parts = inputs.filter(({ size }) => size > 0);
      const along = axisOf(axis, inputs[0].dims.length);
      expectJoinable(inputs, along);
      if (parts.length === 1) return [parts[0].share()];
      const order = commonOrder(parts);
      const tensors = parts.map((value) => arranged(value, device, order)[0]);
      return [Value.ordered(inputs[0].dtype, device.run('Concat', tensors, { axis: order ? inverse(order).indexOf(along) : along }), order)];
    },
    takes: HELD, hostTakes: ALL,
  },
  Split: {
    host({ inputs: [x, split], attributes: { axis, num_outputs }, outputs }) {
      const along = axisOf(axis, x.dims.length);
      let start = 0;
      return partSizes(x.dims[along], split && numbers(split), num_outputs ?? outputs).map((size) => sliced(x, along, (start += size) - size, size));
    },
    device({ inputs: [x, split], attributes: { axis, num_outputs }, outputs, wanted, device }) {
      const along = axisOf(axis, x.dims.length);
      const here = lying(x, device);
      const physical = x.order ? x.order[along] : along;
      let start = 0;
      return partSizes(x.dims[along], split && read(split), num_outputs ?? outputs).map((size, k) => {
        start += size;
        return wanted[k] ? Value.ordered(x.dtype, device.cut(here, physical, start - size, size), x.order) : undefined;
      });
    },
    reads: [1], takes: HELD, hostTakes: ALL,
  },
  Slice: {
    host: ({ inputs }) => [slicesOf(inputs[0].dims, inputs).reduce((x, { axis, start, count, step }) => sliced(x, axis, start, count, step), inputs[0])],
    device: ({ inputs, device }) => [sliceDevice(inputs, device)],
    kernels: ['Slice', 'GatherV2'],
    reads: [1, 2, 3, 4], takes: HELD, hostTakes: ALL,
  },
  Expand: {
    host: ({ inputs: [x, shape] }) => [broadcast(x, broadcastDims(x.dims, numbers(shape)))],
    device({ inputs: [x, shape], device }) {
      const dims = broadcastDims(x.dims, read(shape));
      const wide = spread(device, x.plain(device), dims);
      return [wide === x.tensor || wide === x.plain(device) ? x.share() : Value.device(x.dtype, wide)];
    },
    kernels: ['Tile'], reads: [1], takes: HELD, hostTakes: ALL,
  },
  Tile: {
    host({ inputs: [x, repeats] }) {
      const reps = numbers(repeats);
      const strides = stridesOf(x.dims);
      // [r0, d0, r1, d1, …] with strides of 0 for the repeats.
      return [reshaped(strided(x, x.dims.flatMap((size, k) => [reps[k], size]), strides.flatMap((stride) => [0, stride])), x.dims.map((size, k) => size * reps[k]))];
    },
    device: ({ inputs: [x, repeats], device }) => [Value.device(x.dtype, device.run('Tile', { x: x.plain(device) }, { reps: read(repeats) }))],
    kernels: ['Tile'], reads: [1], takes: HELD, hostTakes: ALL,
  },
  Pad: {
    host({ inputs: [x, pads, value, axes], attributes: { mode } }) {
      const [before, after] = padsOf(x.dims.length, numbers(pads), axes && numbers(axes));
      return [padded(x, before, after, mode, value ? (value.data[0] as number) : zeroOf(x))];
    },
    device: padDevice,
    kernels: ['PadV2', 'Slice'], reads: [1, 2, 3], takes: FLOAT, hostTakes: ALL,
    deviceWhen: ({ attributes: { mode } }) => mode === 'constant',
  },
  DepthToSpace: {
    host: ({ inputs: [x], attributes: { blocksize: b, mode } }) => {
      const [n, c, h, w] = x.dims;
      const split = mode === 'CRD' ? [n, c / (b * b), b, b, h, w] : [n, b, b, c / (b * b), h, w];
      return [reshaped(permuted(reshaped(x, split), mode === 'CRD' ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2]), [n, c / (b * b), h * b, w * b])];
    },
    hostTakes: ALL,
  },
  SpaceToDepth: {
    host: ({ inputs: [x], attributes: { blocksize: b, mode } }) => {
      const [n, c, h, w] = x.dims;
      return [reshaped(permuted(reshaped(x, [n, c, h / b, b, w / b, b]), mode === 'CRD' ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4]), [n, c * b * b, h / b, w / b])];
    },
    hostTakes: ALL,
  },
  /** Each sequence turned round within its length. Spec: ReverseSequence-10. */
  ReverseSequence: {
    host({ inputs: [x, lengths], attributes: { batch_axis, time_axis } }) {
      const counts = numbers(lengths);
      for (const count of counts) expectThat(count >= 0 && count <= x.dims[time_axis], () => `a sequence of ${count} where there are ${x.dims[time_axis]}`);
      expectThat(counts.length === x.dims[batch_axis], () => `${counts.length} lengths for ${x.dims[batch_axis]} sequences`);
      const strides = stridesOf(x.dims);
      const out = elements(x.dtype, x.data.length);
      const to = writable(out);
      let k = 0;
      for (const index of indices(x.dims)) {
        const [t, length] = [index[time_axis], counts[index[batch_axis]]];
        const from = t < length ? k + (length - 1 - 2 * t) * strides[time_axis] : k;
        to[k++] = x.data[from] as number;
      }
      return [{ ...x, data: out }];
    },
    hostTakes: ALL,
  },
  Trilu: {
    host({ inputs: [x, k], attributes: { upper } }) {
      const shift = k ? Number(k.data[0]) : 0;
      const [rows, columns] = [x.dims.at(-2)!, x.dims.at(-1)!];
      const out = elements(x.dtype, x.data.length);
      const to = writable(out);
      for (let at = 0; at < x.data.length; at++) {
        const column = at % columns;
        const row = Math.floor(at / columns) % rows;
        if (upper === 1 ? column >= row + shift : column <= row + shift) to[at] = x.data[at] as number;
      }
      return [{ ...x, data: out }];
    },
  },
  Shape: {
    host: ({ inputs: [x], attributes: { start, end } }) => [vector(x.dims.slice(start, end))],
    device: ({ inputs: [x], attributes: { start, end } }) => [Value.host(vector(x.dims.slice(start, end)))],
    takes: ALL, hostTakes: ALL,
  },
  Size: {
    host: ({ inputs: [x] }) => [{ dtype: 'int64', dims: [], data: BigInt64Array.of(BigInt(sizeOf(x.dims))) }],
    device: ({ inputs: [x] }) => [Value.host({ dtype: 'int64', dims: [], data: BigInt64Array.of(BigInt(x.size)) })],
    takes: ALL, hostTakes: ALL,
  },
} satisfies Rows;

const zeroOf = ({ dtype }: Host): number | bigint | string => (dtype === 'string' ? '' : dtype === 'int64' || dtype === 'uint64' ? 0n : 0);

function sliceDevice(inputs: readonly Value[], device: Device): Value {
  const [x] = inputs;
  const here = lying(x, device);
  const [begin, size, steps] = [here.shape.map(() => 0), [...here.shape], here.shape.map(() => 1)];
  for (const { axis, start, count, step } of slicesOf(x.dims, inputs as unknown as readonly Host[])) {
    const physical = x.order ? x.order[axis] : axis;
    [begin[physical], size[physical], steps[physical]] = [start, count, step];
  }
  return Value.ordered(x.dtype, device.slice(here, begin, size, steps), x.order);
}

function padDevice({ inputs: [x, pads, value, axes], device }: DeviceCall<unknown>): Value[] {
  const [before, after] = padsOf(x.dims.length, read(pads), axes && read(axes));
  const order = x.order ? inverse(x.order) : x.dims.map((_, k) => k);
  const result = padTensor(device, lying(x, device), order.map((axis) => before[axis]), order.map((axis) => after[axis]), value ? read(value)[0] : 0);
  return [Value.ordered(x.dtype, result, x.order)];
}

/** Room around a tensor as it lies, or parts cut off where a pad is negative. New. */
export function padTensor(device: Device, x: DeviceTensor, before: readonly number[], after: readonly number[], constant = 0): DeviceTensor {
  const positive = (pads: readonly number[]): number[] => pads.map((pad) => Math.max(0, pad));
  let result = x;
  if ([...before, ...after].some((pad) => pad < 0)) {
    const begin = before.map((pad) => Math.max(0, -pad));
    result = device.slice(x, begin, x.shape.map((size, k) => size - begin[k] - Math.max(0, -after[k])));
  }
  if (![...before, ...after].some((pad) => pad > 0)) return result === x ? device.run('Identity', { x }) : result;
  const grown = pad(device, result, positive(before), positive(after), constant);
  if (result !== x) device.dispose(result);
  return grown;
}

/** Padding; one axis after the other where there are more than four, which not every engine pads at once. */
function pad(device: Device, x: DeviceTensor, before: readonly number[], after: readonly number[], constant: number): DeviceTensor {
  const rank = x.shape.length;
  if (rank <= 4) return device.run('PadV2', { x }, { paddings: before.map((size, k) => [size, after[k]]), constantValue: constant });
  return before.reduce((tensor, front, axis) => {
    if (front === 0 && after[axis] === 0) return tensor;
    const { shape } = tensor;
    const flat = device.reshape(tensor, [sizeOf(shape.slice(0, axis)), shape[axis], sizeOf(shape.slice(axis + 1))]);
    const grown = device.consume(flat, (t) => device.run('PadV2', { x: t }, { paddings: [[0, 0], [front, after[axis]], [0, 0]], constantValue: constant }));
    const shaped = device.consume(grown, (t) => device.reshape(t, shape.with(axis, front + shape[axis] + after[axis])));
    if (tensor !== x) device.dispose(tensor);
    return shaped;
  }, x);
}
