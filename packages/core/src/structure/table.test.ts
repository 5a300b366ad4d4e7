import { contribOperators, operators } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { elementwise, elementwiseRule } from './elementwise.ts';
import { frozenBecause } from './made-up-node.ts';
import { contribFamilies, contribStructure, families, ruleOf, structure } from './table.ts';

describe('the table', () => {
  it('has a row or a sentence for every operator', () => {
    expect(Object.keys(structure).sort()).toEqual(Object.keys(operators).sort());
    expect(Object.keys(contribStructure).sort()).toEqual(Object.keys(contribOperators).sort());
  });

  it('has each operator in one family only', () => {
    for (const all of [families, contribFamilies]) {
      const names = Object.values(all).flatMap((rows) => Object.keys(rows));
      expect(names.filter((name, k) => names.indexOf(name) !== k)).toEqual([]);
    }
  });

  it('is as wide as we think', () => {
    const rows = (all: Record<string, object>) => Object.fromEntries(Object.entries(all).map(([family, of]) => [family, Object.keys(of).length]));
    const absent = Object.values(structure).filter((row) => 'absent' in row).length;
    expect({ ...rows(families), absent }).toEqual({
      elementwise: 76, contraction: 11, recurrent: 3, normalisation: 11, reduction: 22, movement: 15, indexing: 11, sampling: 9, creation: 13, attention: 3, quantise: 3, absent: 26,
    });
    expect(rows(contribFamilies)).toEqual({ elementwise: 4, contraction: 10, recurrent: 1, normalisation: 8, reduction: 3, movement: 2, attention: 7, quantise: 12 });
  });

  it('states each sentence as the end of "it is frozen, because …"', () => {
    for (const row of Object.values(structure)) {
      if ('absent' in row) expect(row.absent).toMatch(/^[a-z].*[^.]$/);
    }
  });

  it('finds a row by domain and name, and nothing for what it does not know', () => {
    expect(ruleOf('', 'Conv')).toBe(structure.Conv);
    expect(ruleOf('ai.onnx', 'Conv')).toBe(structure.Conv);
    expect(ruleOf('com.microsoft', 'Attention')).toBe(contribStructure.Attention);
    expect(ruleOf('', 'SimplifiedLayerNormalization')).toBe(contribStructure.SimplifiedLayerNormalization);
    expect(ruleOf('', 'BiasGelu')).toBeUndefined();
    expect(ruleOf('', 'toString')).toBeUndefined();
    expect(ruleOf('com.example', 'Conv')).toBeUndefined();
  });

  it('freezes by name what no signature can describe', () => {
    const always = ['AffineGrid', 'DeformConv', 'MaxUnpool'];
    expect(always.map((op) => frozenBecause(op, [], []))).toEqual([
      'all its axes are coordinates', 'its offsets are data that say where each channel is read', 'its indices count through all channels',
    ]);
  });
});

/** Written down once more by hand: an operator that is taken for elementwise by mistake is cut wrongly without a word. */
const trulyElementwise = `
  Abs Acos Acosh Add And Asin Asinh Atan Atanh Bernoulli BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Celu Clip Cos
  Cosh Div Dropout Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log Max
  Mean Min Mish Mod Mul Neg Not Or PRelu Pow RandomNormalLike RandomUniformLike Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus
  Softsign Sqrt Sub Sum SwiGLU Swish Tan Tanh ThresholdedRelu Where Xor`.trim().split(/\s+/);

it('takes nothing for elementwise that is not', () => {
  expect(Object.keys(elementwise).sort()).toEqual(trulyElementwise.toSorted());
  const others = Object.entries(structure).filter(([, row]) => row === elementwiseRule).map(([name]) => name);
  expect(others.filter((name) => !trulyElementwise.includes(name))).toEqual([]);
});
