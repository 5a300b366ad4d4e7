import { existsSync, globSync, readFileSync } from 'node:fs';
import { createRandom } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { makeBatch, makeBatches, type Batch } from './batches.ts';
import type { Utterance } from './dataset.ts';
import { describeReferenceModel, type SpeechDescription } from './description.ts';
import { defaultFeatures } from './features/index.ts';
import { layOutFeatures } from './input-layout.ts';
import { type Example, prepareUtterances } from './prepare.ts';
import { buildReferenceModel } from './reference-model.ts';
import { specAugmentPolicies } from './spec-augment.ts';
import { tokenizerOf } from './tokenizer.ts';
import { decodeWav } from './wav.ts';

const words = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
const description: SpeechDescription = describeReferenceModel(
  buildReferenceModel({ mels: 8, channels: [2], hidden: 2, layers: 1, tokens: 11 }),
  { features: defaultFeatures({ sampleRateHz: 8000, mels: 8 }), tokenizer: tokenizerOf('words', words) },
);
const random = createRandom('batches');
const example = (id: string, frames: number, labels: number[]): Example =>
  ({ id, frames, features: Float32Array.from({ length: frames * 8 }, () => 1 + random.uniform()), labels: Int32Array.from(labels), transcript: '' });
const examples = Array.from({ length: 103 }, (_, k) => example(`e${k}`, 1 + random.integer(90), Array.from({ length: random.integer(5) }, () => 1 + random.integer(10))));
const all = (options: Partial<Parameters<typeof makeBatches>[1]> = {}): Batch[] => {
  const batches = makeBatches(examples, { description, batchSize: 8, seed: 1, epoch: 0, ...options });
  return Array.from({ length: batches.count }, (_, k) => batches.batch(k));
};
const numbers = ({ tensors }: Batch, name: string): number[] => Array.from(tensors[name].data as BigInt64Array, Number);

