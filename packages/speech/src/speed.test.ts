import { describe, expect, it } from 'vitest';
import type { Audio } from './audio.ts';
import type { Dataset } from './dataset.ts';
import { changeSpeed, perturbSpeed } from './speed.ts';

const tone = (hz: number, seconds = 1, sampleRateHz = 8000): Audio => ({ sampleRateHz, samples: Float32Array.from({ length: seconds * sampleRateHz }, (_, t) => 0.5 * Math.sin((2 * Math.PI * hz * t) / sampleRateHz)) });
/** Frequency of a tone in Hz, from where it crosses zero upwards. */
function pitch({ samples, sampleRateHz }: Audio): number {
  const rises = [...samples.keys()].filter((t) => t > 0 && samples[t - 1] < 0 && samples[t] >= 0);
  return ((rises.length - 1) * sampleRateHz) / (rises.at(-1)! - rises[0]);
}

describe('changeSpeed', () => {
  it.each([0.9, 1.1, 0.5, 2])('by %f makes a tone shorter and higher by that factor, at the same sample rate', async (factor) => {
    const changed = await changeSpeed(tone(300), factor);
    expect(changed.sampleRateHz).toBe(8000);
    expect(Math.abs(changed.samples.length - 8000 / factor)).toBeLessThanOrEqual(1);
    expect(pitch(changed) / (300 * factor)).toBeCloseTo(1, 2);
  });

  it.each([0, -1, NaN, 0.4, 3])('refuses %f', async (factor) => {
    await expect(changeSpeed(tone(300), factor)).rejects.toMatchObject({ code: 'COPPICE_CONFIG_INVALID' });
  });
});

describe('perturbSpeed', () => {
  const corpus: Dataset = {
    name: 'tones', splits: ['train'],
    utterances: async () => Array.from({ length: 30 }, (_, k) => ({ id: String(k), transcript: 'a', seconds: 1, audio: async () => tone(300) })),
  };
  const lengths = async (dataset: Dataset, epoch: number) => Promise.all((await dataset.utterances('train', epoch)).map(async (utterance) => (await utterance.audio()).samples.length));
  const speeds = [0.8, 1, 1.25];

  it('draws a speed for each utterance, the same for the same seed and epoch', async () => {
    const first = await lengths(perturbSpeed(corpus, speeds, 7), 0);
    expect(new Set(first)).toEqual(new Set([10000, 8000, 6400]));
    expect(await lengths(perturbSpeed(corpus, speeds, 7), 0)).toEqual(first);
    expect(await lengths(perturbSpeed(corpus, speeds, 7), 1)).not.toEqual(first);
    expect(await lengths(perturbSpeed(corpus, speeds, 8), 0)).not.toEqual(first);
  });

  it('says how long each will be', async () => {
    const dataset = perturbSpeed(corpus, speeds, 7);
    const seconds = (await dataset.utterances('train', 0)).map((utterance) => 8000 * utterance.seconds!);
    expect(seconds).toEqual(await lengths(dataset, 0));
  });

  it('leaves a corpus alone where the only speed is 1, and refuses none', () => {
    expect(perturbSpeed(corpus, [1], 0)).toBe(corpus);
    expect(() => perturbSpeed(corpus, [], 0)).toThrow(/no speed/);
    expect(() => perturbSpeed(corpus, [1, 9], 0)).toThrow(/speed 9/);
  });
});
