import type { Attributes } from '@coppice/graph';
import type { Device, DeviceTensor } from '../adapter.ts';
import { elements, expectThat, indices, sizeOf, stridesOf } from '../host/array.ts';
import { axesOfTransposed, axesOfWindows, windows, type Axis } from '../host/windows.ts';
import type { DeviceCall, Memory, Rows } from '../row.ts';
import { inverse, transposed, Value, type Host } from '../value.ts';
import { padTensor } from './movement.ts';

type ConvAttributes = Pick<Attributes<'Conv'>, 'auto_pad' | 'dilations' | 'group' | 'pads' | 'strides'>;

type Shaped = { readonly dims: readonly number[] };

/** Channels of x [N, group·I, …] and w [O, I, …], biases [O]. */
function checkConv({ dims: x }: Shaped, { dims: w }: Shaped, b: Shaped | undefined, group: number): void {
  expectThat(x[1] === w[1] * group && w[0] % group === 0, () => `${x[1]} channels do not fit weights [${w.join(', ')}] in ${group} group${group === 1 ? '' : 's'}`);
  expectThat(!b || sizeOf(b.dims) === w[0], () => `${sizeOf(b!.dims)} biases for ${w[0]} channels`);
}

/** Channels of x [N, I, …] and w [I, O / group, …], biases [O]. */
function checkTransposed({ dims: x }: Shaped, { dims: w }: Shaped, b: Shaped | undefined, group: number): void {
  expectThat(x[1] === w[0] && w[0] % group === 0, () => `${x[1]} channels do not fit weights [${w.join(', ')}] in ${group} group${group === 1 ? '' : 's'}`);
  expectThat(!b || sizeOf(b.dims) === w[1] * group, () => `${sizeOf(b!.dims)} biases for ${w[1] * group} channels`);
}

/** y[n,o,T] = b[o] + Σ x[n,i,s·T + d·K − p]·w[o,i,K] in float64. Spec: Conv-22. */
export function convHost(x: Host, w: Host, b: Host | undefined, attributes: ConvAttributes, dtype = x.dtype): Host {
  const [batch, channels, ...space] = x.dims;
  const [outs, ins, ...kernel] = w.dims;
  checkConv(x, w, b, attributes.group);
  const axes = axesOfWindows(space, kernel, attributes);
  const counts = axes.map(({ count }) => count);
  const [plane, taps, places] = [sizeOf(space), sizeOf(kernel), sizeOf(counts)];
  const out = elements(dtype, batch * outs * places) as Float32Array;
  let p = 0;
  for (const { offsets, taps: seen } of windows(space, axes)) {
    for (let n = 0; n < batch; n++) for (let o = 0; o < outs; o++) {
      const first = Math.floor(o / (outs / attributes.group)) * ins;
      let sum = b ? Number(b.data[o]) : 0;
      for (let i = 0; i < ins; i++) {
        const [from, row] = [(n * channels + first + i) * plane, (o * ins + i) * taps];
        for (let k = 0; k < offsets.length; k++) sum += (x.data[from + offsets[k]] as number) * (w.data[row + seen[k]] as number);
      }
      out[(n * outs + o) * places + p] = sum;
    }
    p++;
  }
  return { dtype, dims: [batch, outs, ...counts], data: out };
}

/** Every element of x adds a kernel to y. Spec: ConvTranspose-22. */
function convTransposeHost(x: Host, w: Host, b: Host | undefined, attributes: Attributes<'ConvTranspose'>): Host {
  const [batch, ins, ...space] = x.dims;
  const [, outs, ...kernel] = w.dims;
  checkTransposed(x, w, b, attributes.group);
  const axes = axesOfTransposed(space, kernel, attributes);
  const size = axes.map(({ whole, before, after }) => whole - before - after);
  const dims = [batch, outs * attributes.group, ...size];
  const out = elements(x.dtype, sizeOf(dims)) as Float32Array;
  const [plane, taps, places] = [sizeOf(space), sizeOf(kernel), sizeOf(size)];
  const strides = stridesOf(size);
  let from = 0;
  for (const place of indices(space)) {
    let tap = 0;
    for (const at of indices(kernel)) {
      const written = axes.map(({ stride, dilation, before }, a) => place[a] * stride + at[a] * dilation - before);
      if (written.every((t, a) => t >= 0 && t < size[a])) {
        const to = written.reduce((sum, t, a) => sum + t * strides[a], 0);
        for (let n = 0; n < batch; n++) for (let i = 0; i < ins; i++) {
          const first = Math.floor(i / (ins / attributes.group)) * outs;
          const value = x.data[(n * ins + i) * plane + from] as number;
          for (let o = 0; o < outs; o++) out[(n * dims[1] + first + o) * places + to] += value * (w.data[(i * outs + o) * taps + tap] as number);
        }
      }
      tap++;
    }
    from++;
  }
  if (b) for (let k = 0; k < out.length; k++) out[k] += Number(b.data[Math.floor(k / places) % dims[1]]);
  return { dtype: x.dtype, dims, data: out };
}

