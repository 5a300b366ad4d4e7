import { wasmBackend } from '@coppice/backend-onnx';
import type { Dataset, Utterance } from '@coppice/speech';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RunDirectory } from '../run/run-directory.ts';
import { newFolder, removeFolders } from '../testing/command-line.ts';
import { digitTone, silentTerminal } from '../testing/speech.ts';
import { fitRecogniser, newRecogniser } from './train-recogniser.ts';
import type { TuneSettings } from './tune.ts';

afterAll(removeFolders);

const spoken = (transcripts: readonly string[], sampleRateHz = 8000): Utterance[] => transcripts.map((transcript, k) => ({ id: `u${k}`, transcript, audio: async () => ({ samples: digitTone(k, k), sampleRateHz }) }));
const corpus = (parts: Readonly<Record<string, Utterance[]>>): Dataset => ({ name: 'some', splits: Object.keys(parts), utterances: async (split) => parts[split] ?? [] });
const sizes = { mels: 8, channels: [4, 4], hidden: 4, layers: 1 };
const settings: TuneSettings = { steps: 2, peak: 0.01, batchSize: 2, weightDecay: 0, clipNorm: 5, distillation: 0, augment: 'none', speeds: [1], evaluateEvery: 1, patience: 0 };

describe('newRecogniser', () => {
  it('takes the sample rate of the recordings and the alphabet of the transcripts', async () => {
    const dataset = corpus({ train: spoken(['on', 'no', 'noon'], 16000) });
    const { description: characters } = await newRecogniser({ dataset, split: 'train', tokens: 'characters', sizes });
    expect(characters).toMatchObject({ tokenizer: 'characters', features: { sampleRateHz: 16000, mels: 8 }, blank: 0 });
    expect(characters.tokens.slice(1).toSorted()).toEqual(expect.arrayContaining(['n', 'o']));
    const { description: words, model } = await newRecogniser({ dataset, split: 'train', tokens: 'words', sizes });
    expect(words.tokens.slice(1).toSorted()).toEqual(['no', 'noon', 'on']);
    expect(model.proto.graph!.output[0].type!.value.case).toBe('tensorType');
    expect((await newRecogniser({ dataset, split: 'train', tokens: 'phones', sizes })).description.tokens).toHaveLength(40);
  });

  it("reads Kaldi's filter banks where it is told to, each band normalised over the clip", async () => {
    const dataset = corpus({ train: spoken(['on', 'no']) });
    const { description: { features } } = await newRecogniser({ dataset, split: 'train', tokens: 'words', sizes, features: 'kaldi' });
    expect(features).toMatchObject({ type: 'fbank', window: 'povey', framing: 'snip-edges', sampleRateHz: 8000, mels: 8, normalisation: { type: 'utterance' } });
    const { mels: _, ...rest } = sizes;
    expect((await newRecogniser({ dataset, split: 'train', tokens: 'words', sizes: rest, features: 'kaldi' })).description.features.mels).toBe(40);
  });

  it("takes CMU's phones where they can write the corpus, else those that it has", async () => {
    const tokensFor = async (phones: readonly string[]): Promise<readonly string[]> => {
      const dataset = corpus({ train: spoken(['on']).map((utterance) => ({ ...utterance, phones })) });
      return (await newRecogniser({ dataset, split: 'train', tokens: 'phones', sizes })).description.tokens;
    };
    expect(await tokensFor(['AA1_B', 'N_E'])).toHaveLength(40);
    expect((await tokensFor(['sil', 'aa', 'n', 'dx', 'sil'])).slice(1)).toEqual(['aa', 'dx', 'n', 'sil']);
  });

  it('refuses a part without utterances', async () => {
    await expect(newRecogniser({ dataset: corpus({ train: [] }), split: 'train', tokens: 'words', sizes })).rejects.toThrow(expect.objectContaining({ code: 'COPPICE_DATASET_INVALID', message: expect.stringMatching(/'train' of the corpus is empty/) }));
  });
});

describe('fitRecogniser', () => {
  const fit = async (dataset: Dataset, folder: string, splits = { train: 'train', dev: 'dev', test: 'test' }) => {
    const terminal = silentTerminal();
    const recogniser = await newRecogniser({ dataset, split: 'train', tokens: 'words', sizes });
    const fitted = await fitRecogniser({ recogniser, dataset, splits, settings, seed: 0, backend: wasmBackend(), threads: 1, run: new RunDirectory(folder, {}), terminal });
    return { ...fitted, logged: terminal.logged };
  };

  it('chooses on one part, evaluates on another, and leaves a checkpoint of the last step', async () => {
    const folder = newFolder();
    const { tuned, test, logged } = await fit(corpus({ train: spoken(['a', 'b', 'c', 'd']), dev: spoken(['a', 'b']), test: spoken(['a', 'b', 'c']) }), join(folder, 'run'));
    expect(tuned.history.map(({ step, score }) => [step, score !== undefined])).toEqual([[1, true], [2, true]]);
    expect(test!.heard).toHaveLength(3);
    expect(logged).toEqual([]);
    expect(existsSync(join(folder, 'run/checkpoints/training-2.onnx'))).toBe(true);
  });

  it('takes the last weights and says so where there is no part to choose on, and evaluates nothing where there is none', async () => {
    const { tuned, test, logged } = await fit(corpus({ train: spoken(['a', 'b', 'c', 'd']) }), join(newFolder(), 'run'));
    expect(tuned).toMatchObject({ bestStep: 2, steps: 2 });
    expect(test).toBeUndefined();
    expect(logged).toEqual(["the corpus has no part 'dev': the last weights are kept, not the best"]);
  });
});
