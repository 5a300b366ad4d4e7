import { dataTypeOf, type Attributes, type DataType } from '@coppice/graph';
import type { Device, DeviceTensor } from '../adapter.ts';
import { broadcast, elements, expectThat, numbers, reshaped } from '../host/array.ts';
import { dequantise, LIMITS, quantise as quantised, rangeOf } from '../host/quantise.ts';
import { FLOAT, HELD, type DeviceCall, type Rows, type Stated } from '../row.ts';
import { Value, type Host } from '../value.ts';
import { convHost } from './convolution.ts';
import { matMulHost } from './contraction.ts';
import { lying } from './follow.ts';

const trues = (dims: readonly number[]): Host => ({ dtype: 'bool', dims, data: new Uint8Array(dims.reduce((product, size) => product * size, 1)).fill(1) });
/** An operand that was read. */
const read = (value: Value): number[] => numbers(value as Value & Host);

/** The type that QuantizeLinear gives. */
const quantisedType = ({ output_dtype }: { readonly output_dtype: number }, zero: { readonly dtype: DataType } | undefined): DataType => zero?.dtype ?? (output_dtype ? dataTypeOf(output_dtype) : 'uint8');

/** Types that have limits here; the 8-bit floats and those below 8 bits have none. */
function refuseTypes({ attributes, types }: Stated<{ readonly output_dtype: number }>, of: number): string | undefined {
  const type = types[of] ?? (attributes.output_dtype && of === 2 ? dataTypeOf(attributes.output_dtype) : undefined);
  return type === undefined || LIMITS[type] ? undefined : `numbers of type ${type} are not computed`;
}

/** x as float32 with a scalar subtracted, without it when it is 0. New. */
function centred(device: Device, x: Value, zero: number): DeviceTensor {
  const here = lying(x, device);
  const float = here.dtype === 'float32' ? device.run('Identity', { x: here }) : device.run('Cast', { x: here }, { dtype: 'float32' });
  if (zero === 0) return float;
  const shift = device.floats([zero], []);
  const result = device.consume(float, (t) => device.run('Sub', { a: t, b: shift }));
  device.dispose(shift);
  return result;
}

const scalar = (device: Device, kernel: string, x: DeviceTensor, value: number): DeviceTensor => {
  const other = device.floats([value], []);
  const result = device.consume(x, (t) => device.run(kernel, { a: t, b: other }));
  device.dispose(other);
  return result;
};

/** round(x / scale) + zero, as float32 tensor that holds whole numbers within the limits of the type; then int32. */
function quantisedDevice(device: Device, x: Value, scale: number, zero: number, dtype: DataType): Value {
  const [low, high] = LIMITS[dtype]!;
  const quotient = scalar(device, 'RealDiv', device.run('Identity', { x: lying(x, device) }), scale);
  const shifted = scalar(device, 'Add', device.consume(quotient, (t) => device.run('Round', { x: t })), zero);
  const clipped = device.consume(shifted, (t) => device.run('ClipByValue', { x: t }, { clipValueMin: low, clipValueMax: high }));
  return Value.ordered(dtype, device.consume(clipped, (t) => device.run('Cast', { x: t }, { dtype: 'int32' })), x.order);
}

/** Inner sizes whose products of 8-bit numbers a float32 sums exactly: 512 · 255 · 128 < 2²⁴. */
const EXACT = 512;

