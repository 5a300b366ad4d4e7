import { CoppiceError } from '@coppice/graph';
import type { Audio, Dataset, Utterance } from '@coppice/speech';
import { describe, expect, it } from 'vitest';
import { checkDataset, datasetClaims } from './check-dataset.ts';
import type { DatasetCheckOptions } from './claim.ts';
import { describeDataset } from './describe-dataset.ts';

const made = new Map<string, Float32Array>();

/** Fresh samples of a tone that is different for each id. */
function sound(id: string, length = 4000): Audio {
  const samples = made.get(`${id} ${length}`) ?? Float32Array.from({ length }, (_, t) => Math.sin(t * (1 + id.length) + id.charCodeAt(id.length - 1)) / 2);
  made.set(`${id} ${length}`, samples);
  return { samples: samples.slice(), sampleRateHz: 8000 };
}

const utterance = (id: string, more: Partial<Utterance> = {}): Utterance => ({ id, transcript: 'three one', speaker: id.split('-')[0], seconds: 0.5, audio: async () => sound(id), ...more });

const ids = { train: ['ada-0', 'ada-1', 'bob-0', 'bob-1'], dev: ['cy-0'], test: ['dee-0', 'dee-1'] } as const;

/** A dataset without a fault, its utterances made by `make`. */
function good(make: (id: string, split: string) => Utterance = (id) => utterance(id)): Dataset {
  const parts = new Map(Object.entries(ids).map(([split, own]) => [split, own.map((id) => make(id, split))]));
  return {
    name: 'good', splits: [...parts.keys()],
    async utterances(split) {
      const own = parts.get(split);
      if (own === undefined) throw new CoppiceError('COPPICE_DATASET_INVALID', `There is no part '${split}'. It has: ${[...parts.keys()].join(', ')}.`);
      return own;
    },
  };
}

/** The same dataset with one method changed. */
const but = (change: (split: string, own: readonly Utterance[], epoch: number) => readonly Utterance[]): Dataset => {
  const whole = good();
  return { ...whole, utterances: async (split, epoch = 0) => change(split, await whole.utterances(split), epoch) };
};

const disjoint: DatasetCheckOptions = { disjointSpeakers: ['train', 'dev', 'test'] };
const small: DatasetCheckOptions = { ...disjoint, heldBytes: 1e6 };

describeDataset('without a fault', async () => good(), small);

/** Titles of the claims by a word of theirs. */
const claims = {
  parts: 'names every part', refusal: 'refuses a part', identifiers: 'gives each utterance an identifier', order: 'gives the same list in two passes', epochs: 'draws anew', words: 'writes transcripts',
  speakers: 'has no speaker', sound: 'gives mono sound', passes: 'gives the same samples in two passes', middle: 'gives the same samples when it is taken up', change: 'gives samples that the caller', memory: 'holds a bounded',
} as const;

let opened = 0;
let reads = 0;
const kept: Audio[] = [];
const cache = new Map<string, Audio>();

