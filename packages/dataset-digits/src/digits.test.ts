import { tokens } from '@coppice/core';
import type { DatasetFormat } from '@coppice/speech';
import { describeDataset } from '@coppice/testkit';
import * as fc from 'fast-check';
import { Container } from 'inversify';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeWav } from '../../speech/src/testing/wav-writer.ts';
import { digits, digitsModule, openDigits, splitRecordings, type DigitString, type Recording } from './index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coppice-digits-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** PCM of 16 bits: the 44 bytes of a header and the samples. */
const pcm16 = (samples: readonly number[], sampleRateHz = 8000, channels = 1): Buffer => writeWav(samples, { sampleRateHz, channels });

/** A tone of 440 Hz. */
const tone = (samples: number, hz = 8000): number[] => Array.from({ length: samples }, (_, t) => Math.round(8000 * Math.sin((2 * Math.PI * 440 * t) / hz)));

/** Two digits by each speaker, with the indices given. */
function writeCorpus(at: string, speakers: readonly string[], indices: readonly number[]): void {
  mkdirSync(at, { recursive: true });
  for (const speaker of speakers) for (const digit of [3, 7]) for (const index of indices) writeFileSync(join(at, `${digit}_${speaker}_${index}.wav`), pcm16(tone(200 + 10 * index)));
}

/** An error with that code whose message has all those parts. */
function refused(code: string, ...parts: string[]): Error {
  const pattern = parts.map((part) => `(?=[^]*${part.replace(/[{}.]/g, '\\$&')})`).join('');
  return expect.objectContaining({ code, message: expect.stringMatching(new RegExp(pattern)) as string }) as Error;
}

describe('splitRecordings', () => {
  it('puts every recording into one part, and a speaker who is held out into no other', () => {
    const recording = fc.record({ speaker: fc.constantFrom('ada', 'bob', 'cy'), index: fc.nat(60), digit: fc.nat(9) });
    fc.assert(fc.property(fc.array(recording), fc.uniqueArray(fc.constantFrom<string>('ada', 'bob', 'cy')), (drawn, wanted) => {
      const recordings = drawn as unknown as Recording[];
      const heldOut = wanted.filter((name) => recordings.some(({ speaker }) => speaker === name));
      const splits = splitRecordings(recordings, heldOut);
      expect(new Set([...splits.values()].flat())).toEqual(new Set(recordings));
      expect([...splits.values()].flat()).toHaveLength(recordings.length);
      for (const [name, own] of splits) {
        for (const { speaker, index } of own) {
          expect(heldOut.includes(speaker)).toBe(name === 'heldOut');
          if (name !== 'heldOut') expect(name).toBe(index < 5 ? 'test' : index < 8 ? 'dev' : 'train');
        }
      }
    }), { seed: 4, numRuns: 200 });
  });
});

