import type { OperatorName } from '@coppice/graph';
import type { TestSubject } from './official-test.ts';

const sequence = 'it holds a sequence or an optional value, and a backend takes and gives tensors';
const text = 'it works on text';
const random = 'it draws at random, so that there is nothing to compare; Coppice draws on the host';
const features = 'it computes features, which are made before the model runs';
const image = 'it is for images: no model of speech reads at computed places';
const bits = 'it works on the bits of whole numbers';
const quantised = 'it computes on quantised numbers from end to end; such models run where they were made for';
const loss = 'it is a loss, and Coppice writes its own in other operators';
const recent = 'it is newer than the models and runtimes at hand';

/** Operators of ONNX that a backend may refuse, and why. Every other one is of our scope: no backend may refuse or fail its official tests. */
export const outOfScope: { readonly [N in OperatorName]?: string } = {
  ConcatFromSequence: sequence, Optional: sequence, OptionalGetElement: sequence, OptionalHasElement: sequence, SequenceAt: sequence, SequenceConstruct: sequence, SequenceEmpty: sequence,
  SequenceErase: sequence, SequenceInsert: sequence, SequenceLength: sequence, SequenceMap: sequence, SplitToSequence: sequence,
  RegexFullMatch: text, StringConcat: text, StringNormalizer: text, StringSplit: text, TfIdfVectorizer: text,
  Bernoulli: random, Multinomial: random, RandomNormal: random, RandomNormalLike: random, RandomUniform: random, RandomUniformLike: random,
  BlackmanWindow: features, DFT: features, HammingWindow: features, HannWindow: features, MelWeightMatrix: features, STFT: features,
  AffineGrid: image, DeformConv: image, Det: image, GridSample: image, ImageDecoder: image, MaxRoiPool: image, MaxUnpool: image, NonMaxSuppression: image, RoiAlign: image,
  BitCast: bits, BitShift: bits, BitwiseAnd: bits, BitwiseNot: bits, BitwiseOr: bits, BitwiseXor: bits,
  ConvInteger: quantised, QLinearConv: quantised, QLinearMatMul: quantised,
  NegativeLogLikelihoodLoss: loss, SoftmaxCrossEntropyLoss: loss,
  CausalConvWithState: recent, CumProd: recent, LinearAttention: recent, SwiGLU: recent, TensorScatter: recent,
  Unique: 'its output length depends on the data',
};

const types = new Set(['float32', 'int32', 'int64', 'bool']);
/** Operators that read and write 8 bits by nature. */
const eightBits = new Set(['QuantizeLinear', 'DequantizeLinear', 'DynamicQuantizeLinear', 'MatMulInteger']);

/** Tests of operators of our scope, in types of our scope, that no backend need take all the same, and why. */
const exceptions: readonly (readonly [RegExp, string])[] = [
  [/\/test_scan_sum$/, 'Scan of opset 8 had a batch axis of its own, which opset 9 took away'],
  [/\/test_training_dropout/, 'Dropout in training draws at random; Coppice draws its masks on the host'],
  [/_tf_crop_and_resize$/, 'Resize with regions is for images'],
];

/**
 * Why a test is out of our scope: an operator that is, an element type other than float32, int32, int64 and bool (and 8 bits where an operator is
 * for them), a domain that is not ONNX's; undefined for a test that no backend may refuse or fail.
 */
export function whyOutOfScope(test: string, { operators, types: used }: TestSubject): string | undefined {
  if (operators.length === 0) return 'its model cannot be read';
  for (const op of operators) {
    if (op.includes('.')) return `${op} is not an operator of ONNX itself`;
    const why = outOfScope[op as OperatorName];
    if (why !== undefined) return `${op}: ${why}`;
  }
  const narrow = operators.some((op) => eightBits.has(op)) ? ['int8', 'uint8'] : [];
  const strange = used.find((type) => !types.has(type) && !narrow.includes(type));
  if (strange !== undefined) return `${strange} is no type of our scope`;
  return exceptions.find(([names]) => names.test(test))?.[1];
}
