import { expect, it } from 'vitest';
import { axesOf, frozenBecause, signatureOf } from './made-up-node.ts';

it('passes the axes that a Resize keeps at scale one', () => {
  expect(axesOf('Resize', [[2, 8, 5, 7], undefined, [4]], [[2, 8, 10, 7]], { constants: { 2: [1, 1, 2, 1] } })).toBe('a0 a1 S2 a3, ., . -> a0 a1 T2 a3');
});

it('restates stated sizes of axes that pass', () => {
  const resize = signatureOf('Resize', [[2, 8, 5], undefined, undefined, [2]], [[2, 8, 9]], { attributes: { axes: [1, 2] } });
  expect(resize.axes).toBe('a0 a1 S2, ., ., . -> a0 a1 T2');
  expect(resize.restates).toEqual([{ operand: 3, are: ['a1', undefined] }]);
});

it('resamples an axis that keeps its size by rounding or is cropped', () => {
  expect(axesOf('Resize', [[2, 8], undefined, [2]], [[2, 8]], { constants: { 2: [1, 1.05] } })).toBe('a0 S1, ., . -> a0 T1');
  expect(axesOf('Resize', [[2, 8], [4], [2]], [[2, 8]], { attributes: { coordinate_transformation_mode: 'tf_crop_and_resize' }, constants: { 2: [1, 1] } })).toBe('S0 S1, ., . -> T0 T1');
});

it('reads pixels of all channels at the same place', () => {
  expect(axesOf('GridSample', [[2, 8, 5, 7], [2, 3, 4, 2]], [[2, 8, 3, 4]])).toBe('n c S0 S1, n T0 T1 K -> n c T0 T1');
  expect(axesOf('RoiAlign', [[2, 8, 5, 7], [6, 4], [6]], [[6, 8, 3, 3]])).toBe('N c S0 S1, r K, r -> r c T0 T1');
  expect(frozenBecause('AffineGrid', [], [])).toMatch(/coordinates/);
});

it('transforms one axis and the parts of numbers', () => {
  expect(axesOf('DFT', [[2, 64, 1]], [[2, 64, 2]])).toBe('a0 S I -> a0 T K');
  expect(axesOf('DFT', [[2, 64, 5, 1], undefined, []], [[2, 33, 5, 2]], { constants: { 2: [1] } })).toBe('a0 S a2 I, ., . -> a0 T a2 K');
  expect(axesOf('STFT', [[2, 400, 1], [], [64]], [[2, 22, 33, 2]])).toBe('n S I, ., W -> n T F K');
  expect(axesOf('Det', [[2, 3, 3]], [[2]])).toBe('a0 R S -> a0');
});
