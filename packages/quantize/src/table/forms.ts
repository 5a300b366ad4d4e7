import type { ContribOperatorName, OperatorName } from '@coppice/graph';
import { contraction, contribContraction } from './contraction.ts';
import { recurrent, contribRecurrent } from './recurrent.ts';
import { absent, type Absent, type OperatorForms } from './row.ts';
import { storeTable } from './weight-only.ts';

const elementwise = absent('it has no weights, and in 8 bits it would convert its operands there and back');
const movement = absent('it moves elements and computes nothing');
const normalisation = absent('its few parameters and its statistics want float');
const reduction = absent('it has no weights, and its sums want float');
const creation = absent('it makes numbers and reads none, or few');
const attention = absent('its products are of activations, and in 8 bits cost accuracy and gain little');
const sampling = absent('it interpolates or transforms signals in float');
const control = absent('the operators in its bodies have rows of their own');
const quantised = absent('it is quantisation itself');
const sequence = absent('it holds a sequence of tensors or an optional one');
const text = absent('it works on text or pictures');
const loss = absent('it is a loss, which belongs to training');

/** How every operator of the default domain is quantised: its forms, or the sentence why it stays in float. */
export const quantisation = {
  ...contraction, ...recurrent,
  /** A table that is looked up: one scale for each row. */
  Gather: { weights: [{ input: 0, keep: (dims, { attributes: { axis } }) => (axis === 0 && dims.length === 2 ? [0] : []) }], static: absent('looking up is not computing'), dynamic: absent('looking up is not computing'), stored: storeTable },
  Abs: elementwise, Acos: elementwise, Acosh: elementwise, Add: elementwise, And: elementwise, Asin: elementwise, Asinh: elementwise, Atan: elementwise, Atanh: elementwise, BitShift: elementwise, BitwiseAnd: elementwise, BitwiseNot: elementwise,
  BitwiseOr: elementwise, BitwiseXor: elementwise, Ceil: elementwise, Celu: elementwise, Clip: elementwise, Cos: elementwise, Cosh: elementwise, Div: elementwise, Elu: elementwise, Equal: elementwise, Erf: elementwise, Exp: elementwise,
  Floor: elementwise, Gelu: elementwise, Greater: elementwise, GreaterOrEqual: elementwise, HardSigmoid: elementwise, HardSwish: elementwise, IsInf: elementwise, IsNaN: elementwise, LeakyRelu: elementwise, Less: elementwise,
  LessOrEqual: elementwise, Log: elementwise, Max: elementwise, Mean: elementwise, Min: elementwise, Mish: elementwise, Mod: elementwise, Mul: elementwise, Neg: elementwise, Not: elementwise, Or: elementwise, PRelu: elementwise, Pow: elementwise,
  Reciprocal: elementwise, Relu: elementwise, Round: elementwise, Selu: elementwise, Shrink: elementwise, Sigmoid: elementwise, Sign: elementwise, Sin: elementwise, Sinh: elementwise, Softplus: elementwise, Softsign: elementwise,
  Sqrt: elementwise, Sub: elementwise, Sum: elementwise, SwiGLU: elementwise, Swish: elementwise, Tan: elementwise, Tanh: elementwise, ThresholdedRelu: elementwise, Where: elementwise, Xor: elementwise,
  AffineGrid: movement, BitCast: movement, Cast: movement, CastLike: movement, CenterCropPad: movement, Col2Im: movement, Compress: movement, Concat: movement, DepthToSpace: movement,
  Dropout: movement, Expand: movement, Flatten: movement, GatherElements: movement, GatherND: movement, Identity: movement, Pad: movement, Reshape: movement, ReverseSequence: movement,
  Scatter: movement, ScatterElements: movement, ScatterND: movement, Slice: movement, SpaceToDepth: movement, Split: movement, Squeeze: movement, TensorScatter: movement, Tile: movement,
  Transpose: movement, Trilu: movement, Unsqueeze: movement,
  BatchNormalization: normalisation, GroupNormalization: normalisation, Hardmax: normalisation, InstanceNormalization: normalisation, LRN: normalisation, LayerNormalization: normalisation, LogSoftmax: normalisation,
  LpNormalization: normalisation, MeanVarianceNormalization: normalisation, RMSNormalization: normalisation, Softmax: normalisation,
  ArgMax: reduction, ArgMin: reduction, AveragePool: reduction, CumProd: reduction, CumSum: reduction, GlobalAveragePool: reduction, GlobalLpPool: reduction, GlobalMaxPool: reduction, LpPool: reduction,
  MaxPool: reduction, MaxRoiPool: reduction, MaxUnpool: reduction, ReduceL1: reduction, ReduceL2: reduction, ReduceLogSum: reduction, ReduceLogSumExp: reduction, ReduceMax: reduction,
  ReduceMean: reduction, ReduceMin: reduction, ReduceProd: reduction, ReduceSum: reduction, ReduceSumSquare: reduction, TopK: reduction,
  Bernoulli: creation, BlackmanWindow: creation, Constant: creation, ConstantOfShape: creation, EyeLike: creation, HammingWindow: creation, HannWindow: creation, MelWeightMatrix: creation,
  Multinomial: creation, NonZero: creation, OneHot: creation, RandomNormal: creation, RandomNormalLike: creation, RandomUniform: creation, RandomUniformLike: creation, Range: creation,
  Shape: creation, Size: creation, Unique: creation,
  Attention: attention, LinearAttention: attention, RotaryEmbedding: attention,
  DFT: sampling, Det: sampling, GridSample: sampling, Resize: sampling, RoiAlign: sampling, STFT: sampling, Upsample: sampling,
  If: control, Loop: control, Scan: control, SequenceMap: control,
  DequantizeLinear: quantised, DynamicQuantizeLinear: quantised, QuantizeLinear: quantised,
  ConcatFromSequence: sequence, Optional: sequence, OptionalGetElement: sequence, OptionalHasElement: sequence, SequenceAt: sequence, SequenceConstruct: sequence,
  SequenceEmpty: sequence, SequenceErase: sequence, SequenceInsert: sequence, SequenceLength: sequence, SplitToSequence: sequence,
  ImageDecoder: text, NonMaxSuppression: text, RegexFullMatch: text, StringConcat: text, StringNormalizer: text, StringSplit: text, TfIdfVectorizer: text,
  NegativeLogLikelihoodLoss: loss, SoftmaxCrossEntropyLoss: loss,
} as const satisfies { readonly [N in OperatorName]: OperatorForms | Absent };

