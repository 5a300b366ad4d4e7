import { nativeBackend } from '@coppice/backend-onnx';
import { beforeAll, describe, expect, it } from 'vitest';
import { blockNames, opsets } from './random-graph.ts';
import { runStudy, type Study } from './study.ts';

/** More with CASES=…; the study of 100,000 is `node tools/prove/run.ts`. */
const cases = Number(process.env.CASES ?? 1500);
const plans = 2;

/** Operators that a cut has to rewrite, restore or follow; each must occur. */
const operators = [
  'Conv', 'ConvTranspose', 'MatMul', 'Gemm', 'Einsum', 'LSTM', 'GRU', 'RNN', 'Attention', 'Reshape', 'Transpose', 'Concat', 'Split', 'Slice', 'Gather', 'Pad', 'Squeeze',
  'Unsqueeze', 'Expand', 'Tile', 'Flatten', 'ConstantOfShape', 'DepthToSpace', 'SpaceToDepth', 'BatchNormalization', 'InstanceNormalization', 'LayerNormalization',
  'GroupNormalization', 'LpNormalization', 'RMSNormalization', 'ReduceMean', 'ReduceSum', 'ReduceMax', 'ReduceL2', 'Softmax', 'Where', 'PRelu', 'Resize', 'QuantizeLinear',
  'DequantizeLinear', 'Cast', 'If', 'Loop', 'Scan', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'Shape',
];

describe('random cuts of random graphs', () => {
  let study: Study;
  beforeAll(async () => {
    study = await runStudy(nativeBackend(), { from: 1_000_000, cases, plans, explain: 2 });
  }, 300_000);

  it('compute the same as the masked original, every one of them', () => {
    expect(study.failures.map(({ seed, kind, message, blocks, graph }) => `seed ${seed}, ${kind}: ${message}\n${blocks.join(' → ')}\n${graph}`)).toEqual([]);
    expect(study.cases).toBe(cases);
  });

  it('are made in nine of ten graphs at least', () => {
    expect(study.outcomes.equal / study.cases).toBeGreaterThan(0.9);
    expect(study.removed / study.outcomes.equal).toBeGreaterThan(3);
  });

  it('meet every kind of block, opset and operator', () => {
    expect(blockNames.filter((block) => !study.blocks[block])).toEqual([]);
    expect(opsets.filter((opset) => !study.opsets[opset])).toEqual([]);
    expect(operators.filter((op) => !study.traits[`op:${op}`])).toEqual([]);
  });

  it('meet the spellings that exporters have for one thing', () => {
    const traits = Object.keys(study.traits).filter((trait) => !trait.startsWith('op:'));
    expect(traits).toEqual(expect.arrayContaining([
      'flatten: channel outermost', 'flatten: channel innermost', 'weight: cast', 'weight: dequantised', 'weight: weight norm', 'weight: transposed', 'weight: slice of a larger one',
      'recurrent weights put together from gates', 'initial states of all layers in one tensor', 'directions joined by Transpose and Reshape', 'directions joined by Concat',
      'directions added', 'peepholes', 'sequence lengths', 'last state used', 'norm: in parts', 'grouped queries', 'rotary positions', 'slice backwards', 'slice with a step',
      'concat of the same value twice', 'depthwise multiplier above 1', 'group norm of several groups', 'states as inputs and outputs of the model',
      'LSTM bidirectional', 'GRU bidirectional', 'GRU reverse', 'Attention with three axes', 'Attention with four axes',
    ]));
  });
});
