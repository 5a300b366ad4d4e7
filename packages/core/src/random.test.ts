import { describe, expect, it } from 'vitest';
import { createRandom } from './random.ts';

const draw = (count: number, next: () => number) => Array.from({ length: count }, next);
const mean = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length;

describe('createRandom', () => {
  it('gives the same numbers for the same seed, today and for ever', () => {
    const { integer } = createRandom(7);
    expect(draw(6, () => integer(1000))).toEqual(draw(6, ((again) => () => again.integer(1000))(createRandom('7'))));
    expect(draw(4, ((random) => () => random.integer(1000))(createRandom('coppice')))).toEqual([940, 981, 668, 610]);
  });

  it('gives unrelated numbers for neighbouring seeds', () => {
    const [a, b] = [createRandom('0/x'), createRandom('1/x')].map(({ normal }) => draw(10_000, normal));
    expect(Math.abs(mean(a.map((x, k) => x * b[k])))).toBeLessThan(0.05);
  });

  it('spreads uniform numbers evenly over [0, 1)', () => {
    const { uniform } = createRandom(1);
    const counts = Array.from({ length: 10 }, () => 0);
    for (let k = 0; k < 100_000; k++) counts[Math.floor(uniform() * 10)]++;
    expect(Math.min(...counts)).toBeGreaterThan(9_600);
    expect(Math.max(...counts)).toBeLessThan(10_400);
  });

  it('has mean 0, variance 1 and the tails of a normal distribution', () => {
    const { normal } = createRandom(2);
    const numbers = draw(100_000, normal);
    expect(mean(numbers)).toBeCloseTo(0, 1);
    expect(mean(numbers.map((x) => x * x))).toBeCloseTo(1, 1);
    expect(numbers.filter((x) => Math.abs(x) > 1.96).length / numbers.length).toBeCloseTo(0.05, 2);
  });

  it('shuffles without losing an item or touching the original', () => {
    const items = [1, 2, 3, 4, 5, 6, 7, 8];
    const shuffled = createRandom(3).shuffle(items);
    expect(shuffled).not.toEqual(items);
    expect(shuffled.toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(items).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });
});
