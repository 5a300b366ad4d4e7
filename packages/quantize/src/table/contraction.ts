import { dataTypes, toFloat32, type NormalNode, type OperatorName, type ContribOperatorName } from '@coppice/graph';
import { roundHalfEven } from '../scales.ts';
import type { Rewriter } from '../rewriter.ts';
import type { Site, Sites, SiteWeight } from '../site.ts';
import { absent, type Absent, type IntegerForm, type OperatorForms, type WeightOperand } from './row.ts';

const number = (node: NormalNode, name: string, otherwise: number): number => (typeof node.attributes[name] === 'number' ? node.attributes[name] : otherwise);

/** Why integer arithmetic does not get on with the types of a node. */
const untypical = (site: Site, { typeOf }: Sites): string | undefined => {
  const dtype = typeOf(site.step.inputs[0]);
  if (dtype !== undefined && dtype !== 'float32') return `it computes in ${dtype}, and integer kernels meet float32`;
  const weight = site.weights.find(({ dtype }) => dtype !== 'float32');
  return weight && `its weight is ${weight.dtype}`;
};

const weightAt = (site: Site, input: number): SiteWeight | undefined => site.weights.find(({ operand }) => operand.input === input);
const NOT_CONSTANT = 'its weight is not a constant';

// Conv ----------------------------------------------------------------------------------------------------------------

/** W[o, i/groups, k…]: sums over all axes but the first. */
const convWeight = (input: number): WeightOperand => ({ input, keep: () => [0], summed: (dims) => (dims.slice(2).every((n) => n === 1) ? 1 : -1) });

/**
 * QuantizeLinear → DequantizeLinear around x and y, W in int8 with a scale for each output channel, the bias in int32 with the scale
 * scale(x)·scale(W): the pattern that runtimes join into QLinearConv. ONNX Runtime, "Quantize ONNX models".
 */
const convStatic: IntegerForm = {
  misfit(site, sites) {
    if (!weightAt(site, 1)) return NOT_CONSTANT;
    if (site.step.inputs[2] >= 0 && !sites.contents(site.step.inputs[2])) return 'its bias is not a constant';
    return untypical(site, sites);
  },
  observes: (site, to) => [to.name(site.step.inputs[0]), to.resultOf(site).name],
  write(site, to) {
    const weight = weightAt(site, 1)!;
    const scaleX = to.pairInput(site, 0).scale;
    const bias = to.sites.contents(site.step.inputs[2] ?? -1);
    const biases = bias && toFloat32(bias);
    const { widened, scales } = staticWeight(site, to, weight, { axis: 0, scaleX, biases, zeroPoints: false });
    to.setInput(site, 1, widened);
    if (biases) to.setInput(site, 2, int32Bias(site, to, biases, { scaleX, scales, zeroPoints: false }));
    to.pairResult(site);
  },
};

/** How the weight of a static operator is written. */
interface StaticWeight {
  readonly axis: number;
  readonly scaleX: number;
  readonly biases?: Float32Array;
  readonly times?: number;
  /** Whether zero points are written out: QGemm is not recognised without, and for the others they are bytes for nothing. */
  readonly zeroPoints: boolean;
}

/** The int8 weight behind its DequantizeLinear; scales are raised where the bias would not fit into int32. */
function staticWeight(site: Site, to: Rewriter, weight: SiteWeight, { axis, scaleX, biases, times = 1, zeroPoints }: StaticWeight): { widened: string; scales: Float32Array } {
  const name = to.name(weight.value);
  const floor = biases && Float32Array.from(biases, (b) => Math.abs(b) / (scaleX * BIAS_LIMIT));
  const needsFloor = floor?.some((least) => least > 1e-30);
  const written = to.weight(site, weight, { sharing: { keep: [axis] }, most: to.settings.mostWithActivations, dtype: 'int8', times, scaleDims: (dims) => [dims[axis]], floor: needsFloor ? floor : undefined });
  const widened = to.once(site, `${written.qName} by ${written.scaleName}`, () => {
    const zero = zeroPoints ? [to.constant(`${name}/zero`, 'int8', [written.scales.length], new Int8Array(written.scales.length))] : [];
    return to.before(site, 'DequantizeLinear', [written.qName, written.scaleName, ...zero], `${name}/dq`, { axis })[0];
  });
  return { widened, scales: written.scales };
}

/** int32 biases stay this far from the end of their range, so that rounding of scales cannot take them beyond. */
const BIAS_LIMIT = 2 ** 31 * 0.99;

