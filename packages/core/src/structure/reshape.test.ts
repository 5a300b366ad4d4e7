import { describe, expect, it } from 'vitest';
import { axesOf, signatureOf } from './made-up-node.ts';

/** Axes of a Reshape between shapes of one run, or of several. */
const reshape = (before: number[][], after: number[][]) =>
  axesOf('Reshape', [before[0], [after[0].length]], [after[0]], before.length > 1 ? { again: [[before[1], [after[1].length]], [after[1]]] } : {});

describe('Reshape', () => {
  it('merges and splits axes, outer factor first', () => {
    expect(reshape([[5, 2, 3, 7]], [[5, 2, 21]])).toBe('a0 a1 a2 a3, . -> a0 a1 (a2 a3)');
    expect(reshape([[2, 5, 21]], [[2, 5, 3, 7]])).toBe('a0 a1 (b2 b3), . -> a0 a1 b2 b3');
  });

  it('finds the common factors of both sides', () => {
    expect(reshape([[12, 3]], [[4, 9]])).toBe('(b0 f1) a1, . -> b0 (f1 a1)');
    expect(reshape([[2, 24, 20, 7]], [[2, 120, 4, 7]])).toBe('a0 a1 (f2 b2) a3, . -> a0 (a1 f2) b2 a3');
  });

  it('keeps axes whose factors do not line up, and no others', () => {
    const torn = signatureOf('Reshape', [[5, 6, 4], [3]], [[5, 4, 6]]);
    expect(torn.axes).toBe('a0 X1_0 X2_1, . -> a0 Y1_0 Y2_1');
    expect(torn.because?.X1_0).toBe('the factors of the shapes before and after this reshape do not line up');
    expect(reshape([[8, 6, 4]], [[2, 16, 6]])).toBe('(b0 f1) X1_0 X2_1, . -> b0 (f1 Y1_0) Y2_1');
  });

  it('ignores axes that are one in all runs, and only those', () => {
    expect(reshape([[2, 1, 8, 1]], [[2, 8]])).toBe('a0 1 a2 1, . -> a0 a2');
    expect(reshape([[1, 8], [3, 8]], [[1, 1, 8], [3, 1, 8]])).toBe('a0 a1, . -> a0 1 a1');
  });

  it('is not fooled by sizes that agree in one run', () => {
    // Time is 8 in the first run, like the channels.
    expect(reshape([[2, 8, 8], [3, 5, 8]], [[16, 8], [15, 8]])).toBe('A0 A1 a2, . -> (A0 A1) a2');
  });

  it('peels static axes off a merged batch and time', () => {
    expect(reshape([[60, 28], [141, 28]], [[2, 30, 28], [3, 47, 28]])).toBe('(B0 B1) a1, . -> B0 B1 a1');
  });

  it('keeps a static factor of an axis whose size varies, and says why', () => {
    const heads = signatureOf('Reshape', [[2, 4, 48, 12], [3]], [[8, 48, 12]], { again: [[[3, 4, 79, 12], [3]], [[12, 79, 12]]] });
    expect(heads.axes).toBe('A0 A1 a2 a3, . -> (A0 A1) a2 a3');
    expect(heads.because?.A1).toBe('this reshape merges it with an axis whose size differs between the runs');
  });

  it('follows channels when frames are stacked', () => {
    expect(reshape([[2, 20, 8], [3, 36, 8]], [[2, 5, 32], [3, 9, 32]])).toBe('a0 (B1 F1) a2, . -> a0 B1 (F1 a2)');
  });

  it('tells apart what lines up in one run only', () => {
    expect(reshape([[3, 198, 99], [3, 164, 82]], [[3, 99, 198], [3, 82, 164]])).toBe('a0 (B1 F1) A2, . -> a0 B1 (F1 A2)');
    expect(reshape([[3, 197, 99], [3, 163, 82]], [[3, 99, 197], [3, 82, 163]])).toBe('a0 X1_0 X2_1, . -> a0 Y1_0 Y2_1');
  });

  it('says nothing about a tensor that is empty in every run', () => {
    expect(reshape([[0, 8]], [[0, 4, 2]])).toBe('X0 X1, . -> Y0 Y1 Y2');
  });

  it('leaves out a run in which the tensor is empty', () => {
    expect(reshape([[0, 8], [3, 8]], [[0, 4, 2], [3, 4, 2]])).toBe('a0 (b1 b2), . -> a0 b1 b2');
  });

  it('makes a number an axis and back', () => {
    expect(reshape([[]], [[1, 1]])).toBe(', . -> 1 1');
    expect(reshape([[1]], [[]])).toBe('1, . -> ');
  });

  it('restates the shape of its result', () => {
    expect(signatureOf('Reshape', [[2, 8], [1]], [[16]]).restates).toEqual([{ operand: 1, shapeOfOutput: 0 }]);
  });
});

it('flattens by the same rule', () => {
  expect(axesOf('Flatten', [[2, 8, 3]], [[2, 24]])).toBe('a0 a1 a2 -> a0 (a1 a2)');
  expect(axesOf('Flatten', [[2, 8, 1, 1]], [[2, 8]])).toBe('a0 a1 1 1 -> a0 a1');
});
