import { createRandom, type Random } from '@coppice/core';
import { describe, expect, it } from 'vitest';
import { ctcLoss, requiredFrames } from './ctc.ts';
import type { LogProbs } from './log-probs.ts';

/** Normalised random log-probabilities [time, token]; `scale` is the spread of the logits. */
function randomLogProbs(random: Random, frames: number, tokens: number, scale = 2): LogProbs {
  const data = Float64Array.from({ length: frames * tokens }, () => scale * random.normal());
  for (let t = 0; t < frames; t++) {
    const row = data.subarray(t * tokens, (t + 1) * tokens);
    const top = Math.max(...row);
    const sum = top + Math.log(row.reduce((total, value) => total + Math.exp(value - top), 0));
    for (let v = 0; v < tokens; v++) row[v] -= sum;
  }
  return { data, frames, tokens };
}

const randomLabels = (random: Random, count: number, tokens: number, blank: number): number[] =>
  Array.from({ length: count }, () => (blank + 1 + random.integer(tokens - 1)) % tokens);

const collapse = (path: readonly number[], blank: number): number[] => path.filter((token, t) => token !== blank && token !== path[t - 1]);

/** Every path of tokens, each frame one. */
function* paths(frames: number, tokens: number): Generator<number[]> {
  for (let code = 0; code < tokens ** frames; code++) yield Array.from({ length: frames }, (_, t) => Math.floor(code / tokens ** t) % tokens);
}

/** The definition: the sum over all paths that collapse to the labels, and how often the path is at each token. */
function enumerate({ data, frames, tokens }: LogProbs, labels: readonly number[], blank: number): { loss: number; gradient: number[] } {
  let total = 0;
  const visits = Array.from({ length: frames * tokens }, () => 0);
  for (const path of paths(frames, tokens)) {
    if (collapse(path, blank).join() !== labels.join()) continue;
    const probability = Math.exp(path.reduce((sum, token, t) => sum + data[t * tokens + token], 0));
    total += probability;
    path.forEach((token, t) => (visits[t * tokens + token] += probability));
  }
  return { loss: -Math.log(total), gradient: visits.map((visit) => (total === 0 ? 0 : -visit / total)) };
}