function int32Bias(site: Site, to: Rewriter, biases: Float32Array, { scaleX, scales, zeroPoints }: { readonly scaleX: number; readonly scales: Float32Array; readonly zeroPoints: boolean }): string {
  const name = to.name(site.step.inputs[2]);
  const products = scales.map((scale) => Math.fround(scale * scaleX));
  const q = Int32Array.from(biases, (b, k) => Math.max(-(2 ** 31) + 1, Math.min(2 ** 31 - 1, roundHalfEven(b / products[k]))));
  const qName = to.constant(`${name}/int32`, 'int32', [q.length], q);
  const scaleName = to.constant(`${name}/scale`, 'float32', [q.length], products);
  const zero = zeroPoints ? [to.constant(`${name}/zero`, 'int32', [q.length], new Int32Array(q.length))] : [];
  return to.before(site, 'DequantizeLinear', [qName, scaleName, ...zero], `${name}/dq`, { axis: 0 })[0];
}

/** DynamicQuantizeLinear → ConvInteger → Cast → Mul by both scales → Add the bias. */
const convDynamic: IntegerForm = {
  misfit(site, sites) {
    if (!weightAt(site, 1)) return NOT_CONSTANT;
    // Measured with ONNX Runtime 1.30 in WebAssembly: about 18 times the time of float.
    if (number(site.node, 'group', 1) !== 1) return 'ConvInteger with groups is many times slower than float';
    return untypical(site, sites);
  },
  write(site, to) {
    const weight = weightAt(site, 1)!;
    const { proto } = site.step;
    const [y] = proto.output;
    const out = [1, weight.dims[0], ...weight.dims.slice(2).map(() => 1)];
    const written = to.weight(site, weight, { sharing: { keep: [0] }, most: to.settings.mostWithActivations, dtype: 'int8', scaleDims: () => out });
    const { q, scale, zero } = dynamicInput(site, to, 0);
    const [scales] = to.before(site, 'Mul', [scale, written.scaleName], `${y}/scales`);
    const zeroW = to.constant(`${to.name(weight.value)}/zero`, 'int8', [], [0]);
    const sum = to.edits.fresh(`${y}/int32`);
    const cast = to.edits.fresh(`${y}/cast`);
    const bias = site.step.inputs[2] >= 0 ? to.input(site, 2) : '';
    const scaled = bias ? to.edits.fresh(`${y}/scaled`) : y;
    const shaped = bias ? to.before(site, 'Reshape', [bias, to.constant(`${y}/bias_shape`, 'int64', [out.length], out)], `${y}/bias`)[0] : '';
    to.replace(site, [
      { ...to.node('ConvInteger', [q, written.qName, zero, zeroW], sum, proto.name), attribute: proto.attribute },
      to.node('Cast', [sum], cast, '', { to: dataTypes.float32 }),
      to.node('Mul', [cast, scales], scaled, ''),
      ...(bias ? [to.node('Add', [scaled, shaped], y, '')] : []),
    ]);
  },
};

/** The activation of a node in 8 bits, its range computed in the graph. */
function dynamicInput(site: Site, to: Rewriter, k: number): { q: string; scale: string; zero: string } {
  const name = to.input(site, k);
  const results = to.once(site, `dynamic ${name}`, () => to.before(site, 'DynamicQuantizeLinear', [name], [`${name}/q`, `${name}/scale`, `${name}/zero`]).join('\n')).split('\n');
  return { q: results[0], scale: results[1], zero: results[2] };
}

const conv: OperatorForms = { weights: [convWeight(1)], static: convStatic, dynamic: convDynamic };

// ConvTranspose -------------------------------------------------------------------------------------------------------

/** W[i, o/groups, k…]: groups share the scales of their output channels. */
const convTranspose: OperatorForms = {
  weights: [{ input: 1, keep: () => [1], summed: (dims) => (dims.slice(2).every((n) => n === 1) ? 0 : -1) }],
  static: absent('runtimes have no integer kernel for transposed convolution'),
  dynamic: absent('there is no integer form of transposed convolution'),
};

// MatMul --------------------------------------------------------------------------------------------------------------

/** Why a product has no integer form. */
function unfitProduct(site: Site, sites: Sites): string | undefined {
  const weight = weightAt(site, 1);
  if (!weight) return weightAt(site, 0) ? 'its constant is on the left, and integer products want activations there' : 'both operands are activations, whose product in 8 bits costs accuracy and gains little';
  if (weight.dims.length !== 2) return `its weight has ${weight.dims.length} axes, and integer products have scales for the columns of a matrix`;
  return untypical(site, sites);
}

