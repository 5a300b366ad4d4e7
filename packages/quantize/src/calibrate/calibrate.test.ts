import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom, type NamedTensors, type Random } from '@coppice/core';
import { makeModel, makeNode, makeValueInfo } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { calibrate, type CalibrationOptions } from './calibrate.ts';
import { clippedDivergence, entropyThreshold } from './entropy.ts';
import { addToHistogram, newHistogram, quantileOf } from './histogram.ts';

const backend = wasmBackend();

/** x → ReLU → r, x → Neg → n. */
const model = makeModel({ opset: 17, graph: {
  inputs: [makeValueInfo('x', 'float32', ['n'])], outputs: [makeValueInfo('y', 'float32', ['n'])],
  nodes: [makeNode({ op: 'Relu', inputs: ['x'], outputs: ['r'] }), makeNode({ op: 'Neg', inputs: ['x'], outputs: ['n'] }), makeNode({ op: 'Sub', inputs: ['n', 'r'], outputs: ['y'] })],
} });

const runsOf = (...runs: readonly (readonly number[])[]) => async function* (): AsyncGenerator<NamedTensors> {
  for (const values of runs) yield { x: { dtype: 'float32', dims: [values.length], data: Float32Array.from(values) } };
};

const rangeOf = async (runs: readonly (readonly number[])[], name: string, options: CalibrationOptions) => (await calibrate(model, backend, runsOf(...runs), [name], options)).get(name)!;

/** Values with a few outliers, in several runs of different lengths. */
function recordings(random: Random): number[][] {
  return Array.from({ length: 2 + random.integer(4) }, () => Array.from({ length: 50 + random.integer(400) }, () => Math.fround(random.normal() * (random.uniform() < 0.02 ? 8 : 1))));
}

describe('ranges', () => {
  it('by min-max are the smallest and the largest value of all runs', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const runs = recordings(createRandom(`min-max/${seed}`));
      const sorted = runs.flat().toSorted((a, b) => a - b);
      expect(await rangeOf(runs, 'x', { method: 'min-max' })).toMatchObject({ min: sorted[0], max: sorted.at(-1), count: sorted.length });
      expect(await rangeOf(runs, 'r', { method: 'min-max' })).toMatchObject({ min: Math.max(0, sorted[0]), max: sorted.at(-1) });
    }
  });

  it('by percentile agree with sorting all values, to within one bin', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = createRandom(`percentile/${seed}`);
      const runs = recordings(random);
      const sorted = runs.flat().toSorted((a, b) => a - b);
      for (const percentile of [90, 99, 99.9]) {
        const rest = (100 - percentile) / 200;
        const nth = (q: number) => sorted[Math.min(Math.max(Math.ceil(q * sorted.length), 1), sorted.length) - 1];
        const range = await rangeOf(runs, 'x', { method: 'percentile', percentile });
        if ('refused' in range) throw new Error(range.refused);
        const bin = (sorted.at(-1)! - sorted[0]) / 2048;
        expect(Math.abs(range.min - nth(rest))).toBeLessThanOrEqual(bin * 1.001);
        expect(Math.abs(range.max - nth(1 - rest))).toBeLessThanOrEqual(bin * 1.001);
        // What the range leaves out is no more than was promised.
        expect(sorted.filter((x) => x < range.min || x > range.max).length).toBeLessThanOrEqual(Math.ceil(2 * rest * sorted.length) + 1);
      }
    }
  });

  it('do not depend on how values are divided into runs', async () => {
    const values = recordings(createRandom('division')).flat();
    const parts = [values.slice(0, 33), values.slice(33, 34), values.slice(34)];
    for (const method of ['min-max', 'percentile', 'entropy'] as const) expect(await rangeOf(parts, 'n', { method })).toEqual(await rangeOf([values], 'n', { method }));
  });

  it('by entropy lie within what was seen and ignore how many zeros there are', async () => {
    const values = recordings(createRandom('zeros')).flat();
    const range = await rangeOf([values], 'x', { method: 'entropy' });
    if ('refused' in range) throw new Error(range.refused);
    expect(range.min).toBeGreaterThanOrEqual(Math.min(...values));
    expect(range.max).toBeLessThanOrEqual(Math.max(...values));
    expect(await rangeOf([values, Array.from({ length: 20000 }, () => 0)], 'x', { method: 'entropy' })).toMatchObject({ min: range.min, max: range.max });
  });

  it('that would mean nothing are refused by name', async () => {
    const options = { method: 'min-max' } as const;
    expect(await rangeOf([[0, 0, 0]], 'x', options)).toEqual({ refused: 'was zero in all calibration runs, so its range is unknown' });
    expect(await rangeOf([[1, Infinity], [2]], 'x', options)).toEqual({ refused: 'had 1 values of 3 that are infinite or not a number while calibrating' });
    expect(await rangeOf([[1, Number.NaN]], 'n', { method: 'entropy' })).toMatchObject({ refused: expect.stringContaining('not a number') });
    expect(await rangeOf([[]], 'x', options)).toEqual({ refused: 'was empty in all calibration runs' });
    expect(await rangeOf([[-1, -2]], 'r', options)).toMatchObject({ refused: expect.stringContaining('zero') });
    expect(await rangeOf([[3, 3, 3]], 'x', { method: 'percentile' })).toMatchObject({ min: 3, max: 3 });
  });

  it('need runs and options that make sense', async () => {
    await expect(calibrate(model, backend, runsOf(), ['x'], { method: 'min-max' })).rejects.toThrow(/no run/);
    await expect(calibrate(model, backend, runsOf([1]), ['x'], { method: 'percentile', percentile: 10 })).rejects.toThrow(/percentile of 10/);
    await expect(calibrate(model, backend, runsOf([1]), ['x'], { method: 'entropy', bins: 8 })).rejects.toThrow(/bins/);
  });
});

