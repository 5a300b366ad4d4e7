import { createRandom } from '@coppice/core';
import { describe, expect, it } from 'vitest';
import { bootstrapInterval, compareSystems } from './significance.ts';

type Counted = { errors: number; length: number };

/** Utterances of 3 to 12 words, each wrong with a probability of its own around `rate`, as some speakers are harder than others. */
function simulate(seed: string, count: number, rate: number): Counted[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => {
    const length = 3 + random.integer(10);
    const own = rate * 2 * random.uniform();
    return { length, errors: Array.from({ length }, () => random.uniform() < own).filter(Boolean).length };
  });
}

describe('bootstrapInterval', () => {
  it('holds the true rate as often as it says', () => {
    for (const level of [0.8, 0.95]) {
      let held = 0;
      for (let corpus = 0; corpus < 400; corpus++) {
        const { low, high } = bootstrapInterval(simulate(`coverage/${corpus}`, 80, 0.15), { samples: 300, seed: corpus, level });
        if (low <= 0.15 && 0.15 <= high) held++;
      }
      // 400 corpora: a standard error of 0.01 to 0.02, and the bootstrap of 80 utterances is a little too narrow.
      expect(Math.abs(held / 400 - level)).toBeLessThan(0.05);
    }
  });

  it('has the width of the normal approximation for a large corpus', () => {
    const corpus = simulate('normal', 2000, 0.2);
    const length = corpus.reduce((sum, utterance) => sum + utterance.length, 0);
    const rate = corpus.reduce((sum, { errors }) => sum + errors, 0) / length;
    const deviation = Math.sqrt(corpus.reduce((sum, utterance) => sum + (utterance.errors - rate * utterance.length) ** 2, 0)) / length;
    const { low, high } = bootstrapInterval(corpus, { samples: 4000 });
    expect((high - low) / (2 * 1.96 * deviation)).toBeCloseTo(1, 1);
    expect((high + low) / 2).toBeCloseTo(rate, 2);
  });

  it('is the same for the same seed and another for another', () => {
    const corpus = simulate('seed', 50, 0.2);
    const [a, b, c] = [1, 1, 2].map((seed) => bootstrapInterval(corpus, { seed, samples: 200 }));
    expect(a).toEqual(b);
    expect(a).not.toEqual(c);
  });

  it('is a point where nothing can vary, and refuses nothing to draw from', () => {
    expect(bootstrapInterval([{ errors: 1, length: 4 }], { samples: 50 })).toEqual({ low: 0.25, high: 0.25, level: 0.95 });
    expect(bootstrapInterval([{ errors: 0, length: 0 }], { samples: 50 })).toEqual({ low: 0, high: 0, level: 0.95 });
    expect(bootstrapInterval([{ errors: 1, length: 0 }], { samples: 50 })).toEqual({ low: Infinity, high: Infinity, level: 0.95 });
    const invalid = expect.objectContaining({ code: 'COPPICE_CONFIG_INVALID' });
    expect(() => bootstrapInterval([])).toThrow(invalid);
    expect(() => bootstrapInterval([{ errors: 0, length: 1 }], { level: 1 })).toThrow(invalid);
    expect(() => bootstrapInterval([{ errors: 0, length: 1 }], { samples: 0 })).toThrow(invalid);
  });
});

describe('compareSystems', () => {
  it('finds no difference between a system and itself', () => {
    const corpus = simulate('same', 60, 0.2);
    expect(compareSystems(corpus, corpus, { samples: 500 })).toEqual({
      difference: 0, interval: { low: 0, high: 0, level: 0.95 }, probabilityOfImprovement: 0.5, pValue: 1,
    });
  });

  it('says the same the other way round', () => {
    const [a, b] = [simulate('way', 80, 0.2), simulate('way', 80, 0.24)];
    const [there, back] = [compareSystems(a, b, { samples: 1000 }), compareSystems(b, a, { samples: 1000 })];
    expect(back.difference).toBe(-there.difference);
    expect(back.pValue).toBe(there.pValue);
    expect(back.interval.low).toBeCloseTo(-there.interval.high, 10);
    expect(back.probabilityOfImprovement).toBeCloseTo(1 - there.probabilityOfImprovement, 10);
  });

  it('has the p-value of the exact test over all exchanges', () => {
    const first = [0, 1, 2, 0, 3, 1, 0, 2, 1, 0].map((errors) => ({ errors, length: 6 }));
    const second = [1, 1, 4, 0, 3, 2, 2, 3, 0, 1].map((errors) => ({ errors, length: 6 }));
    const differences = first.map(({ errors }, k) => second[k].errors - errors);
    const total = Math.abs(differences.reduce((a, b) => a + b));
    let asMuch = 0;
    for (let code = 0; code < 1024; code++) if (Math.abs(differences.reduce((sum, d, k) => sum + (code & (1 << k) ? d : -d), 0)) >= total) asMuch++;
    const { pValue, difference } = compareSystems(first, second, { samples: 20_000 });
    expect(pValue).toBeCloseTo(asMuch / 1024, 1);
    expect(Math.abs(pValue - asMuch / 1024)).toBeLessThan(0.012);
    expect(difference).toBeCloseTo(7 / 60, 12);
  });

  it('rejects equally good systems as rarely as it says, and sees a real difference', () => {
    let rejected = 0;
    for (let pair = 0; pair < 300; pair++) {
      const lengths = simulate(`null/${pair}`, 50, 0.2);
      const noise = createRandom(`noise/${pair}`);
      const again = lengths.map(({ length }) => ({ length, errors: Array.from({ length }, () => noise.uniform() < 0.2).filter(Boolean).length }));
      const other = lengths.map(({ length }) => ({ length, errors: Array.from({ length }, () => noise.uniform() < 0.2).filter(Boolean).length }));
      if (compareSystems(again, other, { samples: 199, seed: pair }).pValue <= 0.05) rejected++;
    }
    expect(rejected / 300).toBeLessThan(0.09);
    expect(rejected).toBeGreaterThan(2);
    const good = simulate('better', 200, 0.1);
    const worse = good.map(({ errors, length }, k) => ({ length, errors: errors + (k % 4 === 0 ? 1 : 0) }));
    const { pValue, interval, probabilityOfImprovement } = compareSystems(good, worse, { samples: 1000 });
    expect(pValue).toBe(1 / 1001);
    expect(interval.low).toBeGreaterThan(0);
    expect(probabilityOfImprovement).toBe(0);
  });

  it('refuses systems that were not evaluated on the same utterances', () => {
    const corpus = simulate('refuse', 5, 0.2);
    for (const other of [corpus.slice(1), corpus.slice(0, 4), [...corpus, corpus[0]], corpus.map(({ errors, length }) => ({ errors, length: length + 1 }))]) {
      expect(() => compareSystems(corpus, other)).toThrow(expect.objectContaining({ code: 'COPPICE_CONFIG_INVALID' }));
    }
  });
});
