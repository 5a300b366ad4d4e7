import { createRandom } from '@coppice/core';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinDigits, type DigitString, type JoinOptions } from './join-digits.ts';
import { makeNoise } from './noise.ts';
import type { Recording } from './recordings.ts';

const sampleRateHz = 8000;

/** Recordings of one sign, so that no sample of speech is zero. */
function recordingsOf(counts: Readonly<Record<string, number>>, level = 0.1): Recording[] {
  return Object.entries(counts).flatMap(([speaker, count]) => Array.from({ length: count }, (_, index): Recording => {
    const digit = index % 10;
    const random = createRandom(`${speaker}/${index}`);
    const samples = Float32Array.from({ length: 400 + random.integer(400) }, () => level * (1 + random.uniform()));
    return {
      id: `${digit}_${speaker}_${index}`, transcript: ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'][digit],
      speaker, digit, index, sampleRateHz, seconds: samples.length / sampleRateHz, audio: async () => ({ samples, sampleRateHz }),
    };
  }));
}

const people = recordingsOf({ ada: 23, bob: 11, cy: 5 });
const plain = { noise: 'none', digitGainDb: 0, gainDb: 0 } as const;
const usesOf = (strings: readonly DigitString[]): number[] => {
  const counts = new Map<string, number>();
  for (const { parts } of strings) for (const part of parts) counts.set(part, (counts.get(part) ?? 0) + 1);
  return [...counts.values()];
};
const soundsOf = async (strings: readonly DigitString[]): Promise<Float32Array[]> => Promise.all(strings.map(async (string) => (await string.audio()).samples));

describe('joinDigits', () => {
  it('uses every recording equally often, whatever the lengths asked for', () => {
    const sizes = fc.record({ ada: fc.integer({ min: 1, max: 30 }), bob: fc.integer({ min: 1, max: 30 }) });
    const lengths = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 4 }));
    fc.assert(fc.property(sizes, lengths, fc.integer({ min: 1, max: 3 }), fc.integer(), (counts, [minDigits, more], uses, seed) => {
      const maxDigits = minDigits + more;
      const strings = joinDigits(recordingsOf(counts), { minDigits, maxDigits, uses, seed });
      const used = usesOf(strings);
      expect(used).toHaveLength(counts.ada + counts.bob);
      expect(new Set(used).size).toBe(1);
      // As often as asked, but for lengths that cannot come out even.
      expect(used[0]).toBeGreaterThanOrEqual(uses);
      if (minDigits === 1) expect(used[0]).toBe(uses);
      expect(strings.every(({ parts }) => parts.length >= minDigits && parts.length <= maxDigits)).toBe(true);
    }), { seed: 4, numRuns: 100 });
  });

  it('lets one speaker say a string, in the words of its recordings', () => {
    const byId = new Map(people.map((recording) => [recording.id, recording]));
    for (const { parts, speaker, transcript } of joinDigits(people, { seed: 1 })) {
      expect(parts.map((id) => byId.get(id)!.speaker)).toEqual(parts.map(() => speaker));
      expect(transcript).toBe(parts.map((id) => byId.get(id)!.transcript).join(' '));
    }
  });

  it('gives the same bytes for the same seed and epoch, called again or in another order', async () => {
    const draw = (options: JoinOptions = {}): DigitString[] => joinDigits(people, { seed: 3, epoch: 2, count: 20, ...options });
    const [once, again] = [draw(), draw()];
    const backwards = (await soundsOf(again.toReversed())).toReversed();
    expect(await soundsOf(once)).toEqual(backwards);
    expect(await soundsOf(once)).toEqual(backwards);
    expect(once.map(({ id }) => id)).toEqual(again.map(({ id }) => id));
    for (const other of [{ seed: 4 }, { epoch: 3 }, { name: 'else' }]) {
      const strings = draw(other);
      expect(strings.map(({ transcript }) => transcript)).not.toEqual(once.map(({ transcript }) => transcript));
      expect(strings.filter(({ id }) => once.some((string) => string.id === id))).toEqual([]);
    }
  });

  it('draws as many as asked, uses all of a speaker before any twice, and spreads over speakers as the recordings do', () => {
    const strings = joinDigits(people, { count: 3000, minDigits: 1, maxDigits: 1 });
    expect(strings).toHaveLength(3000);
    expect(new Set(strings.map(({ id }) => id)).size).toBe(3000);
    for (const speaker of ['ada', 'bob', 'cy']) {
      const own = strings.filter((string) => string.speaker === speaker);
      expect(own.length / 3000).toBeCloseTo(people.filter((recording) => recording.speaker === speaker).length / people.length, 1);
      const used = usesOf(own);
      expect(Math.max(...used) - Math.min(...used)).toBeLessThanOrEqual(1);
    }
  });

  it('leaves the pauses asked for before, between and after the digits, which are as they were recorded', async () => {
    const strings = joinDigits(people, { ...plain, minGapMs: 30, maxGapMs: 90 });
    const gaps = strings.flatMap(({ gapsMs }) => gapsMs);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(30);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(90);
    expect(Math.max(...gaps) - Math.min(...gaps)).toBeGreaterThan(50);
    const byId = new Map(people.map((recording) => [recording.id, recording]));
    for (const string of strings.slice(0, 5)) {
      const { samples } = await string.audio();
      const wanted = [...new Float32Array(Math.round(string.gapsMs[0] * 8))];
      for (const [k, id] of string.parts.entries()) wanted.push(...(await byId.get(id)!.audio()).samples, ...new Float32Array(Math.round(string.gapsMs[k + 1] * 8)));
      expect([...samples]).toEqual(wanted);
      expect(samples.length / sampleRateHz).toBeCloseTo(string.seconds, 9);
    }
  });

  it.each(['white', 'pink'] as const)('adds %s noise at the ratio asked for', async (noise) => {
    // So soft that the sum fits into [−1, 1] and nothing is scaled down.
    const soft = recordingsOf({ ada: 12 }, 0.005);
    const join = (snrDb: number): DigitString[] => joinDigits(soft, { digitGainDb: 0, gainDb: 0, noise, minSnrDb: snrDb, maxSnrDb: snrDb });
    const power = (values: Float32Array): number => values.reduce((sum, value) => sum + value * value, 0);
    for (const snrDb of [-5, 10, 30]) {
      for (const [k, string] of join(snrDb).entries()) {
        const { samples } = await string.audio();
        const clean = (await join(200)[k].audio()).samples;
        const added = power(samples.map((value, t) => value - clean[t])) / samples.length;
        // The level of the digits is 0.005–0.01 throughout, so what is over half of it is speech.
        const spoken = clean.filter((value) => value > 0.0025);
        expect(10 * Math.log10(power(spoken) / spoken.length / added)).toBeCloseTo(snrDb, 3);
        expect(string.noise).toEqual({ colour: noise, snrDb });
      }
    }
  });

  it('makes digits and strings louder and softer within the range, and never louder than full scale', async () => {
    const strings = joinDigits(people, { count: 50, digitGainDb: 4, gainDb: 20, noise: 'none' });
    const gains = strings.flatMap(({ digitGainsDb }) => digitGainsDb);
    expect(Math.max(...gains.map(Math.abs))).toBeLessThanOrEqual(4);
    expect(Math.max(...gains)).toBeGreaterThan(3);
    expect(Math.min(...gains)).toBeLessThan(-3);
    const peaks = (await soundsOf(strings)).map((samples) => samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
    expect(Math.max(...peaks)).toBeLessThanOrEqual(0.999001);
    expect(Math.max(...peaks)).toBeGreaterThan(0.99);
    expect(Math.min(...peaks)).toBeLessThan(0.05);
  });

  it.each([
    [{ minDigits: 5, maxDigits: 3 }, 'minDigits'], [{ minDigits: 0 }, 'minDigits'], [{ count: 1.5 }, 'count'], [{ minGapMs: -1 }, 'minGapMs'],
    [{ minGapMs: 400 }, 'maxGapMs'], [{ minSnrDb: 50 }, 'maxSnrDb'], [{ noise: 'brown' as never }, 'noise'], [{ gainDb: Number.NaN }, 'gainDb'],
  ])('refuses %j by the name of the option', (options, name) => {
    expect(() => joinDigits(people, options)).toThrow(expect.objectContaining({ code: 'COPPICE_ARGUMENT_INVALID', message: expect.stringContaining(name) as string }) as Error);
  });

  it('refuses recordings of several rates, and none', () => {
    const wrong = { code: 'COPPICE_DATASET_INVALID' };
    expect(() => joinDigits([])).toThrow(expect.objectContaining(wrong) as Error);
    expect(() => joinDigits([people[0], { ...people[1], sampleRateHz: 16_000 }])).toThrow(expect.objectContaining({ ...wrong, message: expect.stringContaining('16000') as string }) as Error);
  });
});