/** The whole product of 8-bit numbers without their zero points: in float32 where that is exact, added up as integers. */
function matMulInteger({ inputs: [a, b, zeroA, zeroB], device }: DeviceCall<unknown>): Value[] | undefined {
  const [p, q] = [zeroA, zeroB].map((zero) => (zero ? read(zero) : [0]));
  if (p.length !== 1 || q.length !== 1 || a.dims.length < 2 || b.dims.length !== 2) return undefined;
  const [inner, columns] = b.dims;
  expectThat(a.dims.at(-1) === inner, () => `inner sizes ${a.dims.at(-1)} and ${inner} differ`);
  const rows = a.size / inner;
  const left = device.consume(centred(device, Value.device(a.dtype, a.plain(device)), p[0]), (t) => device.reshape(t, [rows, inner]));
  const right = centred(device, Value.device(b.dtype, b.plain(device)), q[0]);
  let sum: DeviceTensor | undefined;
  for (let start = 0; start < inner; start += EXACT) {
    const size = Math.min(EXACT, inner - start);
    const whole = size === inner;
    const x = whole ? left : device.cut(left, 1, start, size);
    const y = whole ? right : device.cut(right, 0, start, size);
    const part = device.consume(device.run('BatchMatMul', { a: x, b: y }, { transposeA: false, transposeB: false }), (t) => device.run('Cast', { x: t }, { dtype: 'int32' }));
    if (!whole) for (const tensor of [x, y]) device.dispose(tensor);
    const before = sum;
    sum = before ? device.consume(before, (t) => device.consume(part, (u) => device.run('Add', { a: t, b: u }))) : part;
  }
  for (const tensor of [left, right]) device.dispose(tensor);
  return [Value.device('int32', device.consume(sum!, (t) => device.reshape(t, [...a.dims.slice(0, -1), columns])))];
}

/** x − zero as float64, the zero point one for all or one for each entry of an axis. */
const shifted = (x: Host, zero: Host | undefined, dims: readonly number[]): Host => {
  const out = Float64Array.from(x.data as Uint8Array);
  if (zero) {
    const wide = broadcast(reshaped(zero, zero.data.length === 1 ? [] : dims), x.dims);
    for (let k = 0; k < out.length; k++) out[k] -= wide.data[k] as number;
  }
  return { dtype: 'float64', dims: x.dims, data: out };
};

/** The zero point of rows or columns as it broadcasts. */
const beside = (zero: Host | undefined, rank: number, column: boolean): number[] =>
  (zero === undefined || zero.dims.length > 1 ? [...(zero?.dims ?? [])] : column ? [...Array<number>(Math.max(0, rank - 1)).fill(1), zero.data.length] : [zero.data.length, 1]);

const asInt32 = (x: Host): Host => ({ dtype: 'int32', dims: x.dims, data: Int32Array.from(x.data as Float64Array) });
const perChannel = (count: number, rank: number): number[] => [count, ...Array<number>(rank - 1).fill(1)];

/** Whole numbers times scales, back to 8 bits. */
function requantised(x: Host, factors: readonly number[], stride: number, scale: Host, zero: Host): Host {
  const [low, high] = LIMITS[zero.dtype]!;
  const out = elements(zero.dtype, x.data.length) as Int8Array;
  const even = (value: number): number => {
    const floor = Math.floor(value);
    const rest = value - floor;
    return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
  };
  for (let k = 0; k < out.length; k++) {
    const factor = factors[factors.length === 1 ? 0 : Math.floor(k / stride) % factors.length];
    out[k] = Math.max(low, Math.min(high, even(((x.data[k] as number) * factor) / (scale.data[0] as number)) + Number(zero.data[0])));
  }
  return { dtype: zero.dtype, dims: x.dims, data: out };
}

type ConvAttributes = Attributes<'ConvInteger'>;

function convInteger(x: Host, w: Host, zeroX: Host | undefined, zeroW: Host | undefined, attributes: ConvAttributes): Host {
  return convHost(shifted(x, zeroX, []), shifted(w, zeroW, perChannel(w.dims[0], w.dims.length)), undefined, attributes, 'float64');
}

const EIGHT: readonly DataType[] = ['int8', 'uint8'];

