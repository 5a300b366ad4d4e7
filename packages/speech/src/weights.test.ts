import { describe, expect, it } from 'vitest';
import { uniformFrom } from './random.ts';
import { between, kaiming, lecun, orthogonal, type Fill } from './weights.ts';

const draw = (fill: Fill, length: number): Float32Array => {
  const data = new Float32Array(length);
  fill(data, uniformFrom('a seed'));
  return data;
};
const mean = (data: Float32Array): number => data.reduce((sum, value) => sum + value, 0) / data.length;
const variance = (data: Float32Array): number => mean(data.map((value) => value * value)) - mean(data) ** 2;

describe('fills', () => {
  it('have the variance that their names promise', () => {
    expect(variance(draw(kaiming(50), 100_000)) * 50).toBeCloseTo(2, 1);
    expect(variance(draw(lecun(50), 100_000)) * 50).toBeCloseTo(1, 1);
    expect(mean(draw(lecun(50), 100_000))).toBeCloseTo(0, 2);
  });

  it('stay within their bounds and use all of them', () => {
    const data = draw(between(0.5, 1.5), 10_000);
    expect(Math.min(...data)).toBeGreaterThanOrEqual(0.5);
    expect(Math.min(...data)).toBeLessThan(0.51);
    expect(Math.max(...data)).toBeLessThanOrEqual(1.5);
    expect(Math.max(...data)).toBeGreaterThan(1.49);
  });

  it.each([1, 2, 3, 17, 64])('make each block of %i rows orthogonal', (size) => {
    const data = draw(orthogonal(size), 3 * size * size);
    for (const block of [0, 1, 2]) {
      for (let a = 0; a < size; a++) for (let b = 0; b < size; b++) {
        let product = 0;
        for (let k = 0; k < size; k++) product += data[(block * size + a) * size + k] * data[(block * size + b) * size + k];
        expect(product).toBeCloseTo(a === b ? 1 : 0, 5);
      }
    }
  });

  it('spread the rows of an orthogonal block over all columns', () => {
    const size = 64;
    const data = draw(orthogonal(size), size * size);
    // The largest of 4096 numbers of a Gaussian with variance 1/64 is about 0.45.
    expect(Math.max(...data.map(Math.abs))).toBeLessThan(0.65);
  });
});

describe('uniformFrom', () => {
  it('gives texts that differ in one letter unrelated numbers', () => {
    const [a, b] = ['7/conv1', '7/conv2'].map((seed) => Float32Array.from({ length: 20_000 }, uniformFrom(seed)));
    expect(Math.abs(mean(a.map((value, k) => value * b[k])))).toBeLessThan(0.01);
    expect(variance(a)).toBeCloseTo(1 / 3, 2);
  });
});
