import type { NamedTensors } from '@coppice/core';
import { buildReferenceModel, defaultFeatures, describeReferenceModel, tokenizerOf, type Dataset, type Utterance } from '@coppice/speech';
import { expect, it } from 'vitest';
import { createTerminal } from '../terminal.ts';
import { trainingData } from './training-data.ts';

const model = buildReferenceModel({ mels: 8, channels: [2], hidden: 2, layers: 1, tokens: 3 });
const description = describeReferenceModel(model, { features: defaultFeatures({ sampleRateHz: 8000, mels: 8 }), tokenizer: tokenizerOf('words', ['one', 'two']) });
const terminal = createTerminal({ write: () => true }, { write: () => true });

/** Twenty utterances of different length, which depend on the draw. */
const corpus: Dataset = {
  name: 'made up', splits: ['train'],
  utterances: async (_, epoch = 0) => Array.from({ length: 20 }, (_, k): Utterance => ({
    id: `${epoch}/${k}`, transcript: k % 2 ? 'one two' : 'two',
    audio: async () => ({ sampleRateHz: 8000, samples: Float32Array.from({ length: 1600 + 80 * k }, (_, t) => Math.sin(t * (0.1 + 0.01 * k + epoch))) }),
  })),
};
const make = (seed = 0, redraw = true) => trainingData({ dataset: corpus, split: 'train', description, batchSize: 4, seed, augment: 'small', speeds: [1], redraw }, terminal);
const textOf = (batch: NamedTensors): string => JSON.stringify(Object.values(batch).map(({ dims, data }) => [dims, Array.from(data as Float32Array, Number)]));

it('gives the same batch for the same step, whatever was asked for before', async () => {
  const [a, b] = [await make(), await make()];
  const steps = [1, 2, 7, 26, 21, 3];
  const first = new Map<number, string>();
  for (const step of steps) first.set(step, textOf(await a.batch(step)));
  for (const step of steps.toReversed()) expect(textOf(await b.batch(step))).toBe(first.get(step));
  expect(new Set(first.values()).size).toBe(steps.length);
});

it('depends on the seed', async () => {
  expect(textOf(await (await make(0)).batch(1))).not.toBe(textOf(await (await make(1)).batch(1)));
});

it('draws the corpus anew every few epochs, or never', async () => {
  const [drawn, kept] = [await make(0, true), await make(0, false)];
  expect(drawn.stepsPerEpoch).toBe(5);
  // Four epochs of five steps are of the first draw.
  for (const step of [1, 20]) expect(textOf(await drawn.batch(step))).toBe(textOf(await kept.batch(step)));
  expect(textOf(await drawn.batch(21))).not.toBe(textOf(await kept.batch(21)));
});
