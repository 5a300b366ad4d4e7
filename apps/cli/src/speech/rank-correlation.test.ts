import { createRandom } from '@coppice/core';
import { describe, expect, it } from 'vitest';
import { meanRanks, rankCorrelation } from './rank-correlation.ts';

/** `scipy.stats.spearmanr(a, b).statistic`, SciPy 1.17.1. */
const figures: readonly (readonly [a: readonly number[], b: readonly number[], rho: number])[] = [
  [[1, 2, 3, 4, 5], [5, 6, 7, 8, 7], 0.8207826816681233],
  [[0.3, -1, 2, 2, 7, 0], [1, 1, 4, 9, 2, 0], 0.7058823529411765],
  [[3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5], [2, 7, 1, 8, 2, 8, 1, 8, 2, 8, 4], 0.1384567651467695],
  [[1e-9, 2e-9, 1e9, -5], [4, 3, 2, 1], 0.19999999999999998],
  [
    [5, 3, 3, 1, 1, 0, 0, 0, 1, 4, 3, 5, 3, 3, 5, 4, 3, 3, 3, 5],
    [-0.62, 0.04, -2.33, -0.22, -1.25, -0.73, -0.54, -0.32, 0.41, 1.04, -0.13, 1.37, -0.67, 0.35, 0.9, 0.09, -0.74, -0.92, -0.46, 0.22],
    0.4454143088481868,
  ],
];

describe('rankCorrelation', () => {
  it.each(figures)('of %j and %j is what SciPy says', (a, b, rho) => expect(rankCorrelation(a, b)).toBeCloseTo(rho, 12));

  it('gives ties the mean of their ranks, as scipy.stats.rankdata', () => {
    expect([...meanRanks([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5])]).toEqual([4.5, 1.5, 6, 1.5, 8, 11, 3, 10, 8, 4.5, 8]);
  });

  it('sees the order only, and both ways', () => {
    const random = createRandom('ranks');
    const values = Float64Array.from({ length: 50 }, () => random.normal());
    expect(rankCorrelation(values, values.map(Math.exp))).toBe(1);
    expect(rankCorrelation(values, values.map((x) => -(x ** 3)))).toBe(-1);
  });

  it('is not a number where nothing is ordered', () => {
    expect(rankCorrelation([1, 1, 1], [1, 2, 3])).toBeNaN();
    expect(rankCorrelation([], [])).toBeNaN();
  });
});