describe('makeBatches', () => {
  it('gives every example once, with its features, labels and lengths, and zeros around them', () => {
    const seen: string[] = [];
    for (const batch of all()) {
      const { dims, data } = batch.tensors['features'];
      const [targets, lengths, frames] = [numbers(batch, 'targets'), numbers(batch, 'target_lengths'), numbers(batch, 'input_lengths')];
      expect(dims).toEqual([batch.examples.length, Math.max(...batch.examples.map((each) => each.frames)), 8]);
      const columns = targets.length / batch.examples.length;
      for (const [item, each] of batch.examples.entries()) {
        seen.push(each.id);
        const own = (data as Float32Array).subarray(item * dims[1] * 8, (item + 1) * dims[1] * 8);
        expect(own.subarray(0, each.features.length)).toEqual(each.features);
        expect(own.subarray(each.features.length).every((value) => value === 0)).toBe(true);
        expect(targets.slice(item * columns, (item + 1) * columns)).toEqual([...each.labels, ...new Uint8Array(columns - each.labels.length)]);
        expect(lengths[item]).toBe(each.labels.length);
        expect(frames[item]).toBe(Math.ceil(each.frames / 2));
      }
      expect(batch.inputLengths).toEqual(frames);
    }
    expect(seen.toSorted()).toEqual(examples.map(({ id }) => id).sort());
  });

  it('keeps the order and the masks for the same seed and epoch, also from the middle on, and changes them otherwise', () => {
    const augment = specAugmentPolicies.small;
    const ids = (batches: Batch[]): string => batches.map((batch) => batch.examples.map(({ id }) => id).join(' ')).join('\n');
    const first = all({ augment });
    expect(makeBatches(examples, { description, batchSize: 8, seed: 1, epoch: 0, augment }).batch(7).tensors).toEqual(first[7].tensors);
    expect(ids(all({ epoch: 1 }))).not.toBe(ids(first));
    expect(ids(all({ seed: 2 }))).not.toBe(ids(first));
    const [plain, masked] = [all()[7], first[7]].map((batch) => batch.tensors['features'].data as Float32Array);
    expect(masked).not.toEqual(plain);
    expect(masked.every((value, k) => value === plain[k] || value === 0)).toBe(true);
    expect(examples.every(({ features }) => features.every((value) => value >= 1))).toBe(true);
  });

  it('pads less the more batches are sorted together, and tells how much', () => {
    const share = (pool: number | 'in-order'): number => makeBatches(examples, { description, batchSize: 8, seed: 1, epoch: 0, pool }).paddingShare;
    expect(share(1)).toBeGreaterThan(share(4));
    expect(share(4)).toBeGreaterThan(share(100));
    expect(share(100)).toBeCloseTo(share('in-order'), 10);
    const [real, padded] = all({ pool: 4 }).reduce(([a, b], batch) => [a + batch.examples.reduce((sum, each) => sum + each.frames, 0), b + batch.tensors['features'].dims[0] * batch.tensors['features'].dims[1]], [0, 0]);
    expect(share(4)).toBeCloseTo(1 - real / padded, 12);
  });

  it.each([
    // Seconds as in LibriSpeech's training parts: most utterances were cut at 12 to 16 s (Panayotov et al. 2015).
    ['training', (draw: typeof random) => (draw.uniform() < 0.68 ? 14.8 + draw.normal() : 2 + 13.5 * draw.uniform()), undefined],
    // And as in its development and test parts, which are evaluated in order of length.
    ['evaluation', (draw: typeof random) => Math.exp(Math.log(5.9) + 0.62 * draw.normal()), 'in-order'],
  ] as const)('pads less than a tenth of a LibriSpeech of %s', (_, seconds, pool) => {
    const draw = createRandom('lengths');
    const narrow = { ...description, features: defaultFeatures({ sampleRateHz: 8000, mels: 1 }) };
    const corpus = Array.from({ length: 2800 }, (_, k): Example => {
      const frames = Math.round(100 * Math.min(35, Math.max(1.3, seconds(draw))));
      return { id: `u${k}`, frames, features: new Float32Array(frames), labels: new Int32Array(1), transcript: '' };
    });
    expect(makeBatches(corpus, { description: narrow, batchSize: 16, seed: 0, epoch: 0, ...(pool === undefined ? {} : { pool }) }).paddingShare).toBeLessThan(0.1);
  });

  it('refuses sizes that are none, batches that there are not, and features of another width', () => {
    expect(() => all({ batchSize: 0 })).toThrow(/batchSize is 0/);
    expect(() => all({ pool: 0.5 })).toThrow(/pool is 0.5/);
    expect(() => makeBatches(examples, { description, batchSize: 8, seed: 1, epoch: 0 }).batch(13)).toThrow(RangeError);
    expect(() => all({ description: { ...description, features: defaultFeatures() } })).toThrow(expect.objectContaining({ code: 'COPPICE_DESCRIPTION_INVALID' }));
    expect(makeBatches([], { description, batchSize: 8, seed: 1, epoch: 0 })).toMatchObject({ count: 0, paddingShare: 0 });
  });

  it('gives a batch of silence one column of targets', () => {
    const { tensors } = makeBatch([example('silent', 3, [])], description);
    expect([tensors['targets'].dims, numbers({ tensors } as Batch, 'target_lengths')]).toEqual([[1, 1], [0]]);
  });
});

describe('layOutFeatures', () => {
  it('puts every number where the axes say', () => {
    const [batch, time, feature] = [2, 3, 4];
    const data = Float32Array.from({ length: 24 }, (_, k) => k);
    for (const [axes, dims, at] of [
      ['batch time feature', [2, 3, 4], (b: number, t: number, f: number) => b * 12 + t * 4 + f], ['batch feature time', [2, 4, 3], (b: number, t: number, f: number) => b * 12 + f * 3 + t],
      ['time batch feature', [3, 2, 4], (b: number, t: number, f: number) => t * 8 + b * 4 + f], ['batch 1 feature time', [2, 1, 4, 3], (b: number, t: number, f: number) => b * 12 + f * 3 + t],
      ['batch 1 time feature', [2, 1, 3, 4], (b: number, t: number, f: number) => b * 12 + t * 4 + f], ['feature time 1 batch 1', [4, 3, 1, 2, 1], (b: number, t: number, f: number) => f * 6 + t * 2 + b],
    ] as const) {
      const laid = layOutFeatures(data, { batch, time, feature }, axes);
      expect(laid.dims).toEqual(dims);
      for (let b = 0; b < 2; b++) for (let t = 0; t < 3; t++) for (let f = 0; f < 4; f++) expect((laid.data as Float32Array)[at(b, t, f)]).toBe(data[b * 12 + t * 4 + f]);
    }
    for (const axes of ['', 'batch time', 'batch time feature 2', 'batch time feature time']) expect(() => layOutFeatures(data, { batch, time, feature }, axes)).toThrow(/not understood/);
  });
});