export const quantise = {
  DequantizeLinear: {
    host: ({ inputs: [x, scale, zero], attributes: { axis, block_size, output_dtype } }) => [dequantise(x, scale, zero, axis, block_size, output_dtype ? dataTypeOf(output_dtype) : scale.dtype)],
    device({ inputs: [x, scale, zero], device }) {
      const factors = read(scale);
      if (factors.length > 1) return undefined;
      return [Value.ordered(scale.dtype, scalar(device, 'Multiply', centred(device, x, zero ? read(zero)[0] : 0), factors[0]), x.order)];
    },
    reads: [1, 2], takes: HELD,
    deviceWhen: ({ types: [, scale], attributes: { output_dtype } }) => scale === 'float32' && !output_dtype,
    refuse: (node) => refuseTypes({ ...node, types: [node.types[0]] }, 0),
  },
  QuantizeLinear: {
    host: ({ inputs: [x, scale, zero], attributes }) => [quantised(x, scale, zero, attributes.axis, attributes.block_size, quantisedType(attributes, zero))],
    device({ inputs: [x, scale, zero], attributes, device }) {
      const factors = read(scale);
      if (factors.length > 1) return undefined;
      return [quantisedDevice(device, x, factors[0], zero ? read(zero)[0] : 0, quantisedType(attributes, zero))];
    },
    kernels: ['Round', 'ClipByValue'], reads: [1, 2], takes: FLOAT,
    refuse: (node) => refuseTypes(node, 2),
  },
  DynamicQuantizeLinear: {
    host({ inputs: [x] }) {
      const data = x.data as Float32Array;
      const { scale, zero } = rangeOf(data.reduce((a, b) => Math.min(a, b), 0), data.reduce((a, b) => Math.max(a, b), 0));
      const [s, z]: [Host, Host] = [{ dtype: 'float32', dims: [], data: Float32Array.of(scale) }, { dtype: 'uint8', dims: [], data: Uint8Array.of(zero) }];
      return [quantised(x, scale === 0 ? { ...s, data: Float32Array.of(1) } : s, z, 0, 0, 'uint8'), s, z];
    },
  },
  MatMulInteger: {
    host: ({ inputs: [a, b, zeroA, zeroB] }) => [asInt32(matMulHost(shifted(a, zeroA, beside(zeroA, a.dims.length, false)), shifted(b, zeroB, beside(zeroB, b.dims.length, true))))],
    device: matMulInteger,
    kernels: ['BatchMatMul', 'Cast'], reads: [2, 3], takes: EIGHT,
  },
  ConvInteger: { host: ({ inputs: [x, w, zeroX, zeroW], attributes }) => [asInt32(convInteger(x, w, zeroX, zeroW, attributes))] },
  QLinearMatMul: {
    host({ inputs: [a, scaleA, zeroA, b, scaleB, zeroB, scale, zero] }) {
      const whole = matMulHost(shifted(a, zeroA, beside(zeroA, a.dims.length, false)), shifted(b, zeroB, beside(zeroB, b.dims.length, true)));
      if (scaleA.data.length > 1) throw new Error('one scale for each row is not computed');
      return [requantised(whole, numbers(scaleB).map((s) => s * (scaleA.data[0] as number)), 1, scale, zero)];
    },
  },
  QLinearConv: {
    host({ inputs: [x, scaleX, zeroX, w, scaleW, zeroW, scale, zero, bias], attributes }) {
      const whole = convHost(shifted(x, zeroX, []), shifted(w, zeroW, perChannel(w.dims[0], w.dims.length)), bias, attributes, 'float64');
      const plane = whole.dims.slice(2).reduce((product, size) => product * size, 1);
      return [requantised(whole, numbers(scaleW).map((s) => s * (scaleX.data[0] as number)), plane, scale, zero)];
    },
  },
  /** The identity: nothing is dropped outside training. */
  Dropout: {
    host: ({ inputs: [x], wanted }) => [x, wanted[1] ? trues(x.dims) : undefined],
    device: ({ inputs: [x], wanted }) => [x.share(), wanted[1] ? Value.host(trues(x.dims)) : undefined],
    reads: [1, 2],
    refuse: ({ present, constants }) => (present[2] && !(constants[2] && Number(constants[2].data[0]) === 0) && !(constants[1] && Number(constants[1].data[0]) === 0)
      ? 'in training it draws random numbers; draw the mask outside and make it an input' : undefined),
  },
} satisfies Rows;
