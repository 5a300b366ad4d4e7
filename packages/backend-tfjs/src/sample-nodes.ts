import { createRandom, type Random } from '@coppice/core';
import { makeGraph, makeInitializer, makeNode, makeValueInfo, type AttributeInput, type DataType, type GraphProto, type Tensor } from '@coppice/graph';

/** A node with operands to try it on. */
export interface SampleNode {
  readonly op: string;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly attributes?: Readonly<Record<string, AttributeInput | undefined>>;
  readonly outputs?: number;
  /** Operands that are constants of the model; by default those that are not float32. */
  readonly constants?: readonly number[];
  /** How far results may be from those of ONNX Runtime, relative to the largest. Default 2e-5. */
  readonly tolerance?: number;
}

const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** Draws operands; the same seed draws the same. */
class Draw {
  readonly random: Random;
  constructor(seed: number) { this.random = createRandom(seed); }
  size(low = 2, high = 6): number { return low + this.random.integer(high - low + 1); }
  sizes(count: number): number[] { return Array.from({ length: count }, () => this.size()); }
  of(dtype: DataType, dims: readonly number[], draw: () => number): Tensor {
    const proto = makeInitializer('x', dtype, dims, Array.from({ length: product(dims) }, draw));
    const bytes = proto.rawData;
    const ArrayType = { float32: Float32Array, float64: Float64Array, int64: BigInt64Array, int32: Int32Array, uint8: Uint8Array, int8: Int8Array, bool: Uint8Array, uint64: BigUint64Array, int16: Int16Array }[dtype as 'float32'];
    return { dtype, dims, data: new ArrayType(bytes.slice().buffer) };
  }
  normal(...dims: readonly number[]): Tensor { return this.of('float32', dims, () => this.random.normal()); }
  positive(...dims: readonly number[]): Tensor { return this.of('float32', dims, () => 0.1 + Math.abs(this.random.normal())); }
  between(low: number, high: number, ...dims: readonly number[]): Tensor { return this.of('float32', dims, () => low + (high - low) * this.random.uniform()); }
  bools(...dims: readonly number[]): Tensor { return this.of('bool', dims, () => (this.random.uniform() < 0.5 ? 0 : 1)); }
  whole(dtype: DataType, low: number, high: number, ...dims: readonly number[]): Tensor { return this.of(dtype, dims, () => low + this.random.integer(high - low + 1)); }
  ints(...values: readonly number[]): Tensor { return { dtype: 'int64', dims: [values.length], data: BigInt64Array.from(values, BigInt) }; }
  int(value: number): Tensor { return { dtype: 'int64', dims: [], data: BigInt64Array.of(BigInt(value)) }; }
  scalar(value: number): Tensor { return { dtype: 'float32', dims: [], data: Float32Array.of(value) }; }
}

const f = (value: number | readonly number[]) => ({ float: value });

/** A body with float32 inputs and outputs of open shape. */
function body(inputs: readonly (readonly [string, DataType, (readonly (string | number)[])?])[], outputs: readonly (readonly [string, DataType, (readonly (string | number)[])?])[], nodes: Parameters<typeof makeNode>[0][]): GraphProto {
  const declare = (list: typeof inputs) => list.map(([name, dtype, dims]) => makeValueInfo(name, dtype, dims));
  return makeGraph({ name: 'body', inputs: declare(inputs), outputs: declare(outputs), nodes: nodes.map(makeNode) });
}

