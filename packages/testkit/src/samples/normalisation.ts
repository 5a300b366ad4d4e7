import type { Dims, Sample } from '../row-check.ts';

const x: Dims = ['batch', 'time', 5];
const image: Dims = ['batch', 6, 4, 'time'];

/** Norms, softmax and reductions; and the steps to 8 bits and back. */
export const normalisationSamples: readonly Sample[] = [
  { op: 'LayerNormalization', inputs: [x, { weight: [5] }, { weight: [5] }] },
  { op: 'LayerNormalization', attributes: { axis: 2 }, inputs: [['batch', 'time', 4, 5], { weight: [4, 5] }, { weight: [4, 5] }] },
  { op: 'RMSNormalization', opset: 23, inputs: [x, { weight: [5] }] },
  { op: 'BatchNormalization', inputs: [image, { weight: [6] }, { weight: [6] }, { weight: [6] }, { weight: [6], positive: true }] },
  { op: 'InstanceNormalization', inputs: [image, { weight: [6] }, { weight: [6] }] },
  ...[1, 2, 6].flatMap((num_groups): Sample[] => [
    { op: 'GroupNormalization', opset: 21, attributes: { num_groups }, inputs: [image, { weight: [6] }, { weight: [6] }] },
    { op: 'GroupNormalization', opset: 18, attributes: { num_groups }, inputs: [image, { weight: [num_groups] }, { weight: [num_groups] }] },
  ]),
  { op: 'LpNormalization', attributes: { axis: 2 }, inputs: [x] },
  { op: 'MeanVarianceNormalization', attributes: { axes: [0, 2, 3] }, inputs: [image] },
  ...['Softmax', 'LogSoftmax', 'Hardmax'].flatMap((op): Sample[] => [{ op, attributes: { axis: 2 }, inputs: [x] }, { op, opset: 11, attributes: { axis: 1 }, inputs: [image] }]),
  ...['ReduceL1', 'ReduceL2', 'ReduceLogSumExp', 'ReduceMax', 'ReduceMean', 'ReduceMin', 'ReduceSum', 'ReduceSumSquare', 'ReduceProd'].flatMap((op): Sample[] => [
    { op, inputs: [image, { ints: [1] }] },
    { op, attributes: { keepdims: 0 }, inputs: [image, { ints: [-1, 2] }] },
  ]),
  { op: 'ReduceLogSum', inputs: [{ positive: image }, { ints: [2] }] },
  ...['ArgMax', 'ArgMin'].map((op): Sample => ({ op, attributes: { axis: 1 }, inputs: [image], outputs: ['int64'] })),
  { op: 'CumSum', inputs: [image, { scalar: 3, dtype: 'int64' }] },
  ...['GlobalAveragePool', 'GlobalMaxPool'].map((op): Sample => ({ op, inputs: [image] })),
  { op: 'GlobalLpPool', inputs: [image] },
  ...['MaxPool', 'AveragePool', 'LpPool'].map((op): Sample => ({ op, attributes: { kernel_shape: [2, 3], strides: [1, 2] }, inputs: [image] })),
  { op: 'MaxPool', attributes: { kernel_shape: [2, 3] }, inputs: [image], outputs: ['float32', 'int64'] },
  { op: 'LRN', attributes: { size: 3 }, inputs: [image] },
  { op: 'QuantizeLinear', inputs: [image, { scalar: 0.02 }, { scalar: 120, dtype: 'uint8' }], outputs: ['uint8'] },
  { op: 'QuantizeLinear', attributes: { axis: 1 }, inputs: [image, { weight: [6], positive: true }, { weight: [6], dtype: 'int8' }], outputs: ['int8'] },
  { op: 'DequantizeLinear', attributes: { axis: 1 }, inputs: [{ integer: image }, { weight: [6], positive: true }] },
  { op: 'DynamicQuantizeLinear', inputs: [image], outputs: ['uint8', 'float32', 'uint8'] },
];
