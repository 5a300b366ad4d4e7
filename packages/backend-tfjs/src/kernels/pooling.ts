import type { Attributes } from '@coppice/graph';
import { elements, expectThat, sameDims, sizeOf } from '../host/array.ts';
import { axesOfWindows, windows, type Axis } from '../host/windows.ts';
import { lowered, type DeviceCall, type Rows } from '../row.ts';
import { Value, type Host } from '../value.ts';
import { asImage, fromImage } from './convolution.ts';
import { padTensor } from './movement.ts';
import { reduceDevice } from './reduction.ts';

type PoolAttributes = Attributes<'AveragePool'> | Attributes<'MaxPool'>;

/** A pool from what it makes of the elements of a window, and their places in the plane. */
function pool(x: Host, axes: readonly Axis[], of: (list: readonly number[], offsets: readonly number[], place: readonly number[]) => number): Host {
  const [batch, channels, ...space] = x.dims;
  const counts = axes.map(({ count }) => count);
  const [plane, places] = [sizeOf(space), sizeOf(counts)];
  const out = elements(x.dtype, batch * channels * places) as Float32Array;
  let p = 0;
  for (const { place, offsets } of windows(space, axes)) {
    for (let c = 0; c < batch * channels; c++) out[c * places + p] = of(offsets.map((offset) => Number(x.data[c * plane + offset])), offsets, place);
    p++;
  }
  return { dtype: x.dtype, dims: [batch, channels, ...counts], data: out };
}

const axesOf = (x: { readonly dims: readonly number[] }, attributes: PoolAttributes | Attributes<'LpPool'>): Axis[] => axesOfWindows(x.dims.slice(2), attributes.kernel_shape, attributes);

/** How many elements of a window count for a mean: its own that lie in the tensor, or in the tensor and its padding. */
function counted(space: readonly number[], axes: readonly Axis[], withPadding: boolean): number[][] {
  return axes.map(({ kernel, stride, dilation, before, after, count }, a) => Array.from({ length: count }, (_, w) => {
    let inside = 0;
    for (let k = 0; k < kernel; k++) {
      const at = w * stride + k * dilation - before;
      if (withPadding ? at < space[a] + after : at >= 0 && at < space[a]) inside++;
    }
    return inside;
  }));
}

/** Where the largest element of each window is, in the whole tensor. Spec: MaxPool-22, "Indices". */
function maxPoolIndices(x: Host, axes: readonly Axis[], columnMajor: boolean): Host {
  const space = x.dims.slice(2);
  const plane = sizeOf(space);
  let calls = 0;
  const channels = x.dims[0] * x.dims[1];
  const places = pool({ ...x, dtype: 'float64' }, axes, (list, offsets) => {
    const channel = calls++ % channels;
    const at = offsets[list.indexOf(Math.max(...list))];
    return channel * plane + (columnMajor ? turned(at, space) : at);
  });
  return { dtype: 'int64', dims: places.dims, data: BigInt64Array.from(places.data as Float64Array, (k) => BigInt(k)) };
}

/** An offset in a plane as it would be with the first axis contiguous. */
function turned(offset: number, space: readonly number[]): number {
  let [rest, result, weight] = [offset, 0, sizeOf(space)];
  for (let a = space.length - 1; a >= 0; a--) {
    weight /= space[a];
    result += (rest % space[a]) * weight;
    rest = Math.floor(rest / space[a]);
  }
  return result;
}

/** Kernels without dilation over one or two axes; the padding is made before, so that all engines pad alike. */
function poolDevice(kernel: 'MaxPool' | 'AvgPool', { inputs: [x], attributes, device }: DeviceCall<PoolAttributes>): Value[] | undefined {
  const rank = x.dims.length;
  const axes = axesOf(x, attributes);
  if ((rank !== 3 && rank !== 4) || axes.some(({ dilation }) => dilation > 1)) return undefined;
  const still: Axis = { kernel: 1, stride: 1, dilation: 1, span: 1, before: 0, after: 0, count: 1 };
  const [tall, wide] = rank === 3 ? [still, axes[0]] : [axes[0], axes[1]];
  // What the last window needs, more than the stated padding where sizes are rounded up.
  const space = x.dims.slice(2);
  const [height, width] = rank === 3 ? [1, space[0]] : [space[0], space[1]];
  const after = (axis: Axis, size: number): number => (axis.count - 1) * axis.stride + axis.span - size - axis.before;
  const [image, temporary] = asImage(device, x);
  const padded = padTensor(device, image, [0, tall.before, wide.before, 0], [0, after(tall, height), after(wide, width), 0], kernel === 'MaxPool' ? -3.4028234663852886e38 : 0);
  if (temporary) device.dispose(image);
  let result = device.consume(padded, (t) => device.run(kernel, { x: t }, { filterSize: [tall.kernel, wide.kernel], strides: [tall.stride, wide.stride], pad: 'valid' }));
  if (kernel === 'AvgPool') {
    const size = tall.kernel * wide.kernel;
    const counts = counted(space, axes, 'count_include_pad' in attributes && attributes.count_include_pad === 1);
    const [rows, columns] = rank === 3 ? [[1], counts[0]] : [counts[0], counts[1]];
    const factors = rows.flatMap((row) => columns.map((column) => size / (row * column)));
    if (factors.some((factor) => factor !== 1)) {
      const scale = device.floats(factors, [1, rows.length, columns.length, 1]);
      result = device.consume(result, (t) => device.run('Multiply', { a: t, b: scale }));
      device.dispose(scale);
    }
  }
  return [fromImage(device, result, rank, x.dtype)];
}