function* elementwise(d: Draw): Generator<SampleNode> {
  const dims = [d.size(), d.size(5, 9), d.size(5, 9)];
  const x = d.normal(...dims);
  for (const op of ['Abs', 'Atan', 'Asinh', 'Ceil', 'Cos', 'Cosh', 'Erf', 'Exp', 'Floor', 'Neg', 'Relu', 'Sigmoid', 'Sign', 'Sin', 'Sinh', 'Softplus', 'Softsign', 'Tanh', 'Identity', 'IsNaN', 'IsInf', 'Mish', 'HardSwish', 'Celu', 'Elu', 'Gelu', 'HardSigmoid', 'LeakyRelu', 'Selu', 'Shrink', 'ThresholdedRelu', 'Swish']) yield { op, inputs: [x], tolerance: 5e-5 };
  yield { op: 'Round', inputs: [{ ...x, data: Float32Array.from(x.data as Float32Array, (v, k) => (k % 2 ? Math.round(v * 4) / 2 : v * 3)) }] };
  yield { op: 'Tan', inputs: [d.between(-1, 1, ...dims)] };
  for (const op of ['Acos', 'Asin', 'Atanh']) yield { op, inputs: [d.between(-0.9, 0.9, ...dims)] };
  yield { op: 'Acosh', inputs: [d.between(1.1, 5, ...dims)] };
  for (const op of ['Log', 'Sqrt', 'Reciprocal']) yield { op, inputs: [d.positive(...dims)] };
  yield { op: 'Elu', inputs: [x], attributes: { alpha: f(0.7) } };
  yield { op: 'Celu', inputs: [x], attributes: { alpha: f(1.7) } };
  yield { op: 'Gelu', inputs: [x], attributes: { approximate: 'tanh' } };
  yield { op: 'LeakyRelu', inputs: [x], attributes: { alpha: f(0.3) } };
  yield { op: 'Shrink', inputs: [x], attributes: { lambd: f(0.6), bias: f(0.2) } };
  yield { op: 'PRelu', inputs: [x, d.normal(dims[1], 1)] };
  for (const op of ['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Sum', 'Mean', 'Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual']) {
    yield { op, inputs: [x, d.normal(...dims)] };
    yield { op, inputs: [x, d.normal(dims[1], 1)] };
    yield { op, inputs: [d.normal(1, dims[1], 1), d.normal(dims[0], 1, dims[2])] };
    yield { op, inputs: [x, d.scalar(0.5)] };
  }
  for (const op of ['Max', 'Min', 'Sum', 'Mean']) yield { op, inputs: [x, d.normal(...dims), d.normal(dims[2])] };
  yield { op: 'Pow', inputs: [d.positive(...dims), d.normal(...dims)] };
  for (const power of [2, 0.5, 3, -1, 1]) yield { op: 'Pow', inputs: [d.positive(...dims), d.scalar(power)], constants: [1] };
  yield { op: 'Pow', inputs: [x, d.int(2)] };
  for (const fmod of [0, 1]) yield { op: 'Mod', inputs: [d.whole('int64', -20, 20, ...dims), d.whole('int64', 1, 7, dims[2])], attributes: { fmod } };
  yield { op: 'Mod', inputs: [x, d.positive(dims[2])], attributes: { fmod: 1 } };
  for (const op of ['Add', 'Sub', 'Mul', 'Max', 'Min']) for (const type of ['int64', 'int32'] as const) yield { op, inputs: [d.whole(type, -50, 50, ...dims), d.whole(type, -9, 9, dims[2])] };
  for (const type of ['int64', 'int32'] as const) yield { op: 'Div', inputs: [d.whole(type, -50, 50, ...dims), d.whole(type, -9, -1, dims[2])] };
  for (const op of ['And', 'Or', 'Xor']) yield { op, inputs: [d.bools(...dims), d.bools(dims[1], 1)], constants: [] };
  yield { op: 'Not', inputs: [d.bools(...dims)], constants: [] };
  for (const op of ['BitwiseAnd', 'BitwiseOr', 'BitwiseXor']) yield { op, inputs: [d.whole('int32', -99, 99, ...dims), d.whole('int32', -99, 99, dims[2])] };
  yield { op: 'BitwiseNot', inputs: [d.whole('int64', -99, 99, ...dims)] };
  for (const direction of ['LEFT', 'RIGHT']) yield { op: 'BitShift', inputs: [d.whole('uint8', 0, 255, ...dims), d.whole('uint8', 0, 6, dims[2])], attributes: { direction } };
  yield { op: 'Where', inputs: [d.bools(dims[1], 1), x, d.normal(...dims)], constants: [] };
  yield { op: 'Where', inputs: [d.bools(...dims), x, d.scalar(-1)], constants: [] };
  yield { op: 'Where', inputs: [d.bools(dims[2]), d.normal(dims[1], 1), d.normal(dims[0], 1, 1)], constants: [] };
  yield { op: 'Clip', inputs: [x, d.scalar(-0.5), d.scalar(0.25)] };
  yield { op: 'Clip', inputs: [x, d.scalar(0.1)] };
  yield { op: 'Clip', inputs: [x, undefined, d.scalar(0.1)] };
  yield { op: 'Clip', inputs: [x, d.scalar(2), d.scalar(-1)] };
  for (const to of [1, 6, 7, 9, 10, 11, 3]) yield { op: 'Cast', inputs: [d.between(-100, 100, ...dims)], attributes: { to } };
  for (const to of [1, 6, 9]) yield { op: 'Cast', inputs: [d.bools(...dims)], attributes: { to }, constants: [] };
  yield { op: 'CastLike', inputs: [x, d.whole('int64', 0, 1, 1)] };
}

