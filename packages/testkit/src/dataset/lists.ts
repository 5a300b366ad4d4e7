import { CoppiceError } from '@coppice/graph';
import type { Utterance } from '@coppice/speech';
import { demand, partsOf, type DatasetClaim } from './claim.ts';

/** Claims about parts, identifiers, order and words; no recording is opened. */
export const listClaims: readonly DatasetClaim[] = [
  {
    title: 'names every part once, and has utterances in each',
    async check({ open }) {
      const dataset = await open();
      demand(dataset.name !== '', 'the dataset has no name');
      demand(dataset.splits.length > 0, 'it names no parts');
      const twice = dataset.splits.find((split, k) => dataset.splits.indexOf(split) !== k);
      demand(twice === undefined, `the part '${twice}' is named twice`);
      for (const { split, utterances } of await partsOf(dataset)) demand(utterances.length > 0, `the part '${split}' has no utterances`);
    },
  },
  {
    title: 'refuses a part that there is not',
    async check({ open }) {
      const dataset = await open();
      const outcome = await dataset.utterances('no such part').then(() => undefined, (error: unknown) => error);
      demand(outcome instanceof CoppiceError && outcome.code === 'COPPICE_DATASET_INVALID', `utterances('no such part') must reject with COPPICE_DATASET_INVALID and ${outcome === undefined ? 'gave a list' : `said ${String(outcome)}`}`);
      demand(dataset.splits.every((split) => outcome.message.includes(split)), `the refusal does not name the parts that there are: ${outcome.message}`);
    },
  },
  {
    title: 'gives each utterance an identifier that no other has',
    async check({ open, overlapping }) {
      const owners = new Map<string, { split: string; key: string }>();
      for (const { split, utterances } of await partsOf(await open())) {
        const own = new Set<string>();
        // A part that stands for another one has the same list.
        const key = utterances.map(({ id }) => id).join('\n');
        for (const { id } of utterances) {
          demand(id.trim() !== '', `an utterance of '${split}' has an empty id`);
          demand(!own.has(id), `'${id}' is twice in the part '${split}'`);
          own.add(id);
          if (overlapping.includes(split)) continue;
          const before = owners.get(id);
          demand(before === undefined || before.key === key, `'${id}' is in the parts '${before?.split}' and '${split}'`);
          owners.set(id, { split, key });
        }
      }
    },
  },
  {
    title: 'gives the same list in two passes, and when it is opened anew',
    async check({ open }) {
      const dataset = await open();
      const [first, second, anew] = [await partsOf(dataset), await partsOf(dataset), await partsOf(await open())];
      demand(JSON.stringify(anew.map(({ split }) => split)) === JSON.stringify(first.map(({ split }) => split)), 'opened anew, it has other parts');
      for (const [what, others] of [['in a second pass', second], ['opened anew', anew]] as const) {
        for (const [k, { split, utterances }] of first.entries()) sameList(utterances, others[k].utterances, `'${split}' ${what}`);
      }
    },
  },
  {
    title: 'draws anew only the parts that it says it does, and the same for the same epoch',
    async check({ open, drawnAnew }) {
      const [one, other] = [await open(), await open()];
      for (const split of one.splits) {
        const [zero, three] = [await one.utterances(split, 0), await one.utterances(split, 3)];
        sameList(three, await other.utterances(split, 3), `'${split}' in epoch 3, opened anew,`);
        sameList(zero, await one.utterances(split), `'${split}' without an epoch, which is epoch 0,`);
        if (!drawnAnew.includes(split)) sameList(zero, three, `'${split}' in epoch 3`);
      }
    },
  },
  {
    title: 'writes transcripts as words with one blank between them, and phones without any',
    async check({ open }) {
      for (const { split, utterances } of await partsOf(await open())) {
        for (const { id, transcript, phones = [] } of utterances) {
          demand(transcript !== '' && transcript === transcript.trim() && !/\s\s|[^\S ]/.test(transcript), `the transcript of '${id}' in '${split}' is ${JSON.stringify(transcript)}`);
          const odd = phones.find((phone) => phone === '' || /\s/.test(phone));
          demand(odd === undefined, `'${id}' in '${split}' has the phone ${JSON.stringify(odd)}`);
        }
      }
    },
  },
  {
    title: 'has no speaker in two parts that promise to share none',
    async check({ open, disjointSpeakers }) {
      const dataset = await open();
      const owners = new Map<string, string>();
      for (const split of disjointSpeakers) {
        for (const { id, speaker } of await dataset.utterances(split)) {
          demand(speaker !== undefined, `'${id}' in '${split}' has no speaker, and its part promises to share none`);
          const before = owners.get(speaker);
          demand(before === undefined || before === split, `the speaker '${speaker}' is in '${before}' and in '${split}'`);
          owners.set(speaker, split);
        }
      }
    },
  },
];

function sameList(wanted: readonly Utterance[], got: readonly Utterance[], what: string): void {
  demand(wanted.length === got.length, `${what} has ${got.length} utterances instead of ${wanted.length}`);
  const say = ({ id, transcript, speaker, phones, seconds }: Utterance): string => JSON.stringify({ id, transcript, speaker, phones, seconds });
  const at = wanted.findIndex((utterance, k) => say(utterance) !== say(got[k]));
  demand(at < 0, `${what} has ${at < 0 ? '' : say(got[at])} at place ${at} instead of ${at < 0 ? '' : say(wanted[at])}`);
}
