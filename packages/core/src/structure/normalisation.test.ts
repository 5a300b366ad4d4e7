import { expect, it } from 'vitest';
import { axesOf, signatureOf } from './made-up-node.ts';

it('gives each channel of a batch norm its stored statistics', () => {
  expect(axesOf('BatchNormalization', [[2, 8, 5], [8], [8], [8], [8]], [[2, 8, 5]])).toBe('n c s0, c, c, c, c -> n c s0');
});

it('gives each element statistics where a file from before opset 9 says so', () => {
  expect(axesOf('BatchNormalization', [[2, 8, 5], [8, 5], [8, 5], [8, 5], [8, 5]], [[2, 8, 5]], { legacy: { spatial: false } })).toBe('n c s0, c s0, c s0, c s0, c s0 -> n c s0');
});

it('keeps batch and time where a batch norm trains', () => {
  expect(axesOf('BatchNormalization', [[2, 8, 5], [8], [8], [8], [8]], [[2, 8, 5], [8], [8]], { attributes: { training_mode: 1 } })).toBe('N c S0, c, c, c, c -> N c S0, c, c');
});

it('mixes the axes of a layer norm wherever they occur, so that their width can be restored', () => {
  expect(axesOf('LayerNormalization', [[2, 5, 8], [8], [8]], [[2, 5, 8], [2, 5, 1], [2, 5, 1]])).toBe('a0 a1 a2~, a2~, a2~ -> a0 a1 a2~, a0 a1 1, a0 a1 1');
  expect(axesOf('LayerNormalization', [[2, 5, 8], [5, 8]], [[2, 5, 8]], { attributes: { axis: 1 } })).toBe('a0 a1~ a2~, a1~ a2~ -> a0 a1~ a2~');
  expect(axesOf('RMSNormalization', [[2, 5, 8], [8]], [[2, 5, 8]])).toBe('a0 a1 a2~, a2~ -> a0 a1 a2~');
});

it('normalises each channel of an instance norm over its spatial axes', () => {
  expect(axesOf('InstanceNormalization', [[2, 8, 5], [8], [8]], [[2, 8, 5]])).toBe('n c s0~, c, c -> n c s0~');
});

it('lets whole groups of a group norm go', () => {
  const norm = (groups: number, scale = 12) => signatureOf('GroupNormalization', [[2, 12, 5], [scale], [scale]], [[2, 12, 5]], { attributes: { num_groups: groups }, legacy: scale === 12 ? undefined : { scalePer: 'group' } });
  expect(norm(3).axes).toBe('n (g C) s0~, (g C), (g C) -> n (g C) s0~');
  expect(norm(3).restates).toEqual([{ attribute: 'num_groups', is: 'g' }]);
  expect(norm(3, 3).axes).toBe('n (g C) s0~, g, g -> n (g C) s0~');
  expect(norm(12).axes).toBe('n g s0~, g, g -> n g s0~');
  expect(norm(1).axes).toBe('n c~ s0~, c~, c~ -> n c~ s0~');
});

it('cuts exactly where a zero adds nothing to the norm', () => {
  expect(axesOf('LpNormalization', [[2, 5, 8]], [[2, 5, 8]])).toBe('a0 a1 a2 -> a0 a1 a2');
});

it('shows a softmax all that it compares, all trailing axes in files from before opset 13', () => {
  expect(axesOf('Softmax', [[2, 5, 8]], [[2, 5, 8]])).toBe('a0 a1 a2~ -> a0 a1 a2~');
  expect(axesOf('LogSoftmax', [[2, 5, 8]], [[2, 5, 8]], { attributes: { axis: 1 } })).toBe('a0 a1~ a2 -> a0 a1~ a2');
  expect(axesOf('Softmax', [[2, 5, 8]], [[2, 5, 8]], { attributes: { axis: 1 }, legacy: { flattenFrom: 1 } })).toBe('a0 a1~ a2~ -> a0 a1~ a2~');
});

it('keeps channels whose neighbours are summed', () => {
  expect(axesOf('LRN', [[2, 8, 5]], [[2, 8, 5]])).toBe('n C s0 -> n C s0');
});

it('mixes the listed axes of a mean-variance norm', () => {
  expect(axesOf('MeanVarianceNormalization', [[2, 8, 5, 7]], [[2, 8, 5, 7]])).toBe('a0~ a1 a2~ a3~ -> a0~ a1 a2~ a3~');
});

it('adds before it normalises, when fused', () => {
  const ms = { domain: 'com.microsoft' };
  expect(axesOf('SkipLayerNormalization', [[2, 5, 8], [1, 5, 8], [8], [8], [8]], [[2, 5, 8], undefined, undefined, [2, 5, 8]], ms))
    .toBe('a0 a1 a2~, 1 a1 a2~, a2~, a2~, a2~ -> a0 a1 a2~, ., ., a0 a1 a2~');
  expect(axesOf('EmbedLayerNormalization', [[2, 5], [2, 5], [40, 8], [9, 8], [2, 8], [8], [8]], [[2, 5, 8], [2]], ms))
    .toBe('n T, n T, V c~, P c~, G c~, c~, c~ -> n T c~, n');
  expect(axesOf('GroupNorm', [[2, 5, 12], [12], [12]], [[2, 5, 12]], { ...ms, attributes: { groups: 3, activation: 0 } })).toBe('n s0~ (g C), (g C), (g C) -> n s0~ (g C)');
  expect(axesOf('SkipGroupNorm', [[2, 5, 12], [12], [12], [2, 12], [12]], [[2, 5, 12], [2, 5, 12]], { ...ms, attributes: { groups: 3, activation: 0 } }))
    .toBe('n s0~ (g C), (g C), (g C), n (g C), (g C) -> n s0~ (g C), n s0~ (g C)');
});

it('leaves a quantised softmax all it compares, because its zero is not a number to pad with', () => {
  const softmax = signatureOf('QLinearSoftmax', [[2, 5, 8], [], [], [], []], [[2, 5, 8]], { domain: 'com.microsoft', attributes: { axis: 1, opset: 12 } });
  expect(softmax.axes).toBe('a0 C1 C2, ., ., ., . -> a0 C1 C2');
  expect(softmax.because?.C1).toMatch(/e⁰/);
});