/** x through 8 bits, B in int8 with a scale for each column; the result stays float, which is how it is most exact at the same speed. */
const matMulStatic: IntegerForm = {
  misfit: unfitProduct,
  observes: (site, to) => [to.name(site.step.inputs[0])],
  write(site, to) {
    const { scale: scaleX } = to.pairInput(site, 0);
    to.setInput(site, 1, staticWeight(site, to, weightAt(site, 1)!, { axis: 1, scaleX, zeroPoints: false }).widened);
  },
};

/** DynamicQuantizeLinear → MatMulInteger → Cast → Mul, with a bias → Add. */
function writeDynamicProduct(site: Site, to: Rewriter, columns: { transB: boolean; alpha: number; bias: string }): void {
  const weight = weightAt(site, 1)!;
  const { proto } = site.step;
  const [y] = proto.output;
  const written = to.weight(site, weight, { sharing: { keep: [1] }, most: to.settings.mostWithActivations, dtype: 'int8', scaleDims: (dims) => [dims[1]], ...(columns.transB && { perm: [1, 0] }), times: columns.alpha });
  const { q, scale, zero } = dynamicInput(site, to, 0);
  const [scales] = to.before(site, 'Mul', [scale, written.scaleName], `${y}/scales`);
  const zeroB = to.constant(`${to.name(weight.value)}/zero`, 'int8', [], [0]);
  const sum = to.edits.fresh(`${y}/int32`);
  const cast = to.edits.fresh(`${y}/cast`);
  const scaled = columns.bias ? to.edits.fresh(`${y}/scaled`) : y;
  to.replace(site, [
    to.node('MatMulInteger', [q, written.qName, zero, zeroB], sum, proto.name),
    to.node('Cast', [sum], cast, '', { to: dataTypes.float32 }),
    to.node('Mul', [cast, scales], scaled, ''),
    ...(columns.bias ? [to.node('Add', [scaled, columns.bias], y, '')] : []),
  ]);
}

const matMul: OperatorForms = {
  weights: [
    { input: 0, keep: (dims) => (dims.length < 2 ? [] : [dims.length - 2]), summed: (dims) => dims.length - 1 },
    { input: 1, keep: (dims) => (dims.length < 2 ? [] : [dims.length - 1]), summed: (dims) => Math.max(dims.length - 2, 0) },
  ],
  static: matMulStatic,
  dynamic: { misfit: unfitProduct, write: (site, to) => writeDynamicProduct(site, to, { transB: false, alpha: 1, bias: '' }) },
};

// Gemm ----------------------------------------------------------------------------------------------------------------

const columnAxis = (node: NormalNode): 0 | 1 => (number(node, 'transB', 0) ? 0 : 1);

/** y = α·A·B + β·C: α and β go into what is stored; A is not transposed. */
function unfitGemm(site: Site, sites: Sites): string | undefined {
  if (!weightAt(site, 1)) return weightAt(site, 0) ? 'its constant is on the left, and integer products want activations there' : NOT_CONSTANT;
  if (number(site.node, 'transA', 0)) return 'its activation is transposed';
  return untypical(site, sites);
}

/** One bias for each column, or undefined. */
function columnBias(site: Site, sites: Sites, columns: number): Float32Array | undefined {
  const bias = sites.contents(site.step.inputs[2] ?? -1);
  if (!bias || bias.dims.slice(0, -1).some((n) => n !== 1)) return undefined;
  const own = toFloat32(bias);
  return own.length === columns ? own : own.length === 1 ? new Float32Array(columns).fill(own[0]) : undefined;
}

const gemmStatic: IntegerForm = {
  misfit(site, sites) {
    const weight = weightAt(site, 1);
    if (weight && site.step.inputs[2] >= 0 && !columnBias(site, sites, weight.dims[columnAxis(site.node)])) return 'its bias is not one constant for each column';
    return unfitGemm(site, sites);
  },
  observes: (site, to) => [to.name(site.step.inputs[0])],
  write(site, to) {
    const weight = weightAt(site, 1)!;
    const axis = columnAxis(site.node);
    const { scale: scaleX } = to.pairInput(site, 0);
    const beta = number(site.node, 'beta', 1);
    const biases = columnBias(site, to.sites, weight.dims[axis])?.map((c) => c * beta);
    const { widened, scales } = staticWeight(site, to, weight, { axis, scaleX, biases, times: number(site.node, 'alpha', 1), zeroPoints: true });
    to.setInput(site, 1, widened);
    if (biases) to.setInput(site, 2, int32Bias(site, to, biases, { scaleX, scales, zeroPoints: true }));
    for (const factor of ['alpha', 'beta']) to.edits.setAttribute(site.step.proto, factor, undefined);
  },
};

