import { expect, it } from 'vitest';
import { axesOf, signatureOf } from './made-up-node.ts';

it('makes a tensor of any width where all elements are equal', () => {
  const zeros = signatureOf('ConstantOfShape', [[3]], [[2, 4, 8]]);
  expect(zeros.axes).toBe('. -> a0 a1 a2');
  expect(zeros.restates).toEqual([{ operand: 0, shapeOfOutput: 0 }]);
});

it('reads sizes without tying the axes they belong to', () => {
  expect(axesOf('Shape', [[2, 8]], [[2]])).toBe('a0 a1 -> T');
  expect(axesOf('Size', [[2, 8]], [[]])).toBe('T0 T1 -> ');
});

it('keeps axes along which something is counted or drawn', () => {
  expect(axesOf('Range', [[], [], []], [[7]])).toBe('., ., . -> T0');
  expect(axesOf('RandomNormal', [], [[2, 8]])).toBe('. -> T0 T1');
  expect(axesOf('RandomNormalLike', [[2, 8]], [[2, 8]])).toBe('a0 a1 -> a0 a1');
  expect(axesOf('EyeLike', [[8, 8]], [[8, 8]])).toBe('T0 T1 -> T0 T1');
  expect(axesOf('Multinomial', [[2, 8]], [[2, 5]])).toBe('n C -> n T');
  expect(axesOf('HannWindow', [[]], [[400]])).toBe('. -> T0');
});
