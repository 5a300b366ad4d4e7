import { describe, expect, it } from 'vitest';
import { axesOf, frozenBecause, signatureOf } from './made-up-node.ts';

describe('Conv', () => {
  it('contracts input channels, and slides along spatial axes', () => {
    const conv = signatureOf('Conv', [[2, 3, 10, 12], [6, 3, 3, 5], [6]], [[2, 6, 8, 8]]);
    expect(conv.axes).toBe('n i S0 S1, o i K0 K1, o -> n o T0 T1');
    expect(conv.macs).toBe('n o i K0 K1 T0 T1');
    expect(conv.because?.S1).toBe('the convolution slides along this axis');
  });

  it('passes channels through when depthwise, and restates the number of groups', () => {
    const depthwise = signatureOf('Conv', [[2, 8, 9], [8, 1, 3], [8]], [[2, 8, 7]], { attributes: { group: 8 } });
    expect(depthwise.axes).toBe('n g S0, g 1 K0, g -> n g T0');
    expect(depthwise.macs).toBe('n g K0 T0');
    expect(depthwise.restates).toEqual([{ attribute: 'group', is: 'g' }]);
  });

  it('gives a depthwise convolution with a multiplier a slot in each group', () => {
    expect(axesOf('Conv', [[2, 4, 9], [12, 1, 3]], [[2, 12, 7]], { attributes: { group: 4 } })).toBe('n g S0, (g o) 1 K0 -> n (g o) T0');
  });

  it('makes lanes of groups', () => {
    const grouped = signatureOf('Conv', [[2, 6, 9], [9, 2, 3], [9]], [[2, 9, 7]], { attributes: { group: 3 } });
    expect(grouped.axes).toBe('n (g i@g) S0, (g o@g) i@g K0, (g o@g) -> n (g o@g) T0');
    expect(grouped.sizes).toEqual({ g: 3 });
    expect(grouped.restates).toEqual([{ attribute: 'group', is: 'g' }]);
  });

  it('is the same with channels last', () => {
    const conv = { domain: 'com.microsoft', attributes: { group: 1 } };
    expect(axesOf('NhwcConv', [[2, 10, 3], [6, 3, 3], [6]], [[2, 8, 6]], conv)).toBe('n S0 i, o i K0, o -> n T0 o');
  });

  it('adds an addend of the shape of the result when fused', () => {
    expect(axesOf('FusedConv', [[2, 3, 9], [6, 3, 3], undefined, [2, 6, 7]], [[2, 6, 7]], { domain: 'com.microsoft' })).toBe('n i S0, o i K0, ., n o T0 -> n o T0');
  });

  it('has a scale for each output channel when quantised', () => {
    expect(axesOf('QLinearConv', [[2, 3, 9], [], [], [6, 3, 3], [6], [6], [], [], [6]], [[2, 6, 7]])).toBe('n i S0, , , o i K0, o, o, , , o -> n o T0');
    expect(axesOf('ConvInteger', [[2, 3, 9], [6, 3, 3], [], [6]], [[2, 6, 7]])).toBe('n i S0, o i K0, , o -> n o T0');
  });

  it('carries a state along when causal', () => {
    expect(axesOf('CausalConvWithState', [[2, 8, 9], [8, 1, 4], [8], [2, 8, 3]], [[2, 8, 9], [2, 8, 3]])).toBe('n c T, c 1 K, c, n c P -> n c T, n c P');
  });
});

describe('ConvTranspose', () => {
  it('has its weight as [in, out] and costs by its input size', () => {
    const up = signatureOf('ConvTranspose', [[2, 6, 9], [6, 4, 5], [4]], [[2, 4, 21]]);
    expect(up.axes).toBe('n i S0, i o K0, o -> n o T0');
    expect(up.macs).toBe('n i o K0 S0');
  });

  it('makes slots of its own in each group', () => {
    const group = (n: number) => ({ attributes: { group: n } });
    expect(axesOf('ConvTranspose', [[2, 6, 9], [6, 4, 5]], [[2, 12, 21]], group(3))).toBe('n (g i@g) S0, (g i@g) o@g K0 -> n (g o@g) T0');
    expect(axesOf('ConvTranspose', [[2, 6, 9], [6, 1, 5]], [[2, 6, 21]], group(6))).toBe('n g S0, g 1 K0 -> n g T0');
    expect(axesOf('ConvTranspose', [[2, 6, 9], [6, 2, 5]], [[2, 12, 21]], group(6))).toBe('n g S0, g o K0 -> n (g o) T0');
  });
});