const gemm: OperatorForms = {
  weights: [
    { input: 0, keep: (_, node) => [number(node, 'transA', 0) ? 1 : 0], summed: (_, node) => (number(node, 'transA', 0) ? 0 : 1) },
    { input: 1, keep: (_, node) => [columnAxis(node)], summed: (_, node) => 1 - columnAxis(node) },
  ],
  static: gemmStatic,
  dynamic: {
    misfit: (site, sites) => unfitGemm(site, sites) ?? (site.step.inputs[2] >= 0 && number(site.node, 'beta', 1) !== 1 && !sites.contents(site.step.inputs[2]) ? 'its bias is scaled and not a constant' : undefined),
    write(site, to) {
      const beta = number(site.node, 'beta', 1);
      const name = site.step.inputs[2] >= 0 ? to.input(site, 2) : '';
      const constant = name && beta !== 1 ? to.sites.contents(site.step.inputs[2])! : undefined;
      const bias = constant ? to.constant(`${name}/scaled`, 'float32', constant.dims, toFloat32(constant).map((c) => c * beta)) : name;
      writeDynamicProduct(site, to, { transB: columnAxis(site.node) === 0, alpha: number(site.node, 'alpha', 1), bias });
    },
  },
};

// The others ----------------------------------------------------------------------------------------------------------

const onlyStored = (because: string, ...weights: readonly WeightOperand[]): OperatorForms => ({ weights, static: absent(because), dynamic: absent(because) });
const fused = 'a runtime has joined it with its activation, and there is no integer form of the two';

/** Labels of a weight that are in the result too: those that are not summed over. */
function einsumKeep(input: number, node: NormalNode): readonly number[] {
  const [left, right] = String(node.attributes.equation ?? '').replaceAll(' ', '').split('->');
  const labels = left.split(',')[input] ?? '';
  if (right === undefined || labels.includes('.')) return [];
  const kept = [...labels].flatMap((label, axis) => (right.includes(label) ? [axis] : []));
  return kept.slice(-1);
}

export const contraction = {
  Conv: conv,
  ConvTranspose: convTranspose,
  ConvInteger: absent('it computes in integers already'),
  CausalConvWithState: onlyStored('runtimes have no integer kernel for it', convWeight(1)),
  DeformConv: onlyStored('runtimes have no integer kernel for it', convWeight(1)),
  Einsum: onlyStored('there is no integer form of Einsum', { input: 0, keep: (_, node) => einsumKeep(0, node) }, { input: 1, keep: (_, node) => einsumKeep(1, node) }),
  Gemm: gemm,
  MatMul: matMul,
  MatMulInteger: absent('it computes in integers already'),
  QLinearConv: absent('it computes in integers already'),
  QLinearMatMul: absent('it computes in integers already'),
} satisfies { readonly [N in OperatorName]?: OperatorForms | Absent };

const columns: WeightOperand = { input: 1, keep: (dims) => [dims.length - 1], summed: (dims) => Math.max(dims.length - 2, 0) };

export const contribContraction = {
  FusedConv: onlyStored(fused, convWeight(1)),
  FusedGemm: onlyStored(fused, gemm.weights[1]),
  FusedMatMul: onlyStored(fused, { input: 1, keep: (dims, node) => [dims.length - (number(node, 'transB', 0) ? 2 : 1)] }),
  TransposeMatMul: onlyStored(fused, { input: 1, keep: (dims, node) => [dims.length - (number(node, 'transB', 0) ? 2 : 1)] }),
  NhwcConv: onlyStored(fused, convWeight(1)),
  NhwcFusedConv: onlyStored(fused, convWeight(1)),
  Attention: onlyStored('its products are inside of it', columns),
  DynamicQuantizeMatMul: absent('it computes in integers already'),
  MatMulInteger16: absent('it computes in integers already'),
  MatMulIntegerToFloat: absent('it computes in integers already'),
  MatMulNBits: absent('its weight is stored in few bits already'),
  QAttention: absent('it computes in integers already'),
  QGemm: absent('it computes in integers already'),
} satisfies { readonly [N in ContribOperatorName]?: OperatorForms | Absent };
