import { createRandom, type Random } from '@coppice/core';
import { describe, expect, it } from 'vitest';
import { beamSearch, createBeamSearch, type LanguageModel } from './beam-search.ts';
import { ctcLoss } from './ctc.ts';
import { createGreedyDecoder, greedyDecode } from './decode.ts';
import type { LogProbs } from './log-probs.ts';

function randomLogProbs(random: Random, frames: number, tokens: number, scale: number): LogProbs {
  const data = Float64Array.from({ length: frames * tokens }, () => scale * random.normal());
  for (let t = 0; t < frames; t++) {
    const row = data.subarray(t * tokens, (t + 1) * tokens);
    const sum = Math.log(row.reduce((total, value) => total + Math.exp(value), 0));
    for (let v = 0; v < tokens; v++) row[v] -= sum;
  }
  return { data, frames, tokens };
}

const collapse = (path: readonly number[], blank: number): number[] => path.filter((token, t) => token !== blank && token !== path[t - 1]);

/** Probability of every labelling that some path spells, from the definition. */
function enumerate({ data, frames, tokens }: LogProbs, blank: number): Map<string, number> {
  const found = new Map<string, number>();
  for (let code = 0; code < tokens ** frames; code++) {
    const path = Array.from({ length: frames }, (_, t) => Math.floor(code / tokens ** t) % tokens);
    const key = collapse(path, blank).join(' ');
    found.set(key, (found.get(key) ?? 0) + Math.exp(path.reduce((sum, token, t) => sum + data[t * tokens + token], 0)));
  }
  return found;
}

/** Hannun et al. 2014, algorithm 1, without a language model: slow and plain. */
function writtenDown({ data, frames, tokens }: LogProbs, width: number): [string, number][] {
  const add = (a: number, b: number): number => (a === -Infinity ? b : b === -Infinity ? a : Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b))));
  let beam = new Map([['', { blank: 0, label: -Infinity }]]);
  for (let t = 0; t < frames; t++) {
    const next = new Map<string, { blank: number; label: number }>();
    const at = (key: string) => next.get(key) ?? next.set(key, { blank: -Infinity, label: -Infinity }).get(key)!;
    for (const [key, { blank, label }] of beam) {
      const last = key === '' ? -1 : Number(key.split(' ').at(-1));
      at(key).blank = add(at(key).blank, add(blank, label) + data[t * tokens]);
      if (last > 0) at(key).label = add(at(key).label, label + data[t * tokens + last]);
      for (let c = 1; c < tokens; c++) {
        const longer = at(key === '' ? `${c}` : `${key} ${c}`);
        longer.label = add(longer.label, (c === last ? blank : add(blank, label)) + data[t * tokens + c]);
      }
    }
    beam = new Map([...next].sort(([, a], [, b]) => add(b.blank, b.label) - add(a.blank, a.label)).slice(0, width));
  }
  return [...beam].map(([key, { blank, label }]) => [key, add(blank, label)]);
}

const piece = ({ data, tokens }: LogProbs, from: number, to: number): LogProbs => ({ data: data.subarray(from * tokens, to * tokens), frames: to - from, tokens });

/** Frames that are sure of one token each. */
const spoken = (tokens: number, ...path: number[]): LogProbs =>
  ({ data: Float32Array.from(path.flatMap((token) => Array.from({ length: tokens }, (_, v) => Math.log(v === token ? 0.9 : 0.1 / (tokens - 1))))), frames: path.length, tokens });

