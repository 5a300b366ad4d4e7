import { expect, it } from 'vitest';
import { axesOf, signatureOf } from './made-up-node.ts';

it('ties every axis of the operand with that of the result', () => {
  expect(axesOf('Relu', [[2, 8, 5]], [[2, 8, 5]])).toBe('a0 a1 a2 -> a0 a1 a2');
});

it('aligns axes at the right and lets an axis of one tie nothing', () => {
  expect(axesOf('Add', [[8], [2, 5, 8]], [[2, 5, 8]])).toBe('a2, a0 a1 a2 -> a0 a1 a2');
  expect(axesOf('Mul', [[2, 8, 5, 7], [8, 1, 1]], [[2, 8, 5, 7]])).toBe('a0 a1 a2 a3, a1 1 1 -> a0 a1 a2 a3');
  expect(axesOf('Add', [[2, 1, 8], [1, 5, 8]], [[2, 5, 8]])).toBe('a0 1 a2, 1 a1 a2 -> a0 a1 a2');
});

it('gives a scalar the empty entry', () => {
  expect(axesOf('Mul', [[2, 8], []], [[2, 8]])).toBe('a0 a1,  -> a0 a1');
  expect(axesOf('Clip', [[2, 8], [], []], [[2, 8]])).toBe('a0 a1, ,  -> a0 a1');
  expect(axesOf('Neg', [[]], [[]])).toBe(' -> ');
});

it('keeps a place for an absent operand', () => {
  expect(axesOf('Clip', [[2, 8], undefined, []], [[2, 8]])).toBe('a0 a1, .,  -> a0 a1');
});

it('takes an axis that is one in a single run for an axis', () => {
  expect(axesOf('Add', [[1, 8], [1, 8]], [[1, 8]], { again: [[[3, 8], [3, 8]], [[3, 8]]] })).toBe('a0 a1, a0 a1 -> a0 a1');
});

it('makes an axis that is broadcast in one run only a position, and says why', () => {
  const uneven = signatureOf('Add', [[1, 8], [4, 8]], [[4, 8]], { again: [[[3, 8], [3, 8]], [[3, 8]]] });
  expect(uneven.axes).toBe('V0_0 a1, a0 a1 -> a0 a1');
  expect(uneven.because).toEqual({ V0_0: 'it is broadcast in one run and not in another' });
});

it('aligns the second operand where a file from before opset 7 says', () => {
  expect(axesOf('Add', [[2, 8, 5], [8]], [[2, 8, 5]], { legacy: { alignAt: 1 } })).toBe('a0 a1 a2, a1 -> a0 a1 a2');
  expect(axesOf('PRelu', [[2, 8, 5], [8]], [[2, 8, 5]], { legacy: { alignAt: 1 } })).toBe('a0 a1 a2, a1 -> a0 a1 a2');
});

it('takes any number of operands where the operator does', () => {
  expect(axesOf('Sum', [[2, 8], [8], [2, 1]], [[2, 8]])).toBe('a0 a1, a1, a0 1 -> a0 a1');
  expect(axesOf('Where', [[2, 1, 5], [], [2, 8, 5]], [[2, 8, 5]])).toBe('a0 1 a2, , a0 a1 a2 -> a0 a1 a2');
});

it('gives the mask of a dropout the axes of its data', () => {
  expect(axesOf('Dropout', [[2, 8], [], []], [[2, 8], [2, 8]])).toBe('a0 a1, ,  -> a0 a1, a0 a1');
});

it('leaves the axes of an operand alone that only tells a type', () => {
  expect(axesOf('CastLike', [[2, 8], [3]], [[2, 8]])).toBe('a0 a1, u0_0 -> a0 a1');
});

it('broadcasts the bias of a fused activation', () => {
  expect(axesOf('BiasGelu', [[2, 5, 8], [8]], [[2, 5, 8]], { domain: 'com.microsoft' })).toBe('a0 a1 a2, a2 -> a0 a1 a2');
});