function* contraction(d: Draw): Generator<SampleNode> {
  const [m, k, n, b] = [d.size(), d.size(5, 9), d.size(3, 8), d.size(2, 4)];
  yield { op: 'MatMul', inputs: [d.normal(m, k), d.normal(k, n)] };
  yield { op: 'MatMul', inputs: [d.normal(b, m, k), d.normal(k, n)] };
  yield { op: 'MatMul', inputs: [d.normal(m, k), d.normal(b, k, n)] };
  yield { op: 'MatMul', inputs: [d.normal(2, b, m, k), d.normal(2, b, k, n)] };
  yield { op: 'MatMul', inputs: [d.normal(2, 1, m, k), d.normal(b, k, n)] };
  yield { op: 'MatMul', inputs: [d.normal(3, 20, 18), d.normal(3, 18, 16)] };
  yield { op: 'MatMul', inputs: [d.normal(k), d.normal(b, k, n)] };
  yield { op: 'MatMul', inputs: [d.normal(b, m, k), d.normal(k)] };
  yield { op: 'MatMul', inputs: [d.normal(k), d.normal(k)] };
  for (const transA of [0, 1]) for (const transB of [0, 1]) {
    yield { op: 'Gemm', inputs: [transA ? d.normal(k, m) : d.normal(m, k), transB ? d.normal(n, k) : d.normal(k, n), d.normal(transA ? n : 1)], attributes: { transA, transB, alpha: f(0.5), beta: f(2) } };
  }
  yield { op: 'Gemm', inputs: [d.normal(m, k), d.normal(k, n)] };
  yield { op: 'Einsum', inputs: [d.normal(b, m, k), d.normal(b, n, k)], attributes: { equation: 'bmk,bnk->bmn' } };
  yield { op: 'Einsum', inputs: [d.normal(m, m)], attributes: { equation: 'ii->i' } };
}

function* convolution(d: Draw): Generator<SampleNode> {
  const [n, c, o] = [d.size(1, 3), d.size(2, 4), d.size(2, 5)];
  const [h, w] = [d.size(9, 12), d.size(9, 12)];
  const [kh, kw] = [d.size(1, 3), d.size(1, 3)];
  const settings: Record<string, AttributeInput>[] = [{}, { pads: [1, 0, 2, 1] }, { strides: [2, 1] }, { strides: [2, 2], pads: [1, 1, 1, 1] }, { dilations: [2, 3], pads: [2, 2, 2, 2] }, { strides: [2, 3], dilations: [2, 1] }, { auto_pad: 'SAME_UPPER', strides: [2, 2] }, { auto_pad: 'SAME_LOWER' }, { auto_pad: 'VALID' }];
  for (const attributes of settings) {
    yield { op: 'Conv', inputs: [d.normal(n, c, h, w), d.normal(o, c, kh, kw), d.normal(o)], attributes, constants: [1, 2] };
    yield { op: 'Conv', inputs: [d.normal(n, c, h, w), d.normal(2 * c, 1, kh, kw)], attributes: { ...attributes, group: c } };
  }
  for (const attributes of [{}, { strides: [2], pads: [1, 2] }, { dilations: [2], strides: [3] }] as Record<string, AttributeInput>[]) {
    yield { op: 'Conv', inputs: [d.normal(n, c, w), d.normal(o, c, kw)], attributes };
    yield { op: 'Conv', inputs: [d.normal(n, 2 * c, w), d.normal(2 * o, c, kw), d.normal(2 * o)], attributes: { ...attributes, group: 2 }, constants: [1, 2] };
    yield { op: 'Conv', inputs: [d.normal(n, c, w), d.normal(c, 1, kw)], attributes: { ...attributes, group: c } };
  }
  yield { op: 'Conv', inputs: [d.normal(1, c, 5, 6, 4), d.normal(o, c, 2, 3, 2)], attributes: { pads: [1, 0, 1, 0, 1, 1] } };
  const transposed: Record<string, AttributeInput>[] = [{}, { strides: [2, 3] }, { strides: [2, 2], pads: [1, 0, 1, 1], output_padding: [1, 1] }, { dilations: [2, 2] }, { auto_pad: 'SAME_UPPER', strides: [2, 2] }, { strides: [3, 4] }, { strides: [2, 2], output_shape: [2 * h, 2 * w] }];
  for (const attributes of transposed) yield { op: 'ConvTranspose', inputs: [d.normal(n, c, h, w), d.normal(c, o, 3, 4), d.normal(o)], attributes, constants: d.random.uniform() < 0.5 ? [1, 2] : [] };
  yield { op: 'ConvTranspose', inputs: [d.normal(n, 2 * c, w), d.normal(2 * c, o, 3)], attributes: { group: 2, strides: [2], pads: [1, 0] } };
}