describe('greedyDecode', () => {
  it('collapses the likeliest tokens of the frames', () => {
    const random = createRandom('greedy');
    for (let round = 0; round < 50; round++) {
      const [frames, tokens] = [random.integer(20), 2 + random.integer(5)];
      const logProbs = randomLogProbs(random, frames, tokens, 2);
      const blank = random.integer(tokens);
      const path = Array.from({ length: frames }, (_, t) => {
        const row = [...logProbs.data.subarray(t * tokens, (t + 1) * tokens)];
        return row.indexOf(Math.max(...row));
      });
      const { labels, logProb } = greedyDecode(logProbs, blank);
      expect(labels).toEqual(collapse(path, blank));
      expect(logProb).toBeCloseTo(path.reduce((sum, token, t) => sum + logProbs.data[t * tokens + token], 0), 10);
    }
  });

  it('keeps two equal labels apart that have a blank between, and joins them over the border of pieces', () => {
    const all = spoken(4, 2, 2, 0, 2, 3, 3, 0, 0);
    expect(greedyDecode(all).labels).toEqual([2, 2, 3]);
    const decoder = createGreedyDecoder();
    for (const [from, to] of [[0, 1], [1, 5], [5, 8]]) decoder.push(piece(all, from, to));
    expect(decoder.best()).toEqual(greedyDecode(all));
  });

  it('hears nothing in no frames', () => {
    expect(greedyDecode({ data: new Float32Array(0), frames: 0, tokens: 3 })).toEqual({ labels: [], logProb: 0 });
  });
});