/** [N, C, space…] → [N, space…, C]. */
export const channelsLast = (rank: number): number[] => [0, ...Array.from({ length: rank - 2 }, (_, k) => k + 2), 1];

/** A value [N, C, W] or [N, C, H, W] as the kernels want it: [N, H, W, C]. Free it after use when it is temporary. */
export function asImage(device: Device, x: Value): readonly [image: DeviceTensor, temporary: boolean] {
  const last = x.ordered(device, channelsLast(x.dims.length));
  if (x.dims.length === 4) return [last, false];
  return [device.reshape(last, [last.shape[0], 1, last.shape[1]!, last.shape[2]!]), true];
}

/** The result of a kernel on images as a value of a rank. Takes over the image. */
export function fromImage(device: Device, image: DeviceTensor, rank: number, dtype: Value['dtype']): Value {
  const [n, , w, c] = image.shape;
  const tensor = rank === 4 ? image : device.consume(image, (t) => device.reshape(t, [n, w, c!]));
  return Value.ordered(dtype, tensor, inverse(channelsLast(rank)));
}

/** Something made of a constant is made once; of anything else, for one use. */
export function prepared(memory: Memory, key: string, from: readonly Value[], make: () => DeviceTensor, use: (tensor: DeviceTensor) => Value): Value {
  const known = memory.get(key);
  if (known) return use(known.tensor!);
  const tensor = make();
  const result = use(tensor);
  if (!from.every(({ constant }) => constant)) tensor.dispose();
  else {
    memory.set(key, keepsake(tensor));
    // The weights themselves are not needed again.
    for (const value of from) value.unload();
  }
  return result;
}

function keepsake(tensor: DeviceTensor): Value {
  const value = new Value('float32', tensor.shape, undefined, tensor);
  value.constant = true;
  return value;
}

/** A kernel [h, w, …] with zeros between its elements. Takes over the filter. */
function dilated(device: Device, filter: DeviceTensor, [dh, dw]: readonly [number, number]): DeviceTensor {
  const [h, w, i, o] = filter.shape;
  const spaced = device.consume(filter, (t) => device.reshape(t, [h, 1, w, i * o]));
  const tall = device.consume(spaced, (t) => device.run('PadV2', { x: t }, { paddings: [[0, 0], [0, dh - 1], [0, 0], [0, 0]], constantValue: 0 }));
  const lined = device.consume(tall, (t) => device.reshape(t, [h * dh, w, 1, i * o]));
  const wide = device.consume(lined, (t) => device.run('PadV2', { x: t }, { paddings: [[0, 0], [0, 0], [0, dw - 1], [0, 0]], constantValue: 0 }));
  const whole = device.consume(wide, (t) => device.reshape(t, [h * dh, w * dw, i, o]));
  return device.consume(whole, (t) => device.slice(t, [0, 0, 0, 0], [(h - 1) * dh + 1, (w - 1) * dw + 1, i, o]));
}

/** Axes of one or two dimensions as height and width. */
const asPair = <T>(list: readonly T[], single: T): readonly [T, T] => (list.length === 1 ? [single, list[0]] : [list[0], list[1]]);

const still: Axis = { kernel: 1, stride: 1, dilation: 1, span: 1, before: 0, after: 0, count: 1 };