/** The same for ONNX Runtime's own domain. */
export const contribQuantisation = {
  ...contribContraction, ...contribRecurrent,
  BiasGelu: elementwise, CDist: elementwise, FastGelu: elementwise, Gelu: elementwise, Inverse: elementwise, QuickGelu: elementwise,
  ExpandDims: movement, Trilu: movement,
  BiasSoftmax: normalisation, EmbedLayerNormalization: normalisation, GroupNorm: normalisation, SimplifiedLayerNormalization: normalisation, SkipGroupNorm: normalisation, SkipLayerNormalization: normalisation,
  SkipSimplifiedLayerNormalization: normalisation,
  GatedRelativePositionBias: attention, GroupQueryAttention: attention, MultiHeadAttention: attention, RelativePositionBias: attention, RotaryEmbedding: attention,
  NhwcMaxPool: reduction,
  DequantizeLinear: quantised, QLinearAdd: quantised, QLinearAveragePool: quantised, QLinearConcat: quantised, QLinearConv: quantised, QLinearGlobalAveragePool: quantised,
  QLinearLeakyRelu: quantised, QLinearMul: quantised, QLinearSigmoid: quantised, QLinearSoftmax: quantised, QLinearWhere: quantised, QuantizeLinear: quantised,
} as const satisfies { readonly [N in ContribOperatorName]: OperatorForms | Absent };

const domains: Readonly<Record<string, Readonly<Record<string, OperatorForms | Absent>>>> = {
  // ONNX Runtime registers SimplifiedLayerNormalization in the default domain.
  '': { ...quantisation, SimplifiedLayerNormalization: normalisation },
  'com.microsoft': contribQuantisation,
};

export const isAbsent = (forms: OperatorForms | Absent | { readonly absent: string }): forms is Absent => 'absent' in forms;

/** The row of an operator, or a sentence for one that neither table has. */
export function formsOf(domain: string, op: string): OperatorForms | Absent {
  const table = domains[domain === 'ai.onnx' ? '' : domain];
  return table && Object.hasOwn(table, op) ? table[op] : absent('Coppice does not know the operator');
}