describe('MatMul', () => {
  it('broadcasts batch axes', () => {
    expect(axesOf('MatMul', [[2, 5, 7], [7, 9]], [[2, 5, 9]])).toBe('b0 m k, k n -> b0 m n');
    expect(axesOf('MatMul', [[2, 1, 5, 7], [3, 7, 9]], [[2, 3, 5, 9]])).toBe('b0 1 m k, b1 k n -> b0 b1 m n');
  });

  it('counts every batch axis of the result', () => {
    expect(signatureOf('MatMul', [[2, 3, 5, 7], [2, 3, 7, 9]], [[2, 3, 5, 9]]).macs).toBe('b0 b1 m n k');
  });

  it('lets vectors lack their free axis', () => {
    expect(axesOf('MatMul', [[7], [7]], [[]])).toBe('k, k -> ');
    expect(axesOf('MatMul', [[7], [2, 7, 9]], [[2, 9]])).toBe('k, b0 k n -> b0 n');
    expect(axesOf('MatMul', [[2, 5, 7], [7]], [[2, 5]])).toBe('b0 m k, k -> b0 m');
  });

  it('has zero points for rows of A and columns of B when quantised', () => {
    expect(axesOf('MatMulInteger', [[2, 5, 7], [7, 9], [], [9]], [[2, 5, 9]])).toBe('b0 m k, k n, , n -> b0 m n');
    expect(axesOf('MatMulInteger', [[5, 7], [7, 9], [5], [1]], [[5, 9]])).toBe('m k, k n, m, 1 -> m n');
    expect(axesOf('QLinearMatMul', [[5, 7], [], [], [7, 9], [9], [9], [], []], [[5, 9]])).toBe('m k, , , k n, n, n, ,  -> m n');
  });

  it('reads transposed matrices when fused, and refuses transposed batches', () => {
    const fused = (attributes: Record<string, number>) => ({ domain: 'com.microsoft', attributes });
    expect(axesOf('FusedMatMul', [[2, 7, 5], [2, 9, 7]], [[2, 5, 9]], fused({ transA: 1, transB: 1 }))).toBe('b0 k m, b0 n k -> b0 m n');
    expect(frozenBecause('FusedMatMul', [[2, 5, 7], [2, 7, 9]], [[2, 5, 9]], fused({ transBatchA: 1 }))).toBe('it moves batch axes into the matrix');
  });
});

describe('Gemm', () => {
  it('transposes either matrix and broadcasts its addend', () => {
    expect(axesOf('Gemm', [[5, 7], [9, 7], [9]], [[5, 9]], { attributes: { transB: 1 } })).toBe('m k, n k, n -> m n');
    expect(axesOf('Gemm', [[7, 5], [7, 9], [5, 1]], [[5, 9]], { attributes: { transA: 1 } })).toBe('k m, k n, m 1 -> m n');
    expect(axesOf('Gemm', [[5, 7], [7, 9]], [[5, 9]])).toBe('m k, k n -> m n');
  });
});

describe('Einsum', () => {
  const einsum = (equation: string, inputs: number[][], output: number[]) => signatureOf('Einsum', inputs, [output], { attributes: { equation } });

  it('makes a label of each letter', () => {
    const attention = einsum('bhid,bhjd->bhij', [[2, 3, 5, 7], [2, 3, 6, 7]], [2, 3, 5, 6]);
    expect(attention.axes).toBe('b h i d, b h j d -> b h i j');
    expect(attention.macs).toBe('b h i d j');
  });

  it('finds an implicit result: letters that occur once, in order', () => {
    expect(einsum('ij, kj', [[5, 7], [9, 7]], [5, 9]).axes).toBe('i j, k j -> i k');
  });

  it('expands an ellipsis and broadcasts it', () => {
    expect(einsum('...ij,...jk->...ik', [[2, 3, 5, 7], [3, 7, 9]], [2, 3, 5, 9]).axes).toBe('e0 e1 i j, e1 j k -> e0 e1 i k');
    expect(einsum('...i,i->...', [[2, 3, 7], [7]], [2, 3]).axes).toBe('e0 e1 i, i -> e0 e1');
  });

  it('keeps a repeated letter as a diagonal', () => {
    expect(einsum('bii->bi', [[2, 5, 5]], [2, 5]).axes).toBe('b i i -> b i');
  });

  it('does not take upper-case letters for positions', () => {
    expect(einsum('Bi,ij->Bj', [[2, 5], [5, 7]], [2, 7]).axes).toBe('b_ i, i j -> b_ j');
  });
});

it('freezes what a deformable convolution touches', () => {
  expect(frozenBecause('DeformConv', [], [])).toMatch(/offsets/);
});