describe('histograms', () => {
  it('give quantiles within one bin of sorting', () => {
    for (let seed = 0; seed < 50; seed++) {
      const random = createRandom(`histogram/${seed}`);
      const values = Float32Array.from({ length: 1 + random.integer(2000) }, () => random.normal());
      const sorted = values.toSorted();
      const histogram = newHistogram(sorted[0] - 1e-3, sorted.at(-1)! + 1e-3, 512);
      addToHistogram(histogram, values);
      const width = (histogram.max - histogram.min) / 512;
      for (const q of [0, 0.01, 0.3, 0.5, 0.99, 1]) {
        const exact = sorted[Math.min(Math.max(Math.ceil(q * sorted.length), 1), sorted.length) - 1];
        for (const side of ['lower', 'upper'] as const) expect(Math.abs(quantileOf(histogram, q, side) - exact)).toBeLessThanOrEqual(width * 1.001);
        expect(quantileOf(histogram, q, 'upper')).toBeGreaterThanOrEqual(exact);
        expect(quantileOf(histogram, q, 'lower')).toBeLessThanOrEqual(exact);
      }
    }
  });
});

/** Migacz' divergence with lists and no thought of speed. */
function divergenceByHand(counts: readonly number[], kept: number, levels: number): number {
  const inside = counts.slice(0, kept);
  const p = inside.map((n, k) => (k === kept - 1 ? n + counts.slice(kept).reduce((a, b) => a + b, 0) : n));
  const q = Array.from({ length: kept }, () => 0);
  for (let level = 0; level < levels; level++) {
    const bins = inside.map((_, k) => k).filter((k) => k >= Math.floor((level * kept) / levels) && k < Math.floor(((level + 1) * kept) / levels));
    const filled = bins.filter((k) => inside[k] > 0);
    for (const k of filled) q[k] = bins.reduce((sum, b) => sum + inside[b], 0) / filled.length;
  }
  const [allP, allQ] = [p, q].map((list) => list.reduce((a, b) => a + b, 0));
  if (allP === 0 || allQ === 0) return Infinity;
  return p.reduce((sum, n, k) => (n === 0 ? sum : sum + (n / allP) * Math.log(n / allP / (0.9999 * (q[k] / allQ) + 1e-4 / kept))), 0);
}

describe('entropy', () => {
  const histograms = Array.from({ length: 12 }, (_, seed) => {
    const random = createRandom(`entropy/${seed}`);
    const shape = seed % 2 ? 'normal' : 'sparse';
    return Float64Array.from({ length: 256 }, (_, k) => (shape === 'sparse' && random.uniform() < 0.5 ? 0 : Math.floor(2000 * Math.exp(-((k / (20 + 10 * seed)) ** 2)) + (random.uniform() < 0.03 ? random.integer(9) : 0))));
  });

  it('is the divergence of the definition', () => {
    for (const counts of histograms) for (const kept of [32, 33, 100, 255, 256]) expect(clippedDivergence(counts, kept, 32)).toBeCloseTo(divergenceByHand([...counts], kept, 32), 9);
  });

  it('keeps the number of bins that trying all of them finds', () => {
    for (const counts of histograms) {
      const all = Array.from({ length: 256 - 32 + 1 }, (_, k) => ({ kept: 32 + k, divergence: divergenceByHand([...counts], 32 + k, 32) }));
      const least = Math.min(...all.map(({ divergence }) => divergence));
      expect(clippedDivergence(counts, entropyThreshold(counts, 32), 32)).toBeCloseTo(least, 9);
    }
  });

  it('cuts far outliers off and keeps an even spread whole', () => {
    const even = new Float64Array(1024).fill(50);
    expect(entropyThreshold(even, 128)).toBe(1024);
    const outlier = Float64Array.from({ length: 1024 }, (_, k) => (k < 200 ? 10000 * Math.exp(-((k / 80) ** 2)) : k === 1023 ? 1 : 0));
    expect(entropyThreshold(outlier, 128)).toBeLessThan(400);
  });
});