const spaceAxes = ({ dims }: { readonly dims: readonly number[] }): number[] => dims.flatMap((_, axis) => (axis < 2 ? [] : axis));

/** One number a channel. */
const global = (x: Host, of: (list: readonly number[]) => number): Host =>
  pool(x, x.dims.slice(2).map((size): Axis => ({ kernel: size, stride: 1, dilation: 1, span: size, before: 0, after: 0, count: 1 })), of);
const total = (list: readonly number[]): number => list.reduce((sum, x) => sum + x, 0);
const norm = (list: readonly number[], p: number): number => list.reduce((sum, x) => sum + Math.abs(x) ** p, 0) ** (1 / p);

export const pooling = {
  MaxPool: {
    host({ inputs: [x], attributes, wanted }) {
      const axes = axesOf(x, attributes);
      return [pool(x, axes, (list) => list.reduce((a, b) => Math.max(a, b), -Infinity)), wanted[1] ? maxPoolIndices(x, axes, attributes.storage_order === 1) : undefined];
    },
    device: (call) => poolDevice('MaxPool', call),
    kernels: ['MaxPool'],
    deviceWhen: ({ wanted }) => !wanted[1],
  },
  AveragePool: {
    host({ inputs: [x], attributes }) {
      const axes = axesOf(x, attributes);
      const counts = counted(x.dims.slice(2), axes, attributes.count_include_pad === 1);
      return [pool(x, axes, (list, _, place) => total(list) / place.reduce((product, w, a) => product * counts[a][w], 1))];
    },
    device: (call) => poolDevice('AvgPool', call),
    kernels: ['AvgPool'],
  },
  LpPool: { host: ({ inputs: [x], attributes }) => [pool(x, axesOf(x, attributes), (list) => norm(list, attributes.p))] },
  GlobalAveragePool: {
    host: ({ inputs: [x] }) => [global(x, (list) => total(list) / list.length)],
    device: ({ inputs: [x], device }) => [reduceDevice(device, 'Mean', x, spaceAxes(x), true)],
    kernels: ['Mean'],
  },
  GlobalMaxPool: {
    host: ({ inputs: [x] }) => [global(x, (list) => list.reduce((a, b) => Math.max(a, b), -Infinity))],
    device: ({ inputs: [x], device }) => [reduceDevice(device, 'Max', x, spaceAxes(x), true)],
    kernels: ['Max'],
  },
  GlobalLpPool: { host: ({ inputs: [x], attributes: { p } }) => [global(x, (list) => norm(list, p))] },
  /** Puts each element back to where it was; places are counted in the result, as ONNX Runtime does. Spec: MaxUnpool-22. */
  MaxUnpool: {
    host({ inputs: [x, places, shape], attributes: { kernel_shape, pads, strides } }) {
      const [n, c, ...space] = x.dims;
      expectThat(sameDims(x.dims, places.dims), () => `places [${places.dims.join(', ')}] for [${x.dims.join(', ')}]`);
      const own = space.map((size, a) => (size - 1) * (strides?.[a] ?? 1) + kernel_shape[a] - (pads?.[a] ?? 0) - (pads?.[a + space.length] ?? 0));
      const dims = shape ? Array.from(shape.data as BigInt64Array, Number) : [n, c, ...own];
      const out = elements(x.dtype, sizeOf(dims)) as Float32Array;
      for (let k = 0; k < x.data.length; k++) out[Number(places.data[k])] = x.data[k] as number;
      return [{ dtype: x.dtype, dims, data: out }];
    },
    reads: [1, 2],
  },
  LRN: lowered,
} satisfies Rows;
