import { expect, it } from 'vitest';
import { axesOf, frozenBecause, signatureOf } from './made-up-node.ts';

it('contracts an axis that is summed, because a removed element is zero', () => {
  for (const op of ['ReduceSum', 'ReduceL1', 'ReduceL2', 'ReduceSumSquare', 'ReduceLogSum']) {
    expect(axesOf(op, [[2, 8, 5], [1]], [[2, 1, 5]], { constants: { 1: [1] } })).toBe('a0 a1 a2, . -> a0 1 a2');
  }
});

it('shows the full width to reductions that a zero would change', () => {
  for (const op of ['ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceLogSumExp']) {
    expect(axesOf(op, [[2, 8, 5], [1]], [[2, 1, 5]], { constants: { 1: [1] } })).toBe('a0 a1~ a2, . -> a0 1 a2');
  }
});

it('keeps an axis whose product a zero would end, and says why', () => {
  const product = signatureOf('ReduceProd', [[2, 8, 5], [1]], [[2, 1, 5]], { constants: { 1: [1] } });
  expect(product.axes).toBe('a0 R1 a2, . -> a0 1 a2');
  expect(product.because?.R1).toBeTruthy();
});

it('drops reduced axes unless it keeps them', () => {
  expect(axesOf('ReduceMean', [[2, 8, 5], [2]], [[8]], { attributes: { keepdims: 0 }, constants: { 1: [0, -1] } })).toBe('a0~ a1 a2~, . -> a1');
});

it('reduces all axes, or none, when no axes are listed', () => {
  expect(axesOf('ReduceSum', [[2, 8]], [[]], { attributes: { keepdims: 0 } })).toBe('a0 a1 -> ');
  expect(axesOf('ReduceSum', [[2, 8], [0]], [[2, 8]], { attributes: { noop_with_empty_axes: 1 }, constants: { 1: [] } })).toBe('a0 a1, . -> a0 a1');
});

it('freezes a reduction whose axes nobody knows', () => {
  expect(frozenBecause('ReduceMean', [[2, 8], [1]], [[2, 1]])).toBe('which axes it reduces is computed from data');
});

it('keeps an axis of which elements are counted or ranked', () => {
  expect(axesOf('ArgMax', [[2, 8]], [[2]], { attributes: { axis: -1, keepdims: 0 } })).toBe('a0 R1 -> a0');
  expect(axesOf('TopK', [[2, 8], [1]], [[2, 3], [2, 3]])).toBe('a0 R, . -> a0 K, a0 K');
});

it('lets running sums go, but not running products', () => {
  expect(axesOf('CumSum', [[2, 8], []], [[2, 8]], { constants: { 1: [1] } })).toBe('a0 a1, . -> a0 a1');
  expect(axesOf('CumProd', [[2, 8], []], [[2, 8]], { constants: { 1: [1] } })).toBe('a0 R1, . -> a0 R1');
  expect(axesOf('CumProd', [[2, 8], []], [[2, 8]])).toBe('R0 R1, . -> R0 R1');
});

it('pools along spatial axes', () => {
  expect(axesOf('AveragePool', [[2, 8, 9, 7]], [[2, 8, 4, 3]])).toBe('n c S0 S1 -> n c T0 T1');
  expect(axesOf('GlobalAveragePool', [[2, 8, 9]], [[2, 8, 1]])).toBe('n c S0 -> n c 1');
  expect(axesOf('GlobalLpPool', [[2, 8, 9]], [[2, 8, 1]])).toBe('n c s0 -> n c 1');
  expect(axesOf('NhwcMaxPool', [[2, 9, 7, 8]], [[2, 4, 3, 8]], { domain: 'com.microsoft' })).toBe('n S0 S1 c -> n T0 T1 c');
  expect(axesOf('QLinearGlobalAveragePool', [[2, 9, 8], [], [], [], []], [[2, 1, 8]], { domain: 'com.microsoft', attributes: { channels_last: 1 } })).toBe('n S0 c, ., ., ., . -> n 1 c');
});

it('keeps channels where the pool also says which element won', () => {
  expect(axesOf('MaxPool', [[2, 8, 9]], [[2, 8, 4]])).toBe('n c S0 -> n c T0');
  expect(axesOf('MaxPool', [[2, 8, 9]], [[2, 8, 4], [2, 8, 4]])).toBe('N C S0 -> N C T0, N C T0');
});
