import { expect, it } from 'vitest';
import { axesOf, signatureOf } from './made-up-node.ts';

const ms = { domain: 'com.microsoft' };

it('has one scale for a tensor, or one for each element of an axis', () => {
  expect(axesOf('QuantizeLinear', [[2, 8, 5], [], []], [[2, 8, 5]])).toBe('a0 a1 a2, ,  -> a0 a1 a2');
  expect(axesOf('DequantizeLinear', [[2, 8, 5], [1], [1]], [[2, 8, 5]])).toBe('a0 a1 a2, 1, 1 -> a0 a1 a2');
  expect(axesOf('DequantizeLinear', [[8, 4, 5], [8], [8]], [[8, 4, 5]], { attributes: { axis: 0 } })).toBe('a0 a1 a2, a0, a0 -> a0 a1 a2');
  expect(axesOf('DequantizeLinear', [[2, 8], [8]], [[2, 8]], { attributes: { axis: -1 } })).toBe('a0 a1, a1 -> a0 a1');
});

it('lets whole blocks go that share a scale', () => {
  const blocks = signatureOf('DequantizeLinear', [[6, 32], [6, 4], [6, 4]], [[6, 32]], { attributes: { axis: 1, block_size: 8 } });
  expect(blocks.axes).toBe('a0 (q B), a0 q, a0 q -> a0 (q B)');
  expect(axesOf('DequantizeLinear', [[6, 30], [6, 4]], [[6, 30]], { attributes: { axis: 1, block_size: 8 } })).toBe('a0 Q, a0 B -> a0 Q');
});

it('finds a range that zeros do not move', () => {
  expect(axesOf('DynamicQuantizeLinear', [[2, 8]], [[2, 8], [], []])).toBe('a0 a1 -> a0 a1, , ');
});

it('scales the columns of a product', () => {
  expect(axesOf('DynamicQuantizeMatMul', [[2, 5, 7], [7, 9], [9], [9], [9]], [[2, 5, 9]], ms)).toBe('b0 m k, k n, n, n, n -> b0 m n');
  expect(axesOf('MatMulIntegerToFloat', [[2, 5, 7], [7, 9], [], [9], [], [9], [9]], [[2, 5, 9]], ms)).toBe('b0 m k, k n, , n, , n, n -> b0 m n');
  expect(axesOf('QGemm', [[5, 7], [], [], [9, 7], [9], [9], [9]], [[5, 9]], { ...ms, attributes: { transB: 1 } })).toBe('m k, , , n k, n, n, n -> m n');
});

it('cuts the columns of packed weights only', () => {
  const packed = signatureOf('MatMulNBits', [[2, 5, 64], [9, 2, 16], [18]], [[2, 5, 9]], { ...ms, attributes: { K: 64, N: 9, block_size: 32 } });
  expect(packed.axes).toBe('a0 a1 K, n B Z, (n B) -> a0 a1 n');
  expect(packed.restates).toEqual([{ attribute: 'N', is: 'n' }]);
});

it('is elementwise between scales', () => {
  expect(axesOf('QLinearAdd', [[2, 8], [], [], [8], [], [], [], []], [[2, 8]], ms)).toBe('a0 a1, , , a1, , , ,  -> a0 a1');
  expect(axesOf('QLinearSigmoid', [[2, 8], [], [], [], []], [[2, 8]], ms)).toBe('a0 a1, , , ,  -> a0 a1');
  expect(axesOf('QLinearWhere', [[2, 1], [2, 8], [], [], [8], [], [], [], []], [[2, 8]], ms)).toBe('a0 1, a0 a1, , , a1, , , ,  -> a0 a1');
});

it('lays quantised inputs end to end', () => {
  expect(axesOf('QLinearConcat', [[], [], [2, 3], [], [], [2, 5], [], []], [[2, 8]], { ...ms, attributes: { axis: 1 } })).toBe('., ., a0 c0, ., ., a0 c1, ., . -> a0 (c0+c1)');
});