describe('openDigits', () => {
  it('reads a folder as it is published, also from the root of its repository', async () => {
    writeCorpus(join(folder, 'recordings'), ['ada'], [0, 5, 10, 9]);
    writeFileSync(join(folder, 'README.md'), '');
    for (const path of [folder, join(folder, 'recordings')]) {
      const corpus = await openDigits(path);
      expect(corpus).toMatchObject({ name: 'digits', splits: ['train', 'dev', 'test'], sampleRateHz: 8000, skipped: [], notes: [] });
      const train = await corpus.utterances('train');
      expect(train.map(({ id, transcript, speaker, seconds }) => [id, transcript, speaker, seconds])).toEqual([
        ['3_ada_9', 'three', 'ada', 290 / 8000], ['3_ada_10', 'three', 'ada', 300 / 8000],
        ['7_ada_9', 'seven', 'ada', 290 / 8000], ['7_ada_10', 'seven', 'ada', 300 / 8000],
      ]);
      expect([...(await train[0].audio()).samples]).toEqual(tone(290).map((value) => value / 32768 + 0));
    }
  });

  it('gives samples that the caller may change', async () => {
    writeCorpus(folder, ['ada'], [9]);
    const [utterance] = await (await openDigits(folder)).utterances('train');
    const before = (await utterance.audio()).samples;
    const kept = before.slice();
    before.fill(1);
    expect((await utterance.audio()).samples).toEqual(kept);
  });

  it('draws strings of train anew for each epoch and seed, and those of the other parts never', async () => {
    writeCorpus(folder, ['ada', 'bob'], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    const drawn = async (split: string, seed: number, epoch: number): Promise<string[]> => {
      const corpus = await openDigits(folder, { strings: true, heldOut: ['bob'], seed, count: 12 });
      return ((await corpus.utterances(split, epoch)) as readonly DigitString[]).map(({ parts }) => parts.join(' '));
    };
    expect(await drawn('train', 1, 0)).toHaveLength(12);
    expect(await drawn('train', 1, 0)).toEqual(await drawn('train', 1, 0));
    expect(await drawn('train', 1, 1)).not.toEqual(await drawn('train', 1, 0));
    expect(await drawn('train', 2, 0)).not.toEqual(await drawn('train', 1, 0));
    for (const [split, recordings] of [['test', 10], ['dev', 6], ['heldOut', 24]] as const) {
      const fixed = await drawn(split, 1, 0);
      expect(await drawn(split, 2, 3)).toEqual(fixed);
      const used = fixed.flatMap((parts) => parts.split(' '));
      expect(used).toHaveLength(recordings);
      expect(new Set(used).size).toBe(recordings);
      for (const id of used) expect(id.includes('bob')).toBe(split === 'heldOut');
    }
  });

  it('skips a small share of broken recordings and says which, and refuses more', async () => {
    writeCorpus(folder, ['ada', 'bob'], Array.from({ length: 50 }, (_, k) => k));
    writeFileSync(join(folder, '._3_ada_1.wav'), 'hidden files are none');
    writeFileSync(join(folder, '0_bad_1.wav'), 'not a recording');
    writeFileSync(join(folder, '1_silent_8.wav'), pcm16(tone(200).fill(0)));
    const corpus = await openDigits(folder);
    expect(corpus.skipped.map(({ file }) => file)).toEqual(['0_bad_1.wav', '1_silent_8.wav']);
    expect(corpus.notes).toEqual([expect.stringContaining('0_bad_1.wav'), expect.stringMatching(/1_silent_8.wav.*silent/)]);
    expect((await Promise.all(corpus.splits.map((split) => corpus.utterances(split)))).flat()).toHaveLength(200);
    writeFileSync(join(folder, 'three.wav'), pcm16(tone(200)));
    await expect(openDigits(folder)).rejects.toThrow(refused('COPPICE_DATASET_INVALID', '3 of 203', '1 %', '0_bad_1.wav', 'three.wav'));
    expect((await openDigits(folder, { maxBrokenShare: 0.02 })).skipped).toHaveLength(3);
  });

  it('resamples to the rate that most recordings have, and says so', async () => {
    writeCorpus(folder, ['ada'], [8, 9]);
    writeFileSync(join(folder, '5_ada_8.wav'), pcm16(tone(1600, 16_000), 16_000));
    const corpus = await openDigits(folder);
    expect(corpus.notes).toEqual(['Resampled 1 of 5 recordings from 16000 to 8000 Hz.']);
    const audio = await (await corpus.utterances('train')).find(({ transcript }) => transcript === 'five')!.audio();
    expect(audio.sampleRateHz).toBe(8000);
    expect(Math.abs(audio.samples.length - 800)).toBeLessThanOrEqual(1);
    expect(audio.samples).toHaveLength(Math.round(8000 * (await corpus.utterances('train')).find(({ transcript }) => transcript === 'five')!.seconds!));
    // Ends aside, where any filter of a resampler swings in.
    const wanted = tone(800);
    for (let t = 100; t < 700; t++) expect(audio.samples[t]).toBeCloseTo(wanted[t] / 32768, 1);
    expect((await (await openDigits(folder, { sampleRateHz: 16_000 })).utterances('train')).length).toBe(5);
  });

  it('says that channels were joined, and not of each file when they are many', async () => {
    writeCorpus(folder, ['ada'], [8, 9]);
    for (const index of [10, 11]) writeFileSync(join(folder, `5_ada_${index}.wav`), pcm16(tone(400), 8000, 2));
    expect((await openDigits(folder)).notes).toEqual([expect.stringMatching(/5_ada_10.*2 channels/), expect.stringMatching(/5_ada_11.*2 channels/)]);
    for (let index = 12; index < 40; index++) writeFileSync(join(folder, `5_ada_${index}.wav`), pcm16(tone(400), 8000, 2));
    const { notes } = await openDigits(folder);
    expect(notes).toHaveLength(6);
    expect(notes.at(-1)).toContain('25 more');
  });

  it('says what it expected and what it found', async () => {
    await expect(openDigits(join(folder, 'missing'))).rejects.toThrow(refused('COPPICE_DATASET_INVALID', '{digit}_{speaker}_{index}.wav', 'There is no'));
    await expect(openDigits(folder)).rejects.toThrow(refused('COPPICE_DATASET_INVALID', 'is empty'));
    writeFileSync(join(folder, 'speech.flac'), '');
    await expect(openDigits(folder)).rejects.toThrow(refused('COPPICE_DATASET_INVALID', '{digit}_{speaker}_{index}.wav', 'speech.flac'));
    await expect(openDigits(join(folder, 'speech.flac'))).rejects.toThrow(refused('COPPICE_DATASET_INVALID', 'is a file'));
  });

  it('refuses a speaker or part that there is not, and names those that there are', async () => {
    writeCorpus(folder, ['ada', 'bob'], [0, 9]);
    await expect(openDigits(folder, { heldOut: ['cy'] })).rejects.toThrow(refused('COPPICE_DATASET_INVALID', "'cy'", 'ada, bob'));
    await expect((await openDigits(folder)).utterances('dev')).rejects.toThrow(refused('COPPICE_DATASET_INVALID', "'dev'", 'train, test'));
  });
});

describe('digits', () => {
  it('is bound under its name', () => {
    const container = new Container();
    container.load(digitsModule);
    expect(container.get<DatasetFormat>(tokens.Dataset, { name: 'digits' })).toBe(digits);
  });

  it('takes options as a command line gives them', async () => {
    writeCorpus(folder, ['ada', 'bob', 'cy'], [0, 9, 10]);
    const corpus = await digits.open(folder, { heldOut: 'ada, bob', strings: 'true', count: '4', minDigits: 2, maxDigits: '2', noise: 'none' });
    expect(corpus.splits).toEqual(['train', 'test', 'heldOut']);
    expect((await corpus.utterances('train')).map(({ transcript }) => transcript.split(' ').length)).toEqual([2, 2, 2, 2]);
  });

  it.each<[Record<string, string | number>, string, string]>([
    [{ held: 'ada' }, "'held'", 'heldOut'], [{ count: 'many' }, "'count'", "'many'"], [{ strings: 'maybe' }, "'strings'", 'maybe'],
    [{ strings: 1, minDigits: 9 }, 'minDigits', 'maxDigits'], [{ maxBrokenShare: 3 }, 'maxBrokenShare', '3'],
  ])('refuses %j when it is opened', async (options, ...parts) => {
    writeCorpus(folder, ['ada'], [0, 9]);
    await expect(digits.open(folder, options)).rejects.toThrow(refused('COPPICE_ARGUMENT_INVALID', ...parts));
  });
});

const kept = mkdtempSync(join(tmpdir(), 'coppice-digits-suite-'));
afterAll(() => rmSync(kept, { recursive: true }));
writeCorpus(kept, ['ada', 'bob', 'cy'], [0, 1, 5, 8, 9]);
describeDataset('digits', () => openDigits(kept, { heldOut: ['cy'] }), { disjointSpeakers: ['train', 'heldOut'], heldBytes: 1e6 });
describeDataset('digits in strings', () => openDigits(kept, { strings: true, seed: 3 }), { drawnAnew: ['train'], heldBytes: 1e6 });

const shared = join(import.meta.dirname, '../../../../shared/data/fsdd');

describe.skipIf(!existsSync(shared))('the real corpus', () => {
  it('is read whole, and split as the names of its files say', async () => {
    const corpus = await openDigits(shared, { heldOut: ['theo'] });
    expect(corpus.notes).toEqual([]);
    const files = readdirSync(shared).filter((name) => name.endsWith('.wav'));
    const wanted = { train: /_(?!theo)[a-z]+_([89]|[1-4]\d)\./, dev: /_(?!theo)[a-z]+_[5-7]\./, test: /_(?!theo)[a-z]+_[0-4]\./, heldOut: /_theo_/ };
    for (const [split, pattern] of Object.entries(wanted)) {
      const found = corpus.recordings(split).map(({ id }) => `${id}.wav`);
      expect(found.sort()).toEqual(files.filter((name) => pattern.test(name)).sort());
    }
    expect(corpus.splits.flatMap((split) => corpus.recordings(split))).toHaveLength(files.length);
  });

  it('gives strings that are as long as they say, and neither clipped nor silent', async () => {
    const corpus = await openDigits(shared, { strings: true });
    const test = await corpus.utterances('test');
    expect(test.flatMap(({ transcript }) => transcript.split(' '))).toHaveLength(corpus.recordings('test').length);
    for (const utterance of test) {
      const { samples, sampleRateHz } = await utterance.audio();
      expect(samples.length / sampleRateHz).toBeCloseTo(utterance.seconds!, 9);
      const peak = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(peak).toBeGreaterThan(0.001);
      expect(peak).toBeLessThan(1);
    }
  });
});