/** Good datasets made bad: the claim that must notice, and the fault. */
const faults: readonly (readonly [keyof typeof claims, fault: string, open: () => Dataset])[] = [
  ['parts', 'a part is empty', () => but((split, own) => (split === 'dev' ? [] : own))],
  ['parts', 'a part is named twice', () => ({ ...good(), splits: ['train', 'dev', 'test', 'dev'] })],
  ['refusal', 'it gives an empty list for what there is not', () => ({ ...good(), utterances: async (split) => (split in ids ? good().utterances(split) : []) })],
  ['refusal', 'the refusal names no parts', () => ({ ...good(), utterances: async (split) => (split in ids ? good().utterances(split) : Promise.reject(new CoppiceError('COPPICE_DATASET_INVALID', 'No.'))) })],
  ['identifiers', 'an id is there twice', () => but((split, own) => (split === 'train' ? [...own, own[0]] : own))],
  ['identifiers', 'an utterance of train is in test', () => but((split, own) => (split === 'test' ? [...own, utterance('ada-1')] : own))],
  ['order', 'the order depends on when it was opened', () => (opened++ % 2 === 0 ? good() : but((_, own) => own.toReversed()))],
  ['order', 'the ids depend on when it was opened', () => {
    const run = opened++;
    return good((id) => utterance(`${id}/${run}`));
  }],
  ['order', 'the order changes from pass to pass', () => but((_, own) => (reads++ % 2 === 0 ? own : own.toReversed()))],
  ['epochs', 'a part that should stay is drawn anew', () => but((split, own, epoch) => (split === 'dev' ? own.map((one) => utterance(`${one.id}e${epoch}`)) : own))],
  ['words', 'a transcript has two blanks', () => good((id) => utterance(id, { transcript: 'three  one' }))],
  ['words', 'a transcript ends in a line break', () => good((id) => utterance(id, { transcript: 'three one\n' }))],
  ['words', 'a phone has a blank in it', () => good((id) => utterance(id, { phones: ['TH R', 'IY'] }))],
  ['speakers', 'a speaker is in two parts', () => good((id) => utterance(id, { speaker: id === 'cy-0' ? 'ada' : id.split('-')[0] }))],
  ['speakers', 'a speaker is not named', () => good((id) => utterance(id, { speaker: undefined }))],
  ['sound', 'samples are not scaled', () => good((id) => utterance(id, { audio: async () => ({ sampleRateHz: 8000, samples: sound(id).samples.map((value) => 32768 * value) }) }))],
  ['sound', 'a sample is not a number', () => good((id) => utterance(id, { audio: async () => ({ sampleRateHz: 8000, samples: sound(id).samples.fill(Number.NaN, 3, 4) }) }))],
  ['sound', 'it says a wrong length', () => good((id) => utterance(id, { seconds: 0.7 }))],
  ['passes', 'noise is drawn at each reading', () => good((id) => utterance(id, { audio: async () => ({ sampleRateHz: 8000, samples: sound(id).samples.fill(1 / ++reads, 0, 1) }) }))],
  ['passes', 'noise is drawn at each opening', () => {
    const noise = 1 / ++opened;
    return good((id) => utterance(id, { audio: async () => ({ sampleRateHz: 8000, samples: sound(id).samples.fill(noise, 0, 1) }) }));
  }],
  ['middle', 'a stream that forgets where it is', () => {
    const order = Object.values(ids).flat();
    let at = 0;
    return good((id) => utterance(id, { audio: async () => sound(order[at++ % order.length]) }));
  }],
  ['middle', 'readings at once share a buffer', () => {
    let busy = '';
    return good((id) => utterance(id, { audio: async () => {
      const mine = busy === '' ? id : busy;
      busy = mine;
      await new Promise((resolve) => setTimeout(resolve, 1));
      busy = '';
      return sound(mine);
    } }));
  }],
  ['change', 'a cache hands out its own samples', () => good((id) => utterance(id, { audio: async () => {
    const audio = cache.get(id) ?? sound(id);
    cache.set(id, audio);
    return audio;
  } }))],
  ['memory', 'every recording is kept', () => good((id) => utterance(id, { seconds: undefined, audio: async () => {
    const audio = sound(id, 50_000);
    kept.push(audio);
    return { ...audio, samples: audio.samples.slice() };
  } }))],
];

describe('checkDataset', () => {
  it('finds nothing in a dataset without a fault', async () => {
    expect(await checkDataset(async () => good(), small)).toEqual([]);
  });

  it('allows a part that is said to be drawn anew', async () => {
    const open = async (): Promise<Dataset> => but((split, own, epoch) => (split === 'train' ? own.map((one) => utterance(`${one.id}e${epoch}`)) : own));
    expect(await checkDataset(open, { ...small, drawnAnew: ['train'] })).toEqual([]);
    expect((await checkDataset(open, small)).map(({ title }) => title)).toEqual([expect.stringContaining(claims.epochs)]);
  });

  it('allows a part that is said to hold utterances of others', async () => {
    const open = async (): Promise<Dataset> => but((split, own) => (split === 'test' ? [...own, utterance('cy-0')] : own));
    const options = { heldBytes: 1e6, overlapping: ['test'] };
    expect(await checkDataset(open, options)).toEqual([]);
    expect((await checkDataset(open, { ...options, overlapping: [] })).map(({ title }) => title)).toEqual([expect.stringContaining(claims.identifiers)]);
  });

  it.each(faults)('notices, by the claim about %s, that %s', async (claim, _, open) => {
    const findings = await checkDataset(async () => open(), small);
    expect(findings.map(({ title }) => title).join('\n')).toContain(claims[claim]);
    kept.length = 0;
    cache.clear();
  });

  it('has a planted fault for every claim', () => {
    for (const { title } of datasetClaims) expect(faults.some(([claim]) => title.includes(claims[claim])), title).toBe(true);
  });
});