function* pooling(d: Draw): Generator<SampleNode> {
  const x = d.normal(d.size(1, 2), d.size(2, 4), d.size(8, 11), d.size(8, 11));
  const line = d.normal(2, d.size(2, 4), d.size(8, 11));
  const settings: Record<string, AttributeInput>[] = [{}, { strides: [2, 2] }, { pads: [1, 0, 1, 1], strides: [2, 1] }, { ceil_mode: 1, strides: [2, 3] }, { auto_pad: 'SAME_UPPER', strides: [2, 2] }, { dilations: [2, 1] }];
  for (const op of ['MaxPool', 'AveragePool', 'LpPool']) {
    for (const attributes of settings) if (op !== 'LpPool' || !('ceil_mode' in attributes)) yield { op, inputs: [x], attributes: { kernel_shape: [3, 2], ...attributes } };
    yield { op, inputs: [line], attributes: { kernel_shape: [3], strides: [2], pads: [1, 1] } };
  }
  yield { op: 'AveragePool', inputs: [x], attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1 } };
  yield { op: 'MaxPool', inputs: [x], attributes: { kernel_shape: [2, 2], strides: [2, 2] }, outputs: 2 };
  for (const op of ['GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool']) for (const plane of [x, line]) yield { op, inputs: [plane] };
  yield { op: 'MaxUnpool', inputs: [d.normal(1, 1, 2, 2), { dtype: 'int64', dims: [1, 1, 2, 2], data: BigInt64Array.of(1n, 3n, 8n, 14n) }], attributes: { kernel_shape: [2, 2], strides: [2, 2] } };
}

function* recurrent(d: Draw): Generator<SampleNode> {
  const [time, batch, width, hidden] = [d.size(3, 6), d.size(2, 3), d.size(2, 4), d.size(2, 5)];
  const x = d.normal(time, batch, width);
  const lengths: Tensor = { dtype: 'int32', dims: [batch], data: Int32Array.from({ length: batch }, (_, k) => (k === 0 ? time : d.size(1, time - 1))) };
  for (const [op, gates] of [['RNN', 1], ['GRU', 3], ['LSTM', 4]] as const) {
    for (const direction of ['forward', 'reverse', 'bidirectional']) {
      const count = direction === 'bidirectional' ? 2 : 1;
      const weights = [d.normal(count, gates * hidden, width), d.normal(count, gates * hidden, hidden)];
      const bias = d.normal(count, 2 * gates * hidden);
      const states = op === 'LSTM' ? [d.normal(count, batch, hidden), d.normal(count, batch, hidden)] : [d.normal(count, batch, hidden)];
      const outputs = op === 'LSTM' ? 3 : 2;
      for (const own of op === 'GRU' ? [{ linear_before_reset: 1 }, {}] : [{}]) {
        yield { op, inputs: [x, ...weights, bias], attributes: { hidden_size: hidden, direction, ...own }, outputs, constants: [1, 2, 3] };
        yield { op, inputs: [x, ...weights, undefined, lengths, ...states], attributes: { hidden_size: hidden, direction, ...own }, outputs, constants: [1, 2] };
      }
      yield { op, inputs: [x, ...weights, bias], attributes: { hidden_size: hidden, direction, clip: f(0.4) }, outputs, constants: [1, 2, 3] };
      const functions = { RNN: ['Relu'], GRU: ['HardSigmoid', 'Softsign'], LSTM: ['Sigmoid', 'Relu', 'Tanh'] }[op];
      yield { op, inputs: [x, ...weights], attributes: { hidden_size: hidden, direction, activations: Array.from({ length: count }, () => functions).flat() }, outputs, constants: [1, 2] };
      if (op === 'LSTM') yield { op, inputs: [x, ...weights, bias, undefined, ...states, d.normal(count, 3 * hidden)], attributes: { hidden_size: hidden, direction }, outputs, constants: [1, 2, 3, 7] };
    }
  }
}

function* normalisation(d: Draw): Generator<SampleNode> {
  const dims = [d.size(2, 3), 4, d.size(3, 6), d.size(3, 6)];
  const x = d.normal(...dims);
  const channels = (): Tensor => d.normal(4);
  yield { op: 'BatchNormalization', inputs: [x, channels(), channels(), channels(), d.positive(4)], constants: [1, 2, 3, 4] };
  yield { op: 'BatchNormalization', inputs: [d.normal(5, 4), channels(), channels(), channels(), d.positive(4)] };
  yield { op: 'BatchNormalization', inputs: [x, channels(), channels(), channels(), d.positive(4)], attributes: { training_mode: 1, momentum: f(0.7) }, outputs: 3 };
  yield { op: 'LayerNormalization', inputs: [x, d.normal(dims[3]), d.normal(dims[3])], outputs: 3 };
  yield { op: 'LayerNormalization', inputs: [x, d.normal(dims[2], dims[3])], attributes: { axis: 2, epsilon: f(0.01) } };
  yield { op: 'InstanceNormalization', inputs: [x, channels(), channels()] };
  yield { op: 'GroupNormalization', inputs: [x, channels(), channels()], attributes: { num_groups: 2 } };
  yield { op: 'MeanVarianceNormalization', inputs: [x], tolerance: 1e-4 };
  for (const p of [1, 2]) yield { op: 'LpNormalization', inputs: [x], attributes: { p, axis: 2 } };
  yield { op: 'LRN', inputs: [x], attributes: { size: 3, alpha: f(0.1), beta: f(0.6), bias: f(1.5) } };
  for (const op of ['Softmax', 'LogSoftmax', 'Hardmax']) for (const axis of [-1, 1, 0]) yield { op, inputs: [x], attributes: { axis } };
  yield { op: 'RMSNormalization', inputs: [x, d.normal(dims[3])] };
}