describe('prepareUtterances', () => {
  const tone = (samples: number, sampleRateHz = 8000) => async () => ({ samples: Float32Array.from({ length: samples }, (_, n) => 0.3 * Math.sin(n * (n % 7))), sampleRateHz });
  const utterances: Utterance[] = [
    { id: 'good', transcript: 'one two', speaker: 'a', audio: tone(4000) },
    { id: 'fast', transcript: 'one', audio: tone(8000, 16000) },
    { id: 'short', transcript: 'one', audio: tone(100) },
    { id: 'broken', transcript: 'one', audio: () => Promise.reject(new CoppiceError('COPPICE_AUDIO_INVALID', 'broken.wav is cut off.')) },
    { id: 'foreign', transcript: 'one eleven', audio: tone(4000) },
    // 280 samples are 4 frames of features, 2 of the output; two equal words need 3.
    { id: 'full', transcript: 'one one', audio: tone(280) },
    { id: 'fits', transcript: 'one two', audio: tone(280) },
  ];

  it.each([1, 3, 50])('skips what cannot be learnt from, and says why, with %i at a time', async (ahead) => {
    const { examples: kept, skipped, resampled } = await prepareUtterances(utterances, { description, purpose: 'training', ahead });
    expect(kept.map(({ id, frames, labels }) => [id, frames, [...labels]])).toEqual([['good', 51, [2, 3]], ['fast', 51, [2]], ['fits', 4, [2, 3]]]);
    expect(kept[0]).toMatchObject({ transcript: 'one two', speaker: 'a' });
    expect(resampled).toBe(1);
    expect(skipped.map(({ id }) => id)).toEqual(['short', 'broken', 'foreign', 'full']);
    expect(skipped.map(({ reason }) => reason).join('\n')).toMatch(/100 samples.*\n.*cut off.*\n'eleven', word 2.*\nIts 2 labels need 3 frames of the output, and it has 2/);
  });

  it('leaves out of an evaluation only what cannot be heard', async () => {
    const steps: number[] = [];
    const { examples: kept, skipped } = await prepareUtterances(utterances, { description, purpose: 'evaluation', onProgress: (done) => steps.push(done) });
    expect(kept.map(({ id }) => id)).toEqual(['good', 'fast', 'foreign', 'full', 'fits']);
    expect(skipped.map(({ id }) => id)).toEqual(['short', 'broken']);
    expect(steps).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('passes on faults that are not of the recording', async () => {
    const lost: Utterance = { id: 'x', transcript: 'one', audio: () => Promise.reject(new TypeError('a bug')) };
    await expect(prepareUtterances([lost], { description, purpose: 'training' })).rejects.toThrow(TypeError);
  });

  it('reads phones for a model of phones, and writes them as its alphabet does', async () => {
    const phones = { ...description, tokenizer: 'phones', tokens: ['<blank>', 'W', 'AH', 'N'] } as const;
    const { examples: kept, skipped } = await prepareUtterances([{ id: 'a', transcript: 'one', phones: ['W_B', 'AH1_I', 'N_E'], audio: tone(4000) }, { id: 'b', transcript: 'one', audio: tone(4000) }], { description: phones, purpose: 'training' });
    expect(kept.map(({ labels, transcript }) => [[...labels], transcript])).toEqual([[[1, 2, 3], 'W AH N']]);
    expect(skipped[0].reason).toMatch(/has no phones/);
  });

  const recordings = new URL('../../../../shared/data/fsdd/', import.meta.url).pathname;
  it.skipIf(!existsSync(recordings))('prepares recordings of the Free Spoken Digit Dataset', async () => {
    const files = globSync('*_1?.wav', { cwd: recordings }).sort();
    const { examples: kept, skipped } = await prepareUtterances(files.map((file): Utterance => ({ id: file, transcript: words[Number(file[0])], audio: async () => decodeWav(readFileSync(recordings + file), file) })), { description, purpose: 'training' });
    expect([kept.length, skipped]).toEqual([files.length, []]);
    expect(kept.every(({ features }) => features.every(Number.isFinite))).toBe(true);
    expect(makeBatches(kept, { description, batchSize: 16, seed: 0, epoch: 0 }).paddingShare).toBeLessThan(0.15);
  });
});
