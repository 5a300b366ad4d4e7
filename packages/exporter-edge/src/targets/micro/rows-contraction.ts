import { attributeNumber, quantised, refuse, result, sizeOf, target, type Lowered, type QuantisedValue, type Row, type Target8, type Value } from './lowering.ts';
import { poolSizes, spatial } from './windows.ts';

type Weight = Extract<Value, { readonly kind: 'weight' }>;

function weightOf(node: Lowered, k: number): Weight & { readonly q: Int8Array } {
  const value = node.inputs[k];
  if (value?.kind !== 'weight' || !(value.q instanceof Int8Array)) return refuse(value?.kind === 'tensor' ? `multiplies two activations, and operand ${k + 1} must be a weight in int8` : 'has a weight that is not in int8 with zero for zero');
  return value as Weight & { readonly q: Int8Array };
}

/** Scales of a weight, one for each channel. */
const perChannel = ({ scales }: Weight, channels: number): Float32Array => (scales.length === channels ? scales : scales.length === 1 ? new Float32Array(channels).fill(scales[0]) : refuse(`has a weight with ${scales.length} scales for ${channels} channels`));

/** The bias in units of scale(x) · scale(W), which is how QDQ writes it. */
function biasOf(node: Lowered, k: number, channels: number, products: Float32Array): Int32Array {
  const value = node.inputs[k];
  if (value === undefined) return new Int32Array(channels);
  const floats = value.kind === 'weight' ? Array.from(value.q, (q, at) => q * value.scales[value.scales.length === 1 ? 0 : at]) : value.kind === 'constant' ? value.data : refuse('has a bias that depends on the data');
  if (floats.length !== channels && floats.length !== 1) refuse(`has a bias of ${floats.length} elements for ${channels} channels`);
  return Int32Array.from({ length: channels }, (_, c) => {
    const q = Math.round(floats[floats.length === 1 ? 0 : c] / products[c]);
    return Math.abs(q) < 2 ** 31 ? q : refuse('has a bias that does not fit into 32 bits beside its weights');
  });
}

/** Refuses sums that could leave int32, whatever the activations are. */
function assertFits(weights: Int8Array, bias: Int32Array, inputs: number, zero: number): void {
  const farthest = Math.max(127 - zero, zero + 128);
  for (let channel = 0; channel < bias.length; channel++) {
    let sum = Math.abs(bias[channel]);
    for (let k = channel * inputs; k < (channel + 1) * inputs; k++) sum += Math.abs(weights[k]) * farthest;
    if (sum >= 2 ** 31) refuse('could add up to more than 32 bits hold');
  }
}

/** scale(x) · scale(W), and with a target the factor from sums to its numbers; rounded to float32 where ONNX Runtime does. */
function factors(x: QuantisedValue, scales: Float32Array, to: Target8 | undefined): { readonly products: Float32Array; readonly scale: Float32Array } {
  const products = scales.map((s) => Math.fround(Math.fround(x.scale.scale) * s));
  return { products, scale: to === undefined ? products : products.map((p) => Math.fround(p / Math.fround(to.scale))) };
}

const conv: Row = (node) => {
  const x = quantised(node);
  const to = target(node);
  const weight = weightOf(node, 1);
  const { height, width, channels } = spatial(node, x.dims);
  const [outChannels, inGroup] = weight.dims;
  const groups = attributeNumber(node, 'group', 1);
  if (inGroup * groups !== channels) refuse(`has weights for ${inGroup * groups} channels, and reads ${channels}`);
  if (weight.axis !== 0 && weight.scales.length > 1) refuse('has scales along another axis of its weights than the channels');
  const kernel = weight.dims.slice(2);
  const sizes = poolSizes(node, kernel, { height, width });
  const { products, scale } = factors(x, perChannel(weight, outChannels), to);
  const bias = biasOf(node, 2, outChannels, products);
  assertFits(weight.q, bias, sizeOf(weight.dims.slice(1)), x.scale.zero);
  const buffer = node.buffer('int8', outChannels * sizes.out_height * sizes.out_width);
  const { pad_bottom: _bottom, pad_right: _right, ...window } = sizes;
  node.call('conv2d', {
    groups, in_channels: channels, in_height: height, in_width: width, out_channels: outChannels, ...window,
    in_zero: x.scale.zero, out_zero: to.zero, out_least: to.least, out_most: to.most, weights: weight.q, bias, scale,
  }, [x.buffer], buffer);
  return [result(x.dims.length === 3 ? [1, outChannels, sizes.out_width] : [1, outChannels, sizes.out_height, sizes.out_width], buffer, to)];
};

/** x [rows, in] · W, with W [in, out] or, transposed, [out, in]. */
function dense(node: Lowered, { transposed, bias: at, outDims, alpha = 1 }: { readonly transposed: boolean; readonly bias?: number; readonly outDims: (rows: readonly number[], out: number) => readonly number[]; readonly alpha?: number }): readonly Value[] {
  const x = quantised(node);
  const weight = weightOf(node, 1);
  if (weight.dims.length !== 2) refuse(`has a weight of ${weight.dims.length} axes, and the kernel has two`);
  const [inputs, outputs] = transposed ? [weight.dims[1], weight.dims[0]] : weight.dims;
  if (x.dims.at(-1) !== inputs) refuse(`has weights for ${inputs} features, and reads ${x.dims.at(-1)}`);
  if (weight.scales.length > 1 && weight.axis !== (transposed ? 0 : 1)) refuse('has scales along the axis of its weights that is summed over');
  const q = transposed ? weight.q : Int8Array.from({ length: weight.q.length }, (_, k) => weight.q[(k % inputs) * outputs + Math.floor(k / inputs)]);
  const { products, scale } = factors(x, perChannel(weight, outputs).map((s) => Math.fround(alpha * s)), node.target);
  const bias = at === undefined ? new Int32Array(outputs) : biasOf(node, at, outputs, products);
  assertFits(q, bias, inputs, x.scale.zero);
  const rows = sizeOf(x.dims) / inputs;
  const to = node.target;
  const buffer = node.buffer(to === undefined ? 'float' : 'int8', rows * outputs);
  node.call(to === undefined ? 'dense_float' : 'dense', {
    rows, in_features: inputs, out_features: outputs, in_zero: x.scale.zero, out_zero: to?.zero ?? 0, out_least: to?.least ?? -128, out_most: to?.most ?? 127, weights: q, bias, scale,
  }, [x.buffer], buffer);
  const dims = outDims(x.dims.slice(0, -1), outputs);
  return [to === undefined ? { kind: 'tensor', dims, buffer } : result(dims, buffer, to)];
}

const gemm: Row = (node) => {
  if (attributeNumber(node, 'transA', 0) !== 0) refuse('transposes its activations (transA)');
  if (attributeNumber(node, 'beta', 1) !== 1) refuse('scales its bias (beta)');
  return dense(node, { transposed: attributeNumber(node, 'transB', 0) !== 0, bias: 2, alpha: attributeNumber(node, 'alpha', 1), outDims: (rows, out) => [...rows, out] });
};

const matMul: Row = (node) => dense(node, { transposed: false, outDims: (rows, out) => [...rows, out] });

export const contraction = { Conv: conv, Gemm: gemm, MatMul: matMul } as const;
