import { checkBrokenShare, defineDataset, noSuchPart, refuseTwins, skippedNotes, type Dataset, type SkippedFile } from '@coppice/speech';
import { inReadingOrder, inTurns } from '@coppice/speech/node';
import { posix } from 'node:path';
import { findParts, isRegion, type TimitLayout } from './layout.ts';
import { readOptions, type ReadTimitOptions, type TimitOptions } from './options.ts';
import { coreTestSpeakers, devSpeakers } from './speakers.ts';
import { readSpeaker, type TimitUtterance } from './speaker-folder.ts';

/** An opened TIMIT. */
export interface TimitDataset extends Dataset {
  /** `train`, `dev`, `test` (the core test set) and `test-complete`; those that there are. */
  readonly splits: readonly string[];
  readonly skipped: readonly SkippedFile[];
  readonly notes: readonly string[];
  /**
   * The utterances of a part by id (of a `.tar` or `.tar.gz`, as they lie in it), the same in every epoch.
   * @throws CoppiceError `COPPICE_DATASET_INVALID` when there is no such part
   */
  utterances(split: string): Promise<readonly TimitUtterance[]>;
}

/**
 * Opens TIMIT (Garofolo et al. 1993) in any of its spellings. Labels and sentences are read, recordings only when they are asked for.
 * @param path the folder with TRAIN and TEST, one around it, or an archive
 * @throws CoppiceError `COPPICE_DATASET_INVALID` when it is not TIMIT, too much of it is missing, or a sentence is there twice;
 * `COPPICE_ARGUMENT_INVALID` for options that cannot be kept
 */
export async function openTimit(path: string, written: TimitOptions = {}): Promise<TimitDataset> {
  const options = readOptions({ ...written });
  const layout = await findParts(path);
  const { tree } = layout;
  const read = await readParts(layout, options);
  const notes = [...tree.notes];
  const skipped: SkippedFile[] = [];
  const whole = new Map<string, readonly TimitUtterance[]>();
  for (const { part, utterances, skipped: own } of read) {
    checkBrokenShare({ what: `'${part}' in '${path}'`, used: utterances.length, skipped: own, advice: 'Unpack the archive again' }, options.maxBrokenShare);
    skipped.push(...own);
    whole.set(part, inReadingOrder(tree, utterances, ({ file }) => file));
  }
  refuseTwins([...whole.values()].flat());
  const parts = splitTest(whole);
  const usual = { train: 462, dev: 50, test: 24, 'test-complete': 168 } as const;
  for (const [name, speakers] of Object.entries(usual)) {
    const there = new Set(parts.get(name)?.map(({ speaker }) => speaker)).size;
    if (there !== speakers) notes.push(`'${name}' has ${there} speakers; in the published corpus it has ${speakers}.`);
  }
  notes.push(...skippedNotes(skipped));
  const splits = [...parts.keys()];
  return {
    name: 'timit', splits, skipped, notes,
    async utterances(split) {
      const own = parts.get(split);
      if (own === undefined) throw noSuchPart(split, splits, path);
      return own;
    },
  };
}

/** TIMIT, LDC93S1; Garofolo et al. 1993. */
export const timit = defineDataset({
  name: 'timit',
  open: async (path, options = {}) => openTimit(path, readOptions(options)),
});

interface ReadPart {
  readonly part: string;
  readonly utterances: readonly TimitUtterance[];
  readonly skipped: readonly SkippedFile[];
}

async function readParts({ tree, parts }: TimitLayout, options: ReadTimitOptions): Promise<ReadPart[]> {
  const read: ReadPart[] = [];
  for (const { part, folder } of parts) {
    const speakers: { folder: string; region: number }[] = [];
    for (const name of (await tree.list(folder)).folders.filter(isRegion)) {
      const region = posix.join(folder, name);
      for (const speaker of (await tree.list(region)).folders) speakers.push({ folder: posix.join(region, speaker), region: Number(name[2]) });
    }
    const own = await inTurns(speakers, 8, (speaker) => readSpeaker(tree, speaker.folder, speaker.region, options));
    read.push({ part, utterances: own.flatMap(({ utterances }) => utterances).sort((a, b) => (a.id < b.id ? -1 : 1)), skipped: own.flatMap(({ skipped }) => skipped) });
  }
  return read;
}

/** The parts that results are published for; empty ones are left out. */
function splitTest(whole: ReadonlyMap<string, readonly TimitUtterance[]>): Map<string, readonly TimitUtterance[]> {
  const complete = whole.get('test') ?? [];
  const parts: [string, readonly TimitUtterance[]][] = [
    ['train', whole.get('train') ?? []],
    ['dev', complete.filter(({ speaker }) => devSpeakers.has(speaker))],
    ['test', complete.filter(({ speaker }) => coreTestSpeakers.has(speaker))],
    ['test-complete', complete],
  ];
  return new Map(parts.filter(([, own]) => own.length > 0));
}