describe('beamSearch', () => {
  it('with a wide beam knows every labelling and its exact probability', () => {
    const random = createRandom('beam/exact');
    for (let round = 0; round < 60; round++) {
      const [frames, tokens] = [1 + random.integer(5), 2 + random.integer(3)];
      const logProbs = randomLogProbs(random, frames, tokens, 1);
      const blank = random.integer(tokens);
      const wanted = [...enumerate(logProbs, blank)].sort(([, a], [, b]) => b - a);
      const found = beamSearch(logProbs, { width: 10_000, blank, count: Infinity });
      expect(found.length).toBe(wanted.length);
      found.forEach(({ labels, logProb, score }, k) => {
        expect(labels.join(' ')).toBe(wanted[k][0]);
        expect(logProb).toBeCloseTo(Math.log(wanted[k][1]), 9);
        expect(score).toBe(logProb);
      });
    }
  });

  it('agrees with the loss about the probability of a labelling', () => {
    const logProbs = randomLogProbs(createRandom('beam/loss'), 7, 3, 1.5);
    for (const { labels, logProb } of beamSearch(logProbs, { width: 5000, count: 20 })) expect(logProb).toBeCloseTo(-ctcLoss(logProbs, labels).loss, 9);
  });

  it('finds what greedy decoding misses: many paths that spell the same', () => {
    // Blank is likeliest in each frame (0.4), yet "1" has more probability in sum: 1 − 0.16 − …
    const data = Float64Array.from([0.4, 0.35, 0.25, 0.4, 0.35, 0.25].map(Math.log));
    expect(greedyDecode({ data, frames: 2, tokens: 3 }).labels).toEqual([]);
    const [best] = beamSearch({ data, frames: 2, tokens: 3 });
    expect(best.labels).toEqual([1]);
    expect(Math.exp(best.logProb)).toBeCloseTo(0.35 * 0.35 + 2 * 0.4 * 0.35, 12);
  });

  it('never claims more than a labelling has, comes closer with width, and with width 1 follows a sure model', () => {
    const random = createRandom('beam/width');
    for (let round = 0; round < 20; round++) {
      const logProbs = randomLogProbs(random, 9, 4, 1);
      const best = [1, 4, 16, 20_000].map((width) => beamSearch(logProbs, { width })[0]);
      for (const { labels, logProb } of best) expect(logProb).toBeLessThanOrEqual(-ctcLoss(logProbs, labels).loss + 1e-9);
      expect(best[3].logProb).toBeGreaterThanOrEqual(Math.max(...best.map(({ labels }) => -ctcLoss(logProbs, labels).loss)) - 1e-9);
    }
    expect(beamSearch(spoken(5, 0, 1, 1, 0, 1, 4, 3, 3, 0), { width: 1 })[0].labels).toEqual([1, 1, 4, 3]);
  });

  it('gives the same in pieces, also after asking in between', () => {
    const logProbs = randomLogProbs(createRandom('beam/pieces'), 30, 6, 2);
    const search = createBeamSearch({ width: 8 });
    let from = 0;
    for (const to of [1, 1, 7, 20, 30]) {
      search.push(piece(logProbs, from, to));
      expect(search.best(5)).toEqual(beamSearch(piece(logProbs, 0, to), { width: 8, count: 5 }));
      from = to;
    }
  });

  it('leaves out unlikely tokens when told, which changes nothing where they matter nothing', () => {
    const logProbs = spoken(30, 3, 3, 0, 3, 7, 0, 12);
    const [all] = beamSearch(logProbs, { width: 8 });
    const [few] = beamSearch(logProbs, { width: 8, leastLogProb: Math.log(0.01) });
    expect(few.labels).toEqual(all.labels);
    expect(few.logProb).toBeCloseTo(all.logProb, 2);
  });

  it('takes probabilities of 0 and no frames', () => {
    const certain = { data: Float32Array.from([-Infinity, 0, 0, -Infinity]), frames: 2, tokens: 2 };
    expect(beamSearch(certain, { count: 5 })).toEqual([{ labels: [1], logProb: 0, score: 0 }]);
    expect(beamSearch({ data: new Float32Array(0), frames: 0, tokens: 2 })).toEqual([{ labels: [], logProb: 0, score: 0 }]);
    expect(() => createBeamSearch({ width: 0 })).toThrow(expect.objectContaining({ code: 'COPPICE_CONFIG_INVALID' }));
  });

  describe('with a language model', () => {
    /** Token 1 is the boundary; words of even sums are likely, and a word after the same word is not. */
    const score: LanguageModel['score'] = (before, word) =>
      Math.log(word.reduce((a, b) => a + b, 0) % 2 === 0 ? 0.7 : 0.2) + (before.at(-1)?.join() === word.join() ? -1 : 0) - 0.01 * before.length;

    it.each([['words between boundaries', 1], ['every token a word', undefined]])('ranks by log p + alpha · Σ log p(word) + beta · words: %s', (_, boundary) => {
      const random = createRandom(`beam/words/${boundary}`);
      for (let round = 0; round < 20; round++) {
        const logProbs = randomLogProbs(random, 5, 4, 1);
        const model: LanguageModel = { score, alpha: 0.8, beta: 0.3, boundary };
        const wanted = [...enumerate(logProbs, 0)].map(([key, probability]) => {
          const words = (boundary === undefined ? key.split(' ') : key.split('1')).map((word) => word.split(' ').filter(Boolean).map(Number)).filter(({ length }) => length > 0);
          const language = words.reduce((sum, word, k) => sum + model.alpha * score(words.slice(0, k), word) + model.beta!, 0);
          return { key, value: Math.log(probability) + language };
        }).sort((a, b) => b.value - a.value);
        const found = beamSearch(logProbs, { width: 10_000, languageModel: model, count: 10 });
        found.forEach((hypothesis, k) => {
          expect(hypothesis.labels.join(' ')).toBe(wanted[k].key);
          expect(hypothesis.score).toBeCloseTo(wanted[k].value, 9);
          expect(hypothesis.logProb).toBeCloseTo(-ctcLoss(logProbs, hypothesis.labels).loss, 9);
        });
      }
    });

    it('lets the likelier word win where the recording does not decide', () => {
      const row = (...probabilities: number[]): number[] => probabilities.map(Math.log);
      const data = Float64Array.from([...row(0.02, 0.02, 0.47, 0.49), ...row(0.9, 0.06, 0.02, 0.02)]);
      const logProbs = { data, frames: 2, tokens: 4 };
      expect(beamSearch(logProbs)[0].labels).toEqual([3]);
      expect(beamSearch(logProbs, { languageModel: { score, alpha: 1, boundary: 1 } })[0].labels).toEqual([2]);
    });
  });

  it('is the algorithm as it is written down, with texts for prefixes, over long recordings and narrow beams', () => {
    const random = createRandom('beam/long');
    for (const [frames, tokens, width, scale] of [[300, 6, 5, 1.5], [120, 12, 10, 3], [200, 3, 2, 0.5]]) {
      const logProbs = randomLogProbs(random, frames, tokens, scale);
      const wanted = writtenDown(logProbs, width);
      const found = beamSearch(logProbs, { width, count: width });
      expect(found.map(({ labels }) => labels.join(' '))).toEqual(wanted.map(([key]) => key));
      found.forEach(({ logProb }, k) => expect(logProb).toBeCloseTo(wanted[k][1], 7));
    }
  });
});