function* reduction(d: Draw): Generator<SampleNode> {
  const x = d.normal(d.size(), d.size(4, 7), d.size(4, 7));
  for (const op of ['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceL1', 'ReduceL2', 'ReduceSumSquare', 'ReduceLogSumExp']) {
    yield { op, inputs: [x, d.ints(1)] };
    yield { op, inputs: [x, d.ints(-1, 0)], attributes: { keepdims: 0 } };
    yield { op, inputs: [x] };
    yield { op, inputs: [x], attributes: { noop_with_empty_axes: 1 } };
  }
  yield { op: 'ReduceLogSum', inputs: [d.positive(3, 5), d.ints(1)] };
  yield { op: 'ReduceSum', inputs: [d.whole('int64', -9, 9, 3, 4), d.ints(1)] };
  yield { op: 'ReduceMax', inputs: [d.whole('int32', -9, 9, 3, 4), d.ints(0)] };
  for (const op of ['ArgMax', 'ArgMin']) for (const select_last_index of [0, 1]) yield { op, inputs: [d.of('float32', [4, 7], () => d.random.integer(3))], attributes: { axis: 1, select_last_index, keepdims: select_last_index } };
}

function* movement(d: Draw): Generator<SampleNode> {
  const dims = [d.size(2, 3), d.size(4, 6), d.size(4, 6), d.size(5, 7)];
  const x = d.normal(...dims);
  yield { op: 'Transpose', inputs: [x], attributes: { perm: [3, 1, 0, 2] } };
  yield { op: 'Transpose', inputs: [x] };
  yield { op: 'Transpose', inputs: [d.bools(...dims)], attributes: { perm: [0, 2, 3, 1] }, constants: [] };
  yield { op: 'Reshape', inputs: [x, d.ints(0, -1, dims[3])] };
  yield { op: 'Reshape', inputs: [d.normal(0, 3), d.ints(3, 0)], attributes: { allowzero: 1 } };
  yield { op: 'Flatten', inputs: [x], attributes: { axis: 2 } };
  yield { op: 'Flatten', inputs: [x], attributes: { axis: 0 } };
  yield { op: 'Squeeze', inputs: [d.normal(3, 1, 40, 1), d.ints(1)] };
  yield { op: 'Squeeze', inputs: [d.normal(3, 1, 40, 1)] };
  yield { op: 'Unsqueeze', inputs: [x, d.ints(-1, 1)] };
  for (const axis of [0, 2, -1]) yield { op: 'Concat', inputs: [x, d.normal(...dims.with(axis < 0 ? 3 : axis, 3)), x], attributes: { axis } };
  yield { op: 'Split', inputs: [x, d.ints(1, dims[1] - 1)], attributes: { axis: 1 }, outputs: 2 };
  yield { op: 'Split', inputs: [x], attributes: { axis: -1, num_outputs: 3 }, outputs: 3 };
  yield { op: 'Slice', inputs: [x, d.ints(1, -3), d.ints(100, -1), d.ints(1, 3)] };
  yield { op: 'Slice', inputs: [x, d.ints(-1, 0), d.ints(-100, 5), d.ints(3, 2), d.ints(-2, 2)] };
  yield { op: 'Slice', inputs: [d.whole('int64', -5, 5, 9, 4), d.ints(8), d.ints(0), d.ints(0), d.ints(-3)] };
  yield { op: 'Expand', inputs: [d.normal(dims[1], 1, dims[3]), d.ints(2, 1, dims[2], 1)] };
  yield { op: 'Expand', inputs: [d.bools(40, 1), d.ints(2, 1, 3)], constants: [1] };
  yield { op: 'Tile', inputs: [x, d.ints(1, 2, 1, 3)] };
  yield { op: 'Pad', inputs: [x, d.ints(0, 1, 2, 0, 0, 0, 1, 3), d.scalar(1.5)] };
  yield { op: 'Pad', inputs: [x, d.ints(1, -2, 0, 1), undefined, d.ints(2, 3)] };
  yield { op: 'Pad', inputs: [d.normal(2, 3, 2, 3, 4, 3), d.ints(0, 1, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0)] };
  for (const mode of ['reflect', 'edge', 'wrap']) yield { op: 'Pad', inputs: [x, d.ints(0, 0, 1, 2, 0, 0, 2, 1)], attributes: { mode } };
  for (const mode of ['DCR', 'CRD']) yield { op: 'DepthToSpace', inputs: [d.normal(2, 8, 3, 4)], attributes: { blocksize: 2, mode } };
  yield { op: 'SpaceToDepth', inputs: [d.normal(2, 3, 4, 6)], attributes: { blocksize: 2 } };
  yield { op: 'ReverseSequence', inputs: [d.normal(6, 3, 4), d.ints(2, 6, 1)], attributes: { time_axis: 0, batch_axis: 1 } };
  for (const upper of [0, 1]) yield { op: 'Trilu', inputs: [x, d.int(upper ? -1 : 1)], attributes: { upper } };
  yield { op: 'Shape', inputs: [x], attributes: { start: 1, end: -1 } };
  yield { op: 'Size', inputs: [x] };
  yield { op: 'CenterCropPad', inputs: [x, d.ints(9, 3)], attributes: { axes: [1, 3] } };
  yield { op: 'Dropout', inputs: [x], outputs: 2 };
}

