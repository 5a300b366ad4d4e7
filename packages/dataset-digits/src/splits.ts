import { CoppiceError } from '@coppice/graph';
import type { Recording } from './recordings.ts';

/** Recordings by the name of their part; a part without any is left out. */
export type Splits = ReadonlyMap<string, readonly Recording[]>;

/**
 * The parts of the corpus. By its own convention, recordings with index 0–4 are `test` and the rest is `train`; of that rest,
 * 5–7 are `dev` here. All recordings of a speaker who is held out are `heldOut` and in no other part.
 * @throws CoppiceError `COPPICE_DATASET_INVALID` for a speaker who is not in the corpus
 */
export function splitRecordings(recordings: readonly Recording[], heldOut: readonly string[] = []): Splits {
  const speakers = [...new Set(recordings.map(({ speaker }) => speaker))].sort();
  const stranger = heldOut.find((name) => !speakers.includes(name));
  if (stranger !== undefined) {
    throw new CoppiceError('COPPICE_DATASET_INVALID', `There is no speaker '${stranger}' to hold out. The corpus has: ${speakers.join(', ')}.`);
  }
  const splitOf = ({ speaker, index }: Recording): string => {
    if (heldOut.includes(speaker)) return 'heldOut';
    if (index <= 4) return 'test';
    return index <= 7 ? 'dev' : 'train';
  };
  const groups = new Map(['train', 'dev', 'test', 'heldOut'].map((name): [string, Recording[]] => [name, []]));
  for (const recording of recordings) groups.get(splitOf(recording))!.push(recording);
  return new Map([...groups].filter(([, own]) => own.length > 0));
}