function convDevice({ inputs: [x, w, b], attributes, device, memory }: DeviceCall<ConvAttributes>): Value[] | undefined {
  const rank = x.dims.length;
  if (rank !== 3 && rank !== 4) return undefined;
  const { group } = attributes;
  const [outs, ins, ...kernel] = w.dims;
  checkConv(x, w, b, group);
  const axes = axesOfWindows(x.dims.slice(2), kernel, attributes);
  const [tall, wide] = asPair(axes, still);
  const depthwise = ins === 1 && group === x.dims[1] && group > 1;
  // Along the one row of a 1-D convolution any stride will do, and TensorFlow wants both to be the same.
  const strides = rank === 3 ? [wide.stride, wide.stride] : [tall.stride, wide.stride];
  const dilations = rank === 3 ? [wide.dilation, wide.dilation] : [tall.dilation, wide.dilation];
  // Kernels refuse a stride and a dilation at once.
  const zeros = strides.some((s) => s > 1) && dilations.some((d) => d > 1);
  // TensorFlow's depthwise kernel moves by the same stride along both axes: do not move, and leave places out.
  const skips = depthwise && strides[0] !== strides[1];

  const make = (): DeviceTensor => {
    const [kh, kw] = asPair(kernel, 1);
    const shaped = device.reshape(w.plain(device), depthwise ? [group, outs / group, kh, kw] : [outs, ins, kh, kw]);
    const filter = device.consume(shaped, (t) => transposed(device, t, depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]));
    return zeros ? dilated(device, filter, rank === 3 ? [1, dilations[1]] : [dilations[0], dilations[1]]) : filter;
  };
  const [image, temporary] = asImage(device, x);
  const padded = padTensor(device, image, [0, tall.before, wide.before, 0], [0, tall.after, wide.after, 0]);
  if (temporary) device.dispose(image);
  const settings = { strides: skips ? [1, 1] : strides, pad: 'valid', dataFormat: 'NHWC', dilations: zeros ? [1, 1] : dilations };
  const bias = b ? b.plain(device) : undefined;
  const result = prepared(memory, 'filter', [w], make, (filter) => {
    if (depthwise) return fromImage(device, withBias(device, thin(device, device.run('DepthwiseConv2dNative', { x: padded, filter }, settings), skips ? strides : [1, 1]), bias), rank, x.dtype);
    if (group === 1) return fromImage(device, bias && device.has('FusedConv2D')
      ? device.run('FusedConv2D', { x: padded, filter, bias }, { ...settings, activation: 'linear', leakyreluAlpha: 0 })
      : withBias(device, device.run('Conv2D', { x: padded, filter }, settings), bias), rank, x.dtype);
    const each = outs / group;
    const parts = Array.from({ length: group }, (_, g) => {
      const [own, weights] = [device.cut(padded, 3, g * ins, ins), device.cut(filter, 3, g * each, each)];
      const y = device.run('Conv2D', { x: own, filter: weights }, settings);
      for (const tensor of [own, weights]) device.dispose(tensor);
      return y;
    });
    const whole = device.run('Concat', parts, { axis: 3 });
    for (const tensor of parts) device.dispose(tensor);
    return fromImage(device, withBias(device, whole, bias), rank, x.dtype);
  });
  device.dispose(padded);
  return [result];
}

/** Takes over the image. */
const withBias = (device: Device, image: DeviceTensor, bias: DeviceTensor | undefined): DeviceTensor => (bias ? device.consume(image, (t) => device.run('Add', { a: t, b: bias })) : image);

/** Every stride-th row and column. Takes over the image. */
function thin(device: Device, image: DeviceTensor, [rows, columns]: readonly number[]): DeviceTensor {
  if (rows === 1 && columns === 1) return image;
  const [n, h, w, c] = image.shape;
  return device.consume(image, (t) => device.slice(t, [0, 0, 0, 0], [n, Math.ceil(h / rows), Math.ceil(w! / columns), c!], [1, rows, columns, 1]));
}

/** A stride puts that many elements, most of them zeros, in the place of one. */
const FEW_ZEROS = 8;