function* indexing(d: Draw): Generator<SampleNode> {
  const dims = [d.size(3, 5), d.size(4, 6), d.size(4, 6)];
  const x = d.normal(...dims);
  for (const axis of [0, 1, -1]) yield { op: 'Gather', inputs: [x, d.whole('int64', -3, 2, 2, 3)], attributes: { axis } };
  yield { op: 'Gather', inputs: [x, d.int(-1)], attributes: { axis: 1 } };
  yield { op: 'Gather', inputs: [x, d.whole('int32', 0, 2, 4)], constants: [] };
  yield { op: 'GatherElements', inputs: [x, d.whole('int64', -3, 2, dims[0], 3, dims[2])], attributes: { axis: 1 } };
  yield { op: 'GatherND', inputs: [x, d.whole('int64', 0, 2, 4, 2)] };
  yield { op: 'GatherND', inputs: [x, d.whole('int64', 0, 2, dims[0], 2, 1)], attributes: { batch_dims: 1 } };
  const places: Tensor = { dtype: 'int64', dims: [3, 2], data: BigInt64Array.of(0n, 1n, 2n, 3n, 0n, 0n) };
  for (const reduction of ['none', 'add', 'mul', 'max', 'min']) yield { op: 'ScatterND', inputs: [x, places, d.normal(3, dims[2])], attributes: { reduction } };
  const rows: Tensor = { dtype: 'int64', dims: [2, 2, 2], data: BigInt64Array.of(0n, 1n, 2n, 0n, 1n, 2n, 0n, 1n) };
  for (const reduction of ['none', 'add', 'mul', 'max', 'min']) yield { op: 'ScatterElements', inputs: [x, rows, d.normal(2, 2, 2)], attributes: { axis: 0, reduction } };
  yield { op: 'Compress', inputs: [x, { dtype: 'bool', dims: [3], data: Uint8Array.of(1, 0, 1) }], attributes: { axis: 1 } };
  yield { op: 'Compress', inputs: [x, { dtype: 'bool', dims: [5], data: Uint8Array.of(1, 0, 1, 0, 1) }] };
  yield { op: 'OneHot', inputs: [d.whole('int64', -4, 4, 3, 5), d.ints(5), { dtype: 'float32', dims: [2], data: Float32Array.of(-1, 2) }], attributes: { axis: 1 } };
  yield { op: 'NonZero', inputs: [d.of('float32', dims, () => d.random.integer(2))] };
  for (const largest of [0, 1]) yield { op: 'TopK', inputs: [x, d.ints(3)], attributes: { axis: 1, largest }, outputs: 2 };
  for (const sorted of [0, 1]) yield { op: 'Unique', inputs: [d.of('float32', [24], () => d.random.integer(6))], attributes: { sorted }, outputs: 4 };
  yield { op: 'Unique', inputs: [d.of('float32', [12, 2], () => d.random.integer(2))], attributes: { axis: 0 }, outputs: 4 };
  for (const exclusive of [0, 1]) for (const reverse of [0, 1]) for (const axis of [1, 2]) yield { op: 'CumSum', inputs: [x, d.int(axis)], attributes: { exclusive, reverse } };
  yield { op: 'CumSum', inputs: [d.whole('int64', -9, 9, 3, 4), d.int(1)] };
  yield { op: 'NonMaxSuppression', inputs: [d.between(0, 1, 1, 6, 4), d.between(0, 1, 1, 2, 6), d.ints(3), d.scalar(0.4), d.scalar(0.2)].map((t, k) => (k > 2 ? { ...t, dims: [1] } : t)) };
}

