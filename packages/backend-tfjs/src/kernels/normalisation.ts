import type { Attributes } from '@coppice/graph';
import type { Device, DeviceTensor } from '../adapter.ts';
import { elements, expectThat, sizeOf } from '../host/array.ts';
import { lowered, type DeviceCall, type Rows } from '../row.ts';
import { inverse, Value, type Host } from '../value.ts';
import { channelsLast } from './convolution.ts';

type BatchNormAttributes = Attributes<'BatchNormalization'>;

function checkVectors(vectors: readonly { readonly dims: readonly number[] }[], channels: number): void {
  for (const { dims } of vectors) expectThat(sizeOf(dims) === channels, () => `[${dims.join(', ')}] is not one number for each of ${channels} channels`);
}

/** Over [N, C, …], statistics for each channel. Spec: BatchNormalization-15; in training the stored statistics move towards those of the batch. */
function batchNormHost([x, scale, shift, storedMean, storedVariance]: readonly Host[], { epsilon, momentum, training_mode }: BatchNormAttributes): Host[] {
  const [batch, channels] = [x.dims[0], x.dims.length > 1 ? x.dims[1] : 1];
  checkVectors([scale, shift, storedMean, storedVariance], channels);
  const plane = sizeOf(x.dims.slice(2));
  const out = elements(x.dtype, x.data.length) as Float32Array;
  const [means, variances] = [elements(storedMean.dtype, channels) as Float32Array, elements(storedVariance.dtype, channels) as Float32Array];
  const data = x.data as Float32Array;
  for (let c = 0; c < channels; c++) {
    let [mean, variance] = [Number(storedMean.data[c]), Number(storedVariance.data[c])];
    const each = (f: (at: number) => void): void => { for (let n = 0; n < batch; n++) for (let k = 0; k < plane; k++) f((n * channels + c) * plane + k); };
    if (training_mode === 1) {
      let sum = 0;
      each((at) => { sum += data[at]; });
      mean = sum / (batch * plane);
      let squares = 0;
      each((at) => { squares += (data[at] - mean) ** 2; });
      variance = squares / (batch * plane);
    }
    const factor = Number(scale.data[c]) / Math.sqrt(variance + epsilon);
    each((at) => { out[at] = (data[at] - mean) * factor + Number(shift.data[c]); });
    means[c] = Number(storedMean.data[c]) * momentum + mean * (1 - momentum);
    variances[c] = Number(storedVariance.data[c]) * momentum + variance * (1 - momentum);
  }
  const y: Host = { dtype: x.dtype, dims: x.dims, data: out };
  return training_mode === 1 ? [y, { ...storedMean, data: means }, { ...storedVariance, data: variances }] : [y];
}

/** With channels last, so that it is one pass over what a convolution leaves. */
function batchNormDevice({ inputs: [x, scale, shift, storedMean, storedVariance], attributes: { epsilon, momentum, training_mode }, device }: DeviceCall<BatchNormAttributes>): Value[] | undefined {
  const rank = x.dims.length;
  if (rank < 2) return undefined;
  const order = rank > 2 ? channelsLast(rank) : undefined;
  const here = order ? x.ordered(device, order) : x.plain(device);
  const channels = x.dims[1];
  checkVectors([scale, shift, storedMean, storedVariance], channels);
  const rows = device.reshape(here, [x.size / channels, 1, 1, channels]);
  const norm = (mean: DeviceTensor, variance: DeviceTensor): Value => {
    const result = device.run('FusedBatchNorm', { x: rows, scale: scale.plain(device), offset: shift.plain(device), mean, variance }, { varianceEpsilon: epsilon });
    return Value.ordered(x.dtype, device.consume(result, (t) => device.reshape(t, here.shape)), order && inverse(order));
  };
  const free: DeviceTensor[] = [rows];
  try {
    if (training_mode === 0) return [norm(storedMean.plain(device), storedVariance.plain(device))];
    const flat = device.reshape(here, [x.size / channels, channels]);
    const mean = device.run('Mean', { x: flat }, { axis: [0], keepDims: false });
    const squares = device.consume(device.run('Sub', { a: flat, b: mean }), (t) => device.run('Multiply', { a: t, b: t }));
    const variance = device.consume(squares, (t) => device.run('Mean', { x: t }, { axis: [0], keepDims: false }));
    free.push(flat, mean, variance);
    return [norm(mean, variance), ...([[storedMean, mean], [storedVariance, variance]] as const).map(([stored, current]) => Value.device(stored.dtype, moving(device, stored.plain(device), current, momentum)))];
  } finally {
    for (const tensor of free) device.dispose(tensor);
  }
}

/** stored·m + current·(1 − m). */
function moving(device: Device, stored: DeviceTensor, current: DeviceTensor, momentum: number): DeviceTensor {
  const [kept, taken] = [device.floats([momentum], []), device.floats([1 - momentum], [])];
  const [a, b] = [device.run('Multiply', { a: stored, b: kept }), device.run('Multiply', { a: current, b: taken })];
  const result = device.run('Add', { a, b });
  for (const tensor of [kept, taken, a, b]) device.dispose(tensor);
  return result;
}

export const normalisation = {
  BatchNormalization: { host: ({ inputs, attributes }) => batchNormHost(inputs, attributes), device: batchNormDevice, kernels: ['FusedBatchNorm', 'Mean'] },
  GroupNormalization: lowered,
  InstanceNormalization: lowered,
  LayerNormalization: lowered,
  LpNormalization: lowered,
  MeanVarianceNormalization: lowered,
  RMSNormalization: lowered,
} satisfies Rows;