describe('makeNoise', () => {
  it('has power 1', () => {
    for (const colour of ['white', 'pink'] as const) {
      const noise = makeNoise(colour, 400_000, createRandom(1));
      expect(noise.reduce((sum, value) => sum + value * value, 0) / noise.length).toBeCloseTo(1, 1);
    }
  });

  it('is equally strong at all frequencies when white, and falls by 3 dB an octave when pink', () => {
    // Power in dB at a frequency, by the definition of the Fourier sum, averaged over pieces.
    const powerDb = (noise: Float64Array, cycles: number): number => {
      let sum = 0;
      for (let start = 0; start + 512 <= noise.length; start += 512) {
        let [re, im] = [0, 0];
        for (let t = 0; t < 512; t++) {
          const window = Math.sin((Math.PI * t) / 512) ** 2;
          re += window * noise[start + t] * Math.cos((2 * Math.PI * cycles * t) / 512);
          im += window * noise[start + t] * Math.sin((2 * Math.PI * cycles * t) / 512);
        }
        sum += re * re + im * im;
      }
      return 10 * Math.log10(sum);
    };
    const bins = [4, 8, 16, 32, 64, 128];
    const slope = (colour: 'white' | 'pink'): number[] => {
      const noise = makeNoise(colour, 512 * 600, createRandom(2));
      return bins.map((bin) => powerDb(noise, bin)).map((db, k, all) => db - (all[k - 1] ?? Number.NaN)).slice(1);
    };
    for (const step of slope('white')) expect(Math.abs(step)).toBeLessThan(0.6);
    for (const step of slope('pink')) expect(Math.abs(step + 3)).toBeLessThan(1);
  });
});
