import type { Device, DeviceTensor } from '../adapter.ts';
import { broadcast, broadcastDims, elements, isBig, reshaped, sizeOf } from '../host/array.ts';
import { FLOAT, type Rows } from '../row.ts';
import { Value, type Host } from '../value.ts';
import { lowered } from '../row.ts';
import { spread } from './follow.ts';
import { einsum } from './einsum.ts';

/** [M, K] for [K] as the left, [K, N] for [K] as the right operand. Spec: numpy.matmul. */
export const asMatrices = (a: readonly number[], b: readonly number[]): readonly [number[], number[]] =>
  [a.length === 1 ? [1, a[0]] : [...a], b.length === 1 ? [b[0], 1] : [...b]];

/** The shape of a product, without the axes that vectors lent themselves. */
function productDims(a: readonly number[], b: readonly number[], batch: readonly number[]): number[] {
  return [...batch, ...(a.length === 1 ? [] : [a.at(-2)!]), ...(b.length === 1 ? [] : [b.at(-1)!])];
}

/** Σ_k a[…,m,k]·b[…,k,n] in float64, or in 64-bit integers, as type `dtype`. */
export function matMulHost(a: Host, b: Host, dtype = a.dtype): Host {
  const [left, right] = asMatrices(a.dims, b.dims);
  const [m, k, n] = [left.at(-2)!, left.at(-1)!, right.at(-1)!];
  if (right.at(-2) !== k) throw new Error(`inner sizes ${k} and ${right.at(-2)} differ`);
  const batch = broadcastDims(left.slice(0, -2), right.slice(0, -2));
  const [x, y] = [broadcast(reshaped(a, left), [...batch, m, k]), broadcast(reshaped(b, right), [...batch, k, n])];
  const count = sizeOf(batch);
  const out = elements(dtype, count * m * n);
  if (isBig(a.dtype)) {
    const [p, q, to] = [x.data as BigInt64Array, y.data as BigInt64Array, out as BigInt64Array];
    for (let g = 0; g < count; g++) for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) {
      let sum = 0n;
      for (let t = 0; t < k; t++) sum += p[(g * m + i) * k + t] * q[(g * k + t) * n + j];
      to[(g * m + i) * n + j] = sum;
    }
  } else {
    const [p, q, to] = [x.data as Float32Array, y.data as Float32Array, out as Float32Array];
    const row = new Float64Array(n);
    for (let g = 0; g < count; g++) for (let i = 0; i < m; i++) {
      row.fill(0);
      for (let t = 0; t < k; t++) {
        const factor = p[(g * m + i) * k + t];
        const start = (g * k + t) * n;
        for (let j = 0; j < n; j++) row[j] += factor * q[start + j];
      }
      for (let j = 0; j < n; j++) to[(g * m + i) * n + j] = row[j];
    }
  }
  return { dtype, dims: productDims(a.dims, b.dims, batch), data: out };
}

const same = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((size, k) => size === b[k]);
const isSwapped = ({ order, dims }: Value): boolean => {
  const rank = dims.length;
  return order !== undefined && rank >= 2 && order.every((axis, k) => axis === (k === rank - 1 ? rank - 2 : k === rank - 2 ? rank - 1 : k));
};

/** Products from so many multiplications on are worth a call each. */
const LARGE = 4096;

/** Products [batch, m, k]·[batch, k, n] one after another: the kernel of WebAssembly is only fast for a single one. */
function oneByOne(device: Device, a: DeviceTensor, b: DeviceTensor): DeviceTensor {
  const [lefts, rights] = [device.unstack(a, 0), device.unstack(b, 0)];
  const parts = lefts.map((left, k) => {
    const product = device.run('BatchMatMul', { a: left, b: rights[k] }, { transposeA: false, transposeB: false });
    for (const tensor of [left, rights[k]]) device.dispose(tensor);
    return device.consume(product, (t) => device.reshape(t, [1, ...t.shape]));
  });
  const whole = device.run('Concat', parts, { axis: 0 });
  for (const part of parts) device.dispose(part);
  return whole;
}

/** A product on the device: many rows against one matrix are one product, batches that differ are repeated first. */
export function matMulDevice(device: Device, a: Value, b: Value): Value {
  const [left, right] = asMatrices(a.dims, b.dims);
  if (left.at(-1) !== right.at(-2)) throw new Error(`inner sizes ${left.at(-1)} and ${right.at(-2)} differ`);
  const batch = broadcastDims(left.slice(0, -2), right.slice(0, -2));
  const dims = productDims(a.dims, b.dims, batch);
  const temporary: DeviceTensor[] = [];
  const keep = (tensor: DeviceTensor, other: DeviceTensor): DeviceTensor => {
    if (tensor !== other) temporary.push(tensor);
    return tensor;
  };
  const as = (tensor: DeviceTensor, shape: readonly number[]): DeviceTensor => (same(tensor.shape, shape) ? tensor : keep(device.reshape(tensor, shape), tensor));
  const transposeB = device.engine.transposesFree && isSwapped(b);
  let [x, y] = [as(a.plain(device), left), transposeB ? b.tensor! : as(b.plain(device), right)];
  if (right.length === 2) x = as(x, [sizeOf(left.slice(0, -1)), left.at(-1)!]);
  else {
    const wide = (tensor: DeviceTensor): DeviceTensor => as(keep(spread(device, tensor, [...batch, ...tensor.shape.slice(-2)]), tensor), [sizeOf(batch), ...tensor.shape.slice(-2)]);
    [x, y] = [wide(x), wide(y)];
  }
  const product = device.engine.slowBatches && x.shape.length === 3 && x.shape[0] > 1 && x.shape[1] * x.shape[2]! * y.shape[2]! >= LARGE
    ? oneByOne(device, x, y)
    : device.run('BatchMatMul', { a: x, b: y }, { transposeA: false, transposeB });
  for (const tensor of temporary) device.dispose(tensor);
  return Value.device(a.dtype, same(product.shape, dims) ? product : device.consume(product, (tensor) => device.reshape(tensor, dims)));
}

export const contraction = {
  MatMul: {
    host: ({ inputs: [a, b] }) => [matMulHost(a, b)],
    device: ({ inputs: [a, b], device }) => [matMulDevice(device, a, b)],
    kernels: ['BatchMatMul'],
    takes: FLOAT,
  },
  Gemm: lowered,
  Einsum: einsum,
} satisfies Rows;
