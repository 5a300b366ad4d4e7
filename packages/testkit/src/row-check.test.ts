import { nativeBackend } from '@coppice/backend-onnx';
import { operators } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { checkRow } from './row-check.ts';
import { samples } from './samples.ts';

const backend = nativeBackend();

/** Samples whose cut is known not to stand alone, and why. */
const notAlone: Readonly<Record<string, string>> = {
  Shape: 'its numbers follow the cut; the surgery writes the old ones where something reads them as data',
};

/** Samples of which nothing may be cut: every axis is a position. */
const allPositions = new Set(['Size', 'MaxPool with indices']);

const sampled = new Set(samples.map(({ op }) => op));

/** Standard operators that no sample runs alone. Those with bodies, and most of the others, occur in random graphs or have no row at all. */
const withoutSample = Object.keys(operators).filter((op) => !sampled.has(op));

describe('the row of', () => {
  it.each(samples.map((sample) => [`${sample.op} ${JSON.stringify(sample.attributes ?? {})} on ${JSON.stringify(sample.inputs)}`, sample] as const))('%s', async (_, sample) => {
    const { cut, wrong, signature } = await checkRow(sample, backend);
    if (sample.op in notAlone) {
      expect(wrong.length, 'no longer an exception').toBeGreaterThan(0);
      return;
    }
    expect(wrong, signature).toEqual([]);
    const kind = sample.op === 'MaxPool' && sample.outputs?.length === 2 ? 'MaxPool with indices' : sample.op;
    if (allPositions.has(kind)) expect(cut).toEqual([]);
    else expect(cut.length, signature).toBeGreaterThan(0);
  });
});

describe('samples', () => {
  it('are there for every operator of the speech models that exporters make', () => {
    const needed = ['Add', 'Attention', 'BatchNormalization', 'Cast', 'Clip', 'Concat', 'Conv', 'ConvTranspose', 'Cos', 'DequantizeLinear', 'Div', 'Dropout', 'DynamicQuantizeLinear', 'Elu', 'Equal', 'Erf', 'Expand', 'Flatten', 'GRU',
      'Gather', 'Gelu', 'Gemm', 'GlobalAveragePool', 'GreaterOrEqual', 'HardSigmoid', 'HardSwish', 'Identity', 'InstanceNormalization', 'IsNaN', 'LSTM', 'LayerNormalization', 'LeakyRelu', 'Less', 'LogSoftmax', 'MatMul', 'MaxPool', 'Mod',
      'Mul', 'Neg', 'Not', 'Or', 'PRelu', 'Pad', 'Pow', 'QuantizeLinear', 'RMSNormalization', 'ReduceL2', 'ReduceMean', 'ReduceProd', 'Relu', 'Reshape', 'Sigmoid', 'Sin', 'Slice', 'Softmax', 'Split', 'Sqrt', 'Squeeze', 'Sub', 'Tanh',
      'Transpose', 'Unsqueeze', 'Where', 'Xor'];
    expect(needed.filter((op) => !sampled.has(op))).toEqual([]);
  });

  it('are missing for these operators, and for no other', () => {
    expect(withoutSample).toMatchInlineSnapshot(`
      [
        "Acosh",
        "AffineGrid",
        "Bernoulli",
        "BitCast",
        "BitShift",
        "BitwiseAnd",
        "BitwiseNot",
        "BitwiseOr",
        "BitwiseXor",
        "BlackmanWindow",
        "CausalConvWithState",
        "CenterCropPad",
        "Col2Im",
        "Compress",
        "ConcatFromSequence",
        "Constant",
        "ConstantOfShape",
        "ConvInteger",
        "CumProd",
        "DFT",
        "DeformConv",
        "Det",
        "EyeLike",
        "GridSample",
        "HammingWindow",
        "HannWindow",
        "If",
        "ImageDecoder",
        "LinearAttention",
        "Loop",
        "MatMulInteger",
        "MaxRoiPool",
        "MaxUnpool",
        "MelWeightMatrix",
        "Multinomial",
        "NegativeLogLikelihoodLoss",
        "NonMaxSuppression",
        "NonZero",
        "OneHot",
        "Optional",
        "OptionalGetElement",
        "OptionalHasElement",
        "QLinearConv",
        "QLinearMatMul",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
        "Range",
        "RegexFullMatch",
        "RoiAlign",
        "STFT",
        "Scan",
        "Scatter",
        "ScatterElements",
        "ScatterND",
        "SequenceAt",
        "SequenceConstruct",
        "SequenceEmpty",
        "SequenceErase",
        "SequenceInsert",
        "SequenceLength",
        "SequenceMap",
        "SoftmaxCrossEntropyLoss",
        "SplitToSequence",
        "StringConcat",
        "StringNormalizer",
        "StringSplit",
        "SwiGLU",
        "TensorScatter",
        "TfIdfVectorizer",
        "Unique",
        "Upsample",
      ]
    `);
  });
});