const expectClose = (actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void => {
  expect(actual.length).toBe(expected.length);
  expect(Math.max(0, ...Array.from(expected, (value, k) => Math.abs(value - actual[k])))).toBeLessThanOrEqual(tolerance);
};

describe('ctcLoss', () => {
  it('is the sum over all paths that spell the labels, also for repeated, empty and unspeakable ones', () => {
    const random = createRandom('ctc/enumeration');
    const seen = { repeated: 0, empty: 0, infeasible: 0 };
    for (let round = 0; round < 250; round++) {
      const [frames, tokens] = [1 + random.integer(5), 2 + random.integer(3)];
      const blank = random.integer(tokens);
      const labels = randomLabels(random, random.integer(4), tokens, blank);
      const logProbs = randomLogProbs(random, frames, tokens);
      const expected = enumerate(logProbs, labels, blank);
      const { loss, gradient } = ctcLoss(logProbs, labels, blank);
      expect(Number.isFinite(loss)).toBe(requiredFrames(labels) <= frames);
      if (Number.isFinite(loss)) expect(loss).toBeCloseTo(expected.loss, 11);
      else expect([loss, expected.loss]).toEqual([Infinity, Infinity]);
      expectClose(gradient, expected.gradient, 1e-12);
      if (labels.length === 0) seen.empty++;
      if (loss === Infinity) seen.infeasible++;
      if (requiredFrames(labels) > labels.length && loss !== Infinity) seen.repeated++;
    }
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(10);
  });

  it('has the gradient that finite differences find', () => {
    const random = createRandom('ctc/differences');
    for (const [frames, labels] of [[9, [1, 2, 2, 3]], [6, []], [7, [4]], [12, [1, 1, 1, 1]], [5, [1, 2, 3, 4, 1]]] as const) {
      const logProbs = randomLogProbs(random, frames, 5);
      const { gradient } = ctcLoss(logProbs, labels);
      const h = 1e-5;
      const differences = logProbs.data.map((_, k) => {
        const moved = (by: number) => ctcLoss({ ...logProbs, data: logProbs.data.map((value, j) => (j === k ? value + by : value)) as Float64Array }, labels).loss;
        return (moved(h) - moved(-h)) / (2 * h);
      });
      expectClose(gradient, differences, 1e-8);
    }
  });

  it('together with a log-softmax gives softmax + gradient for the logits', () => {
    const random = createRandom('ctc/logits');
    const [frames, tokens] = [6, 4];
    const logits = Float64Array.from({ length: frames * tokens }, () => 2 * random.normal());
    const normalised = (values: Float64Array): LogProbs => {
      const data = values.slice();
      for (let t = 0; t < frames; t++) {
        const sum = Math.log(data.subarray(t * tokens, (t + 1) * tokens).reduce((total, value) => total + Math.exp(value), 0));
        for (let v = 0; v < tokens; v++) data[t * tokens + v] -= sum;
      }
      return { data, frames, tokens };
    };
    const { gradient } = ctcLoss(normalised(logits), [1, 3, 3]);
    const h = 1e-5;
    const differences = logits.map((_, k) => {
      const moved = (by: number) => ctcLoss(normalised(logits.map((value, j) => (j === k ? value + by : value))), [1, 3, 3]).loss;
      return (moved(h) - moved(-h)) / (2 * h);
    });
    expectClose(normalised(logits).data.map((value, k) => Math.exp(value) + gradient[k]), differences, 1e-8);
  });

  it('stays finite and exact at logits of ±1000', () => {
    const random = createRandom('ctc/large');
    const logProbs = randomLogProbs(random, 200, 30, 1000);
    const labels = randomLabels(random, 40, 30, 0);
    const { loss, gradient } = ctcLoss(logProbs, labels);
    expect(loss).toBeGreaterThan(10_000);
    expect(Number.isFinite(loss)).toBe(true);
    for (let t = 0; t < 200; t++) expect(gradient.subarray(t * 30, (t + 1) * 30).reduce((sum, value) => sum + value, 0)).toBeCloseTo(-1, 7);
    // A constant on every token of a frame only moves the loss.
    const shifted = ctcLoss({ ...logProbs, data: logProbs.data.map((value) => value + 1000) as Float64Array }, labels);
    expect(shifted.loss).toBeCloseTo(loss - 200_000, 4);
    expectClose(shifted.gradient, gradient, 1e-7);
  });

  it('is Infinity with a zero gradient for labels that do not fit the frames, and 0 for nothing at all', () => {
    const logProbs = randomLogProbs(createRandom(1), 3, 3);
    expect(ctcLoss(logProbs, [1, 1, 2])).toEqual({ loss: Infinity, gradient: new Float64Array(9) });
    expect(ctcLoss(logProbs, [1, 2, 1]).loss).toBeCloseTo(-(logProbs.data[1] + logProbs.data[5] + logProbs.data[7]), 12);
    const none: LogProbs = { data: new Float64Array(0), frames: 0, tokens: 3 };
    expect(ctcLoss(none, [])).toEqual({ loss: 0, gradient: new Float64Array(0) });
    expect(ctcLoss(none, [1]).loss).toBe(Infinity);
  });

  it('takes probabilities of exactly 0', () => {
    const data = Float64Array.from([0, -Infinity, -Infinity, -Infinity, 0, -Infinity]);
    expect(ctcLoss({ data, frames: 2, tokens: 3 }, [1])).toEqual({ loss: 0, gradient: Float64Array.from([-1, 0, 0, 0, -1, 0]) });
    expect(ctcLoss({ data, frames: 2, tokens: 3 }, [2]).loss).toBe(Infinity);
  });

  it('lets a NaN through instead of hiding it', () => {
    const { data, frames, tokens } = randomLogProbs(createRandom(2), 4, 3);
    data[4] = NaN;
    expect(ctcLoss({ data, frames, tokens }, [1]).loss).toBeNaN();
  });

  it.each([[[3]], [[-1]], [[0]], [[1.5]]])('refuses the labels %j of an alphabet with blank 0 and two letters', (labels) => {
    expect(() => ctcLoss(randomLogProbs(createRandom(3), 4, 3), labels)).toThrow(expect.objectContaining({ code: 'COPPICE_TRANSCRIPT_INVALID' }));
  });
});

describe('requiredFrames', () => {
  it('is the shortest path that spells the labels', () => {
    const random = createRandom('ctc/required');
    for (let round = 0; round < 40; round++) {
      const labels = randomLabels(random, random.integer(4), 3, 0);
      const shortest = [0, 1, 2, 3, 4, 5].find((frames) => [...paths(frames, 3)].some((path) => collapse(path, 0).join() === labels.join()));
      expect(requiredFrames(labels)).toBe(shortest);
    }
  });
});