function* creation(d: Draw): Generator<SampleNode> {
  yield { op: 'ConstantOfShape', inputs: [d.ints(2, 3)], attributes: { value: { dtype: 'float32', dims: [1], data: Float32Array.of(1.5) } } };
  yield { op: 'Range', inputs: [d.int(3), d.int(-9), d.int(-2)] };
  yield { op: 'Range', inputs: [d.scalar(0.5), d.scalar(4), d.scalar(0.75)] };
  yield { op: 'EyeLike', inputs: [d.normal(4, 6)], attributes: { k: 1 } };
  for (const op of ['HannWindow', 'HammingWindow', 'BlackmanWindow']) for (const periodic of [0, 1]) yield { op, inputs: [d.int(11)], attributes: { periodic } };
  yield { op: 'MelWeightMatrix', inputs: [d.int(8), d.int(64), d.int(16000), d.scalar(20), d.scalar(7600)] };
}

function* quantise(d: Draw): Generator<SampleNode> {
  const x = d.normal(2, 5, 9);
  const zero = (dtype: DataType, value: number): Tensor => d.of(dtype, [], () => value);
  for (const dtype of ['uint8', 'int8'] as const) {
    yield { op: 'QuantizeLinear', inputs: [x, d.scalar(0.023), zero(dtype, 7)] };
    yield { op: 'DequantizeLinear', inputs: [d.whole(dtype, 0, 99, 3, 40), d.scalar(0.03), zero(dtype, 5)] };
  }
  yield { op: 'QuantizeLinear', inputs: [x, d.positive(5), d.whole('int8', -3, 3, 5)], attributes: { axis: 1 } };
  yield { op: 'DequantizeLinear', inputs: [d.whole('int8', -99, 99, 2, 5, 9), d.positive(5)], attributes: { axis: 1 } };
  yield { op: 'DynamicQuantizeLinear', inputs: [x], outputs: 3 };
  yield { op: 'MatMulInteger', inputs: [d.whole('uint8', 0, 255, 2, 6, 40), d.whole('int8', -128, 127, 40, 7), zero('uint8', 120), zero('int8', 3)] };
  yield { op: 'MatMulInteger', inputs: [d.whole('uint8', 0, 255, 3, 1100), d.whole('uint8', 0, 255, 1100, 4)], constants: [] };
  yield { op: 'ConvInteger', inputs: [d.whole('uint8', 0, 255, 1, 3, 6, 7), d.whole('uint8', 0, 255, 4, 3, 3, 2), zero('uint8', 9)], attributes: { pads: [1, 1, 1, 1] } };
  yield { op: 'QLinearMatMul', inputs: [d.whole('uint8', 0, 255, 4, 6), d.scalar(0.02), zero('uint8', 110), d.whole('uint8', 0, 255, 6, 5), d.scalar(0.03), zero('uint8', 90), d.scalar(0.05), zero('uint8', 128)] };
  yield { op: 'QLinearConv', inputs: [d.whole('uint8', 0, 255, 1, 2, 5, 5), d.scalar(0.02), zero('uint8', 110), d.whole('uint8', 0, 255, 3, 2, 3, 3), d.scalar(0.03), zero('uint8', 90), d.scalar(0.05), zero('uint8', 128)] };
}

function* sampling(d: Draw): Generator<SampleNode> {
  const x = d.normal(2, 3, d.size(4, 6), d.size(4, 6));
  for (const mode of ['nearest', 'linear', 'cubic']) for (const coordinate_transformation_mode of ['half_pixel', 'asymmetric', 'align_corners', 'pytorch_half_pixel']) {
    yield { op: 'Resize', inputs: [x, undefined, undefined, d.ints(2, 3, 7, 9)], attributes: { mode, coordinate_transformation_mode }, tolerance: 1e-4 };
  }
  yield { op: 'Resize', inputs: [x, undefined, { dtype: 'float32', dims: [4], data: Float32Array.of(1, 1, 2, 0.6) }], attributes: { mode: 'linear' } };
  yield { op: 'Resize', inputs: [x, undefined, { dtype: 'float32', dims: [4], data: Float32Array.of(1, 1, 0.5, 0.6) }], attributes: { mode: 'linear', antialias: 1 }, tolerance: 1e-4 };
  yield { op: 'DFT', inputs: [d.normal(2, 9, 1), undefined, d.int(1)], attributes: { onesided: 1 } };
  yield { op: 'DFT', inputs: [d.normal(2, 9, 2), d.int(12), d.int(1)] };
  yield { op: 'STFT', inputs: [d.normal(2, 40, 1), d.int(4), d.positive(16)], attributes: { onesided: 1 } };
  yield { op: 'Det', inputs: [d.normal(3, 4, 4)] };
  yield { op: 'Col2Im', inputs: [d.normal(2, 12, 16), d.ints(5, 6), d.ints(2, 3)], attributes: {} };
}

