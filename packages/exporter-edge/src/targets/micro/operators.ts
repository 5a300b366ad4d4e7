import type { OperatorName } from '@coppice/graph';
import { absent, type Absent, type Row } from './lowering.ts';
import { contraction } from './rows-contraction.ts';
import { elementwise } from './rows-elementwise.ts';
import { movement } from './rows-movement.ts';
import { reduction } from './rows-reduction.ts';

const arithmetic = absent('has no 8-bit kernel in C');
const logic = absent('works on truth values or whole numbers, which networks of this class do not have');
const shapes = absent('computes sizes, which must be fixed: give the model fixed sizes and fold its constants first');
const norms = absent('normalises by statistics of the data, for which there is no kernel in C');
const recurrent = absent('is recurrent, and there is no recurrent kernel in C yet');
const products = absent('multiplies activations with each other, for which there is no kernel in C');
const index = absent('looks up or rearranges by position, for which there is no kernel in C');
const selection = absent('selects or sorts by value, for which there is no kernel in C');
const random = absent('makes random numbers');
const signal = absent('interpolates or transforms signals; features are computed before the model, as its description says');
const control = absent('runs other operators under a condition or again and again, for which static memory has no place');
const forms = absent('is a quantised form of its own; quantise with QuantizeLinear and DequantizeLinear around float operators');
const sequence = absent('holds a sequence of tensors or an optional one');
const text = absent('works on text or pictures');
const training = absent('belongs to training');
const state = absent('keeps state from run to run');

/** How every operator becomes C, or the sentence why not. QuantizeLinear and DequantizeLinear are read by the walk itself. */
export const microOperators = {
  ...contraction, ...elementwise, ...movement, ...reduction,
  QuantizeLinear: absent('is read together with its neighbours'), DequantizeLinear: absent('is read together with its neighbours'),
  BatchNormalization: absent('is not folded: prepare the model with prepareForMicro, which writes it as a convolution of one element'),
  Softmax: absent('is in the middle of the model; at the end it is replaced by its logarithm'),
  Constant: shapes, ConstantOfShape: shapes, Shape: shapes, Size: shapes, Range: shapes, Gather: absent('looks up by position; where it reads sizes, give the model fixed sizes and fold its constants first'),
  Acos: arithmetic, Acosh: arithmetic, Asin: arithmetic, Asinh: arithmetic, Atan: arithmetic, Atanh: arithmetic, Ceil: arithmetic, Cos: arithmetic, Cosh: arithmetic, Floor: arithmetic, Gelu: arithmetic, Log: arithmetic, Mean: arithmetic, Mod: arithmetic,
  Pow: arithmetic, Reciprocal: arithmetic, Round: arithmetic, Shrink: arithmetic, Sign: arithmetic, Sin: arithmetic, Sinh: arithmetic, Sum: arithmetic, SwiGLU: arithmetic, Tan: arithmetic, Cast: arithmetic, CastLike: arithmetic, BitCast: arithmetic,
  And: logic, BitShift: logic, BitwiseAnd: logic, BitwiseNot: logic, BitwiseOr: logic, BitwiseXor: logic, Equal: logic, Greater: logic, GreaterOrEqual: logic, IsInf: logic, IsNaN: logic, Less: logic, LessOrEqual: logic, Not: logic, Or: logic, Xor: logic, Where: logic,
  GroupNormalization: norms, Hardmax: norms, InstanceNormalization: norms, LRN: norms, LayerNormalization: norms, LpNormalization: norms, MeanVarianceNormalization: norms, RMSNormalization: norms,
  GRU: recurrent, LSTM: recurrent, RNN: recurrent, LinearAttention: products, Attention: products, RotaryEmbedding: products, Einsum: products, ConvTranspose: absent('spreads windows instead of reading them, for which there is no kernel in C'), DeformConv: products,
  CausalConvWithState: state, TensorScatter: state,
  AffineGrid: index, CenterCropPad: index, Col2Im: index, Compress: index, DepthToSpace: index, GatherElements: index, GatherND: index, ReverseSequence: index, Scatter: index, ScatterElements: index, ScatterND: index, SpaceToDepth: index, Tile: index, Trilu: index,
  EyeLike: index, OneHot: index, MaxUnpool: index, MaxRoiPool: index, RoiAlign: index,
  ArgMax: selection, ArgMin: selection, NonZero: selection, TopK: selection, Unique: selection, NonMaxSuppression: selection,
  CumProd: arithmetic, CumSum: arithmetic, GlobalLpPool: arithmetic, LpPool: arithmetic, ReduceL1: arithmetic, ReduceL2: arithmetic, ReduceLogSum: arithmetic, ReduceLogSumExp: arithmetic, ReduceMin: arithmetic, ReduceProd: arithmetic, ReduceSumSquare: arithmetic, Det: arithmetic,
  Bernoulli: random, Multinomial: random, RandomNormal: random, RandomNormalLike: random, RandomUniform: random, RandomUniformLike: random,
  BlackmanWindow: signal, DFT: signal, GridSample: signal, HammingWindow: signal, HannWindow: signal, MelWeightMatrix: signal, Resize: signal, STFT: signal, Upsample: signal,
  If: control, Loop: control, Scan: control, SequenceMap: control,
  ConvInteger: forms, DynamicQuantizeLinear: forms, MatMulInteger: forms, QLinearConv: forms, QLinearMatMul: forms,
  ConcatFromSequence: sequence, Optional: sequence, OptionalGetElement: sequence, OptionalHasElement: sequence, SequenceAt: sequence, SequenceConstruct: sequence, SequenceEmpty: sequence, SequenceErase: sequence, SequenceInsert: sequence, SequenceLength: sequence, SplitToSequence: sequence,
  ImageDecoder: text, RegexFullMatch: text, StringConcat: text, StringNormalizer: text, StringSplit: text, TfIdfVectorizer: text,
  NegativeLogLikelihoodLoss: training, SoftmaxCrossEntropyLoss: training,
} as const satisfies { readonly [N in OperatorName]: Row | Absent };

const table: Readonly<Record<string, Row | Absent>> = microOperators;

/** The row of an operator, or the sentence why there is none. */
export function rowOf(domain: string, op: string): Row | Absent {
  if (domain !== '' && domain !== 'ai.onnx') return absent(`belongs to the domain '${domain}', and C is written for ONNX's own operators`);
  return Object.hasOwn(table, op) ? table[op] : absent('is no operator of ONNX that is known here');
}

/** Operators that do nothing but move, so that what they hand out has the scale of what they read. */
export const moves: ReadonlySet<string> = new Set(['Reshape', 'Squeeze', 'Unsqueeze', 'Flatten', 'Identity', 'Dropout', 'Transpose', 'Slice', 'Split', 'Pad', 'Expand', 'MaxPool', 'GlobalMaxPool', 'ReduceMax']);
