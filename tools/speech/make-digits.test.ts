import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDigits } from '../../packages/dataset-digits/src/index.ts';
import { decodeWav } from '../../packages/speech/src/index.ts';
import { findFault, measure, setLevel, trimSilence } from './make-digits.ts';
import { encodeMuLaw } from './mu-law.ts';
import { voices } from './voices.ts';

const folder = join(import.meta.dirname, '../../examples/digits');
const files = readdirSync(folder).filter((name) => name.endsWith('.wav'));

describe('the synthetic digits', () => {
  it('are ten digits by every speaker, three takes each, in at most 3 MB', () => {
    expect(new Set(voices.map(({ speaker }) => speaker)).size).toBe(voices.length);
    const wanted = voices.flatMap(({ speaker, part }) => Array.from({ length: 30 }, (_, k) => `${k % 10}_${speaker}_${{ test: 0, dev: 5, train: 8 }[part] + Math.floor(k / 10)}.wav`));
    expect(files.sort()).toEqual(wanted.sort());
    expect(files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)).toBeLessThan(3e6);
  });

  it('are heard: long enough, not clipped, at one level, and no two alike', () => {
    const contents = files.map((name) => readFileSync(join(folder, name)));
    expect(contents.flatMap((bytes, k) => findFault(measure(decodeWav(bytes, files[k]))) ?? [])).toEqual([]);
    expect(new Set(contents.map((bytes) => bytes.toString('latin1'))).size).toBe(files.length);
  });

  it('are read as a corpus whose parts share no speaker', async () => {
    const corpus = await openDigits(folder);
    expect(corpus.notes).toEqual([]);
    expect(corpus.sampleRateHz).toBe(8000);
    const speakers = corpus.splits.flatMap((split) => [...new Set(corpus.recordings(split).map(({ speaker }) => speaker))]);
    expect(speakers.sort()).toEqual(voices.map(({ speaker }) => speaker).sort());
    // Another accent does not make another voice.
    const parts = Map.groupBy(voices, ({ voice }) => voice.split('+').at(-1)!.toLowerCase());
    for (const [voice, own] of parts) expect(new Set(own.map(({ part }) => part)).size, voice).toBe(1);
  });
});

describe('encodeMuLaw', () => {
  it('keeps every value but for the step of its octave', () => {
    const samples = Float32Array.from({ length: 65_535 }, (_, k) => (k - 32_767) / 32_768);
    const { samples: decoded, sampleRateHz } = decodeWav(encodeMuLaw(samples, 8000), 'here');
    expect(sampleRateHz).toBe(8000);
    expect(decoded).toHaveLength(samples.length);
    // G.711: sixteen steps an octave over a bias of 132, of which at most half is lost; the largest code stands for 32124.
    const lost = samples.map((value, k) => Math.abs(value - decoded[k]) / ((Math.abs(value) + 132 / 32_768) / 16));
    expect(lost.slice(700, -700).reduce((most, value) => Math.max(most, value), 0)).toBeLessThan(0.51);
    expect(Math.max(...decoded.slice(-700))).toBeCloseTo(32_124 / 32_768, 5);
    expect(decoded[0]).toBe(-decoded.at(-1)!);
  });

  it('writes all samples of an odd count', () => {
    expect(decodeWav(encodeMuLaw(new Float32Array(101).fill(0.5), 8000), 'here').samples).toHaveLength(101);
  });
});

describe('a recording', () => {
  const burst = (silence: number, sound: number): Float32Array => Float32Array.from({ length: 2 * silence + sound }, (_, t) => (t >= silence && t < silence + sound ? 0.3 * Math.sin(t) : 0));

  it('loses the silence at its ends, but for 10 ms', () => {
    const { samples } = trimSilence({ samples: burst(4000, 2400), sampleRateHz: 8000 });
    expect(samples).toHaveLength(2400 + 2 * 80);
    expect(samples.slice(80, -80)).toEqual(burst(4000, 2400).slice(4000, 6400));
  });

  it('is brought to a level, or as near as its peak allows', () => {
    const audio = { samples: burst(0, 8000), sampleRateHz: 8000 };
    expect(measure(setLevel(audio, -20)).levelDb).toBeCloseTo(-20, 4);
    expect(measure(setLevel(audio, 0)).peak).toBeCloseTo(0.9, 5);
  });

  it('is refused when it is empty, too long, too soft, too loud or clipped', () => {
    const good = { seconds: 0.4, peak: 0.6, levelDb: -20 };
    expect(findFault(good)).toBeUndefined();
    for (const change of [{ seconds: 0 }, { seconds: 1 }, { peak: 1 }, { levelDb: -60 }, { levelDb: -3 }, { levelDb: Number.NaN }]) expect(findFault({ ...good, ...change })).toBeDefined();
  });
});
