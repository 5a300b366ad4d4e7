import { expect, it } from 'vitest';
import { axesOf, frozenBecause, signatureOf } from './made-up-node.ts';

it('permutes axes, in reverse when nothing is said', () => {
  expect(axesOf('Transpose', [[2, 8, 5]], [[5, 2, 8]], { attributes: { perm: [2, 0, 1] } })).toBe('a0 a1 a2 -> a2 a0 a1');
  expect(axesOf('Transpose', [[2, 8, 5]], [[5, 8, 2]])).toBe('a0 a1 a2 -> a2 a1 a0');
});

it('lays the inputs of a Concat end to end', () => {
  expect(axesOf('Concat', [[4, 3], [4, 5]], [[4, 8]], { attributes: { axis: 1 } })).toBe('a0 c0, a0 c1 -> a0 (c0+c1)');
  expect(axesOf('Concat', [[4, 3]], [[4, 3]], { attributes: { axis: -1 } })).toBe('a0 c0 -> a0 c0');
});

it('restates the sizes of a Split, implied ones too', () => {
  const split = signatureOf('Split', [[4, 8]], [[4, 3], [4, 5]], { attributes: { axis: 1, num_outputs: 2 } });
  expect(split.axes).toBe('a0 (c0+c1) -> a0 c0, a0 c1');
  expect(split.restates).toEqual([{ operand: 1, are: ['c0', 'c1'] }]);
});

it('splits where nobody reads a part, as long as its size is stated', () => {
  const stated = signatureOf('Split', [[4, 8], [2]], [undefined, [4, 5]], { attributes: { axis: 1 }, constants: { 1: [3, 5] } });
  expect(stated.axes).toBe('a0 (c0+c1), . -> ., a0 c1');
  expect(stated.sizes).toEqual({ c0: 3 });
  expect(frozenBecause('Split', [[4, 8]], [undefined, [4, 4]], { attributes: { axis: 1 } })).toMatch(/not stated/);
});

it('adds and drops axes of one', () => {
  expect(axesOf('Unsqueeze', [[2, 8], [2]], [[1, 2, 8, 1]], { constants: { 1: [0, -1] } })).toBe('a1 a2, . -> 1 a1 a2 1');
  expect(axesOf('Squeeze', [[1, 2, 1, 8], [1]], [[1, 2, 8]], { constants: { 1: [2] } })).toBe('a0 a1 1 a3, . -> a0 a1 a3');
  expect(axesOf('Squeeze', [[1, 2, 1, 8]], [[2, 8]])).toBe('1 a1 1 a3 -> a1 a3');
  expect(axesOf('ExpandDims', [[2, 8], []], [[2, 1, 8]], { domain: 'com.microsoft', constants: { 1: [1] } })).toBe('a0 a2, . -> a0 1 a2');
});

it('drops an axis that is one in the first run only when it is listed', () => {
  expect(axesOf('Squeeze', [[1, 1, 8], [1]], [[1, 8]], { constants: { 1: [1] }, again: [[[3, 1, 8], [1]], [[3, 8]]] })).toBe('a0 1 a2, . -> a0 a2');
});

it('broadcasts with Expand, which restates the shape of its result', () => {
  const expand = signatureOf('Expand', [[8, 1], [3]], [[2, 8, 5]]);
  expect(expand.axes).toBe('a1 1, . -> a0 a1 a2');
  expect(expand.restates).toEqual([{ operand: 1, shapeOfOutput: 0 }]);
});

it('repeats a whole axis as the outer factor, and widens an axis of one', () => {
  const tile = signatureOf('Tile', [[2, 8, 1], [3]], [[2, 24, 5]], { constants: { 1: [1, 3, 5] } });
  expect(tile.axes).toBe('a0 a1 1, . -> a0 (R1 a1) r2');
  expect(tile.restates).toEqual([{ operand: 1, are: [undefined, undefined, 'r2'] }]);
  expect(axesOf('Tile', [[2, 8], [2]], [[2, 24]])).toBe('a0 V1, . -> a0 W1');
});

it('moves blocks of channels to pixels and back', () => {
  const block = (mode: string) => ({ attributes: { blocksize: 2, mode } });
  expect(axesOf('DepthToSpace', [[2, 12, 5, 7]], [[2, 3, 10, 14]], block('DCR'))).toBe('n (B0 B1 c) h w -> n c (h B0) (w B1)');
  expect(axesOf('DepthToSpace', [[2, 12, 5, 7]], [[2, 3, 10, 14]], block('CRD'))).toBe('n (c B0 B1) h w -> n c (h B0) (w B1)');
  expect(axesOf('SpaceToDepth', [[2, 3, 10, 14]], [[2, 12, 5, 7]], block('DCR'))).toBe('n c (h B0) (w B1) -> n (B0 B1 c) h w');
});

it('keeps the matrix of a triangle and the time of a reversal', () => {
  expect(axesOf('Trilu', [[2, 8, 8]], [[2, 8, 8]])).toBe('a0 A1 A2 -> a0 A1 A2');
  expect(axesOf('ReverseSequence', [[5, 2, 8], [2]], [[5, 2, 8]])).toBe('T a1 a2, a1 -> T a1 a2');
});

it('passes the axes that a crop leaves alone, and restates them', () => {
  const crop = signatureOf('CenterCropPad', [[2, 8, 9], [2]], [[2, 8, 5]], { attributes: { axes: [1, 2] } });
  expect(crop.axes).toBe('a0 a1 S2, . -> a0 a1 T2');
  expect(crop.restates).toEqual([{ operand: 1, are: ['a1', undefined] }]);
});

it('folds columns of blocks into an image, channel outermost', () => {
  expect(axesOf('Col2Im', [[2, 12, 20], [2], [2]], [[2, 3, 6, 5]], { constants: { 2: [2, 2] } })).toBe('n (c K) L, ., . -> n c T0 T1');
});