function* losses(d: Draw): Generator<SampleNode> {
  const [x, target] = [d.normal(3, 5, 4), d.whole('int64', 0, 4, 3, 4)];
  for (const reduction of ['none', 'sum', 'mean']) {
    yield { op: 'NegativeLogLikelihoodLoss', inputs: [x, target, d.positive(5)], attributes: { reduction, ignore_index: 2 }, constants: [] };
    yield { op: 'SoftmaxCrossEntropyLoss', inputs: [x, target], attributes: { reduction }, outputs: 2, constants: [] };
  }
}

function* attention(d: Draw): Generator<SampleNode> {
  const [b, s, t, width] = [2, d.size(3, 5), d.size(4, 6), d.size(3, 6)];
  yield { op: 'Attention', inputs: [d.normal(b, 4, s, width), d.normal(b, 4, t, width), d.normal(b, 4, t, 3)] };
  yield { op: 'Attention', inputs: [d.normal(b, 4, s, width), d.normal(b, 2, s, width), d.normal(b, 2, s, width)], attributes: { is_causal: 1, scale: f(0.3) } };
  yield { op: 'Attention', inputs: [d.normal(b, s, 4 * width), d.normal(b, t, 4 * width), d.normal(b, t, 4 * width), d.normal(s, t)], attributes: { q_num_heads: 4, kv_num_heads: 4, softcap: f(1.5) } };
  yield { op: 'Attention', inputs: [d.normal(b, 2, s, width), d.normal(b, 2, t, width), d.normal(b, 2, t, width), undefined, d.normal(b, 2, 3, width), d.normal(b, 2, 3, width)], outputs: 3 };
  for (const interleaved of [0, 1]) yield { op: 'RotaryEmbedding', inputs: [d.normal(b, 2, s, 8), d.normal(10, 4), d.normal(10, 4), d.whole('int64', 0, 9, b, s)], attributes: { interleaved } };
  yield { op: 'RotaryEmbedding', inputs: [d.normal(b, s, 24), d.normal(b, s, 2), d.normal(b, s, 2)], attributes: { num_heads: 3, rotary_embedding_dim: 4 } };
}

function* control(d: Draw): Generator<SampleNode> {
  const step = body([['h', 'float32', [3, 20]], ['x', 'float32', [3, 20]]], [['h2', 'float32', [3, 20]], ['y', 'float32', [3, 20]]], [
    { op: 'Add', inputs: ['h', 'x'], outputs: ['s'] }, { op: 'Tanh', inputs: ['s'], outputs: ['h2'] }, { op: 'Mul', inputs: ['s', 's'], outputs: ['y'] },
  ]);
  for (const direction of [0, 1]) yield { op: 'Scan', inputs: [d.normal(3, 20), d.normal(5, 3, 20)], attributes: { body: step, num_scan_inputs: 1, scan_input_directions: [direction], scan_output_directions: [direction] }, outputs: 2, constants: [] };
  yield { op: 'Scan', inputs: [d.normal(3, 20), d.normal(3, 5, 20)], attributes: { body: step, num_scan_inputs: 1, scan_input_axes: [1], scan_output_axes: [2] }, outputs: 2, constants: [] };
  const loop = body([['i', 'int64', []], ['c', 'bool', []], ['h', 'float32', [4, 30]]], [['c2', 'bool', []], ['h2', 'float32', [4, 30]], ['y', 'float32', [4, 30]]], [
    { op: 'Cast', inputs: ['i'], outputs: ['f'], attributes: { to: 1 } }, { op: 'Add', inputs: ['h', 'f'], outputs: ['h2'] }, { op: 'Cos', inputs: ['h2'], outputs: ['y'] }, { op: 'Identity', inputs: ['c'], outputs: ['c2'] },
  ]);
  yield { op: 'Loop', inputs: [d.int(4), { dtype: 'bool', dims: [], data: Uint8Array.of(1) }, d.normal(4, 30)], attributes: { body: loop }, outputs: 2 };
  const branch = (value: number) => makeGraph({ name: 'branch', inputs: [], outputs: [makeValueInfo('y', 'float32', [2])], nodes: [makeNode({ op: 'Identity', inputs: ['k'], outputs: ['y'] })], initializers: [makeInitializer('k', 'float32', [2], [value, value + 1])] });
  for (const yes of [0, 1]) yield { op: 'If', inputs: [{ dtype: 'bool', dims: [], data: Uint8Array.of(yes) }], attributes: { then_branch: branch(1), else_branch: branch(5) }, constants: [] };
}

/** Nodes of every operator that is computed, drawn from a seed. */
export function* sampleNodes(seed: number): Generator<SampleNode> {
  const d = new Draw(seed);
  for (const family of [elementwise, contraction, convolution, pooling, recurrent, normalisation, reduction, movement, indexing, creation, quantise, sampling, losses, attention, control]) yield* family(d);
}
