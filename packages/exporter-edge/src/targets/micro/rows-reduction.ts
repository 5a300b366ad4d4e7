import { attributeNumber, attributeNumbers, four, numbers, quantised, refuse, result, sizeOf, stridesOf, target, type Lowered, type QuantisedValue, type Row, type TensorValue, type Value } from './lowering.ts';
import { poolSizes, spatial } from './windows.ts';

const pool = (kernel: 'max_pool2d' | 'average_pool2d'): Row => (node) => {
  const x = quantised(node);
  // The largest of numbers has their scale.
  const to = kernel === 'max_pool2d' ? { ...x.scale, least: -128, most: 127 } : target(node);
  if (kernel === 'max_pool2d' && attributeNumber(node, 'storage_order', 0) !== 0) refuse('stores columns first');
  const { channels, height, width } = spatial(node, x.dims);
  const sizes = poolSizes(node, attributeNumbers(node, 'kernel_shape') ?? refuse('has no kernel_shape'), { height, width });
  const buffer = node.buffer('int8', channels * sizes.out_height * sizes.out_width);
  node.call(kernel, {
    channels, in_height: height, in_width: width, ...sizes, count_padding: attributeNumber(node, 'count_include_pad', 0), in_zero: x.scale.zero, out_zero: to.zero, out_least: to.least, out_most: to.most, in_scale: x.scale.scale, out_scale: to.scale,
  }, [x.buffer], buffer);
  return [result(x.dims.length === 3 ? [1, channels, sizes.out_width] : [1, channels, sizes.out_height, sizes.out_width], buffer, to)];
};

function reduce(node: Lowered, kind: 'mean' | 'sum' | 'max', axes: readonly number[], keep: boolean): readonly Value[] {
  const x = quantised(node);
  const to = kind === 'max' ? { ...x.scale, least: -128, most: 127 } : target(node);
  const over = new Set(axes.map((axis) => (axis < 0 ? axis + x.dims.length : axis)));
  const dims = keep ? x.dims.map((n, axis) => (over.has(axis) ? 1 : n)) : x.dims.filter((_, axis) => !over.has(axis));
  const count = sizeOf(x.dims.filter((_, axis) => over.has(axis)));
  if (count > 2 ** 23) refuse(`sums ${count} elements, which 32 bits cannot hold`);
  const buffer = node.buffer('int8', sizeOf(dims));
  node.call(kind === 'max' ? 'reduce_max' : 'reduce_sum', {
    kept: four(x.dims.map((n, axis) => (over.has(axis) ? 1 : n)), 1), reduced: four(x.dims.map((n, axis) => (over.has(axis) ? n : 1)), 1), stride: four(stridesOf(x.dims), 0),
    in_zero: x.scale.zero, out_zero: to.zero, out_least: to.least, out_most: to.most, in_scale: x.scale.scale, out_scale: to.scale, divisor: kind === 'mean' ? count : 1,
  }, [x.buffer], buffer);
  return [result(dims, buffer, to)];
}

const overAxes = (kind: 'mean' | 'sum' | 'max'): Row => (node) => {
  const { dims } = quantised(node);
  const axes = numbers(node, 1) ?? (attributeNumber(node, 'noop_with_empty_axes', 0) !== 0 ? refuse('reduces nothing') : dims.map((_, axis) => axis));
  return reduce(node, kind, axes, attributeNumber(node, 'keepdims', 1) !== 0);
};

const overPlane = (kind: 'mean' | 'max'): Row => (node) => reduce(node, kind, quantised(node).dims.flatMap((_, axis) => (axis > 1 ? [axis] : [])), true);

/** Only in the end: scores stay in float. */
const logSoftmax: Row = (node) => {
  const [given] = node.inputs;
  if (given?.kind !== 'tensor') return refuse('reads constants');
  const axis = attributeNumber(node, 'axis', -1);
  if (axis !== -1 && given.dims.slice(axis < 0 ? axis + given.dims.length + 1 : axis + 1).some((n) => n !== 1)) refuse('normalises over another axis than the last');
  if (node.target !== undefined) refuse('is put into 8 bits; it may only be the last operator');
  const classes = given.dims.at(axis)!;
  const x = inFloat(node, given);
  const buffer = node.buffer('float', sizeOf(x.dims));
  node.call('log_softmax', { rows: sizeOf(x.dims) / classes, classes }, [x.buffer], buffer);
  return [{ kind: 'tensor', dims: x.dims, buffer }];
};

/** A tensor as floats. */
export function inFloat(node: Pick<Lowered, 'buffer' | 'call'>, x: TensorValue): TensorValue {
  if (x.scale === undefined) return x;
  const own = x as QuantisedValue;
  const buffer = node.buffer('float', sizeOf(x.dims));
  node.call('dequantise', { count: sizeOf(x.dims), zero: own.scale.zero, scale: own.scale.scale }, [x.buffer], buffer);
  return { kind: 'tensor', dims: x.dims, buffer };
}

export const reduction = {
  MaxPool: pool('max_pool2d'), AveragePool: pool('average_pool2d'), GlobalAveragePool: overPlane('mean'), GlobalMaxPool: overPlane('max'),
  ReduceMean: overAxes('mean'), ReduceSum: overAxes('sum'), ReduceMax: overAxes('max'), LogSoftmax: logSoftmax,
} as const satisfies Readonly<Record<string, Row>>;