/** The convolution of an image with zeros between its elements with the kernel turned round. Dumoulin & Visin 2016, §4. */
function overZeros({ inputs: [x, w, b], attributes, device, memory }: Pick<DeviceCall<Attributes<'ConvTranspose'>>, 'inputs' | 'attributes' | 'device' | 'memory'>): Value {
  const rank = x.dims.length;
  const [ins, outs, ...kernel] = w.dims;
  const single = { kernel: 1, stride: 1, dilation: 1, whole: 1, before: 0, after: 0 };
  const [tall, wide] = asPair(axesOfTransposed(x.dims.slice(2), kernel, attributes), single);
  const make = (): DeviceTensor => {
    const shaped = device.reshape(w.plain(device), [ins, outs, tall.kernel, wide.kernel]);
    const filter = device.consume(shaped, (t) => transposed(device, t, [2, 3, 0, 1]));
    return device.consume(filter, (t) => device.run('Reverse', { x: t }, { dims: [0, 1] }));
  };
  const [image, temporary] = asImage(device, x);
  const [n, height, width, channels] = image.shape as [number, number, number, number];
  const spread = (t: DeviceTensor, shape: readonly number[], count: number): DeviceTensor =>
    (count === 1 ? device.run('Identity', { x: t }) : device.consume(device.reshape(t, shape), (u) => device.run('PadV2', { x: u }, { paddings: [[0, 0], [0, count - 1], [0, 0]], constantValue: 0 })));
  const columns = spread(image, [n * height * width, 1, channels], wide.stride);
  const rows = device.consume(columns, (t) => spread(t, [n * height, 1, width * wide.stride * channels], tall.stride));
  const spaced = device.consume(rows, (t) => device.reshape(t, [n, height * tall.stride, width * wide.stride, channels]));
  // Zeros behind the last element were made, too.
  const room = ({ kernel: k, dilation, stride, before, after }: typeof single): readonly [number, number] => [dilation * (k - 1) - before, dilation * (k - 1) - after - (stride - 1)];
  const [[top, bottom], [left, right]] = [room(tall), room(wide)];
  const padded = device.consume(spaced, (t) => padTensor(device, t, [0, top, left, 0], [0, bottom, right, 0]));
  const result = prepared(memory, 'turned', [w], make, (filter) => fromImage(device, withBias(device, device.run('Conv2D', { x: padded, filter }, {
    strides: [1, 1], pad: 'valid', dataFormat: 'NHWC', dilations: [tall.dilation, wide.dilation],
  }), b && b.plain(device)), rank, x.dtype));
  device.dispose(padded);
  if (temporary) device.dispose(image);
  return result;
}

/** All that is written, then what the padding cuts off: explicit padding of this kernel is not the same on all engines. */
function convTransposeDevice({ inputs: [x, w, b], attributes, device, memory }: DeviceCall<Attributes<'ConvTranspose'>>): Value[] | undefined {
  const rank = x.dims.length;
  if (rank !== 3 && rank !== 4) return undefined;
  const { group } = attributes;
  const [ins, outs, ...kernel] = w.dims;
  checkTransposed(x, w, b, group);
  const strides = attributes.strides ?? [1];
  if (device.engine.slowTransposed && group === 1 && strides.reduce((product, stride) => product * stride, 1) <= FEW_ZEROS) return [overZeros({ inputs: [x, w, b], attributes, device, memory })];
  const axes = axesOfTransposed(x.dims.slice(2), kernel, attributes);
  const [tall, wide] = asPair(axes, { kernel: 1, stride: 1, dilation: 1, whole: 1, before: 0, after: 0 });
  const make = (): DeviceTensor => {
    const shaped = device.reshape(w.plain(device), [ins, outs, tall.kernel, wide.kernel]);
    const filter = device.consume(shaped, (t) => transposed(device, t, [2, 3, 1, 0]));
    return tall.dilation > 1 || wide.dilation > 1 ? dilated(device, filter, [tall.dilation, wide.dilation]) : filter;
  };
  const [image, temporary] = asImage(device, x);
  const each = ins / group;
  const result = prepared(memory, 'filter', [w], make, (filter) => {
    const run = (dy: DeviceTensor, weights: DeviceTensor): DeviceTensor => device.run('Conv2DBackpropInput', { dy, filter: weights }, {
      strides: rank === 3 ? [1, wide.stride] : [tall.stride, wide.stride], pad: 'valid', dataFormat: 'NHWC', inputShape: [x.dims[0], tall.whole, wide.whole, outs],
    });
    const parts = group === 1 ? [run(image, filter)] : Array.from({ length: group }, (_, g) => {
      const [own, weights] = [device.cut(image, 3, g * each, each), device.cut(filter, 3, g * each, each)];
      const y = run(own, weights);
      for (const tensor of [own, weights]) device.dispose(tensor);
      return y;
    });
    const whole = parts.length === 1 ? parts[0] : device.run('Concat', parts, { axis: 3 });
    if (parts.length > 1) for (const tensor of parts) device.dispose(tensor);
    const cut = device.consume(whole, (t) => padTensor(device, t, [0, -tall.before, -wide.before, 0], [0, -tall.after, -wide.after, 0]));
    return fromImage(device, withBias(device, cut, b && b.plain(device)), rank, x.dtype);
  });
  if (temporary) device.dispose(image);
  return [result];
}

export const convolution = {
  Conv: { host: ({ inputs: [x, w, b], attributes }) => [convHost(x, w, b, attributes)], device: convDevice, kernels: ['Conv2D', 'DepthwiseConv2dNative'] },
  ConvTranspose: { host: ({ inputs: [x, w, b], attributes }) => [convTransposeHost(x, w, b, attributes)], device: convTransposeDevice, kernels: ['Conv2DBackpropInput'] },
} satisfies Rows;
