import { CoppiceError } from '@coppice/graph';
import type { SkippedFile } from './dataset.ts';

/** A part of a corpus, as it was read. */
export interface ReadPart {
  /** How messages call it: `'train' in '/data/timit'`. */
  readonly what: string;
  /** Number of recordings that can be used. */
  readonly used: number;
  readonly skipped: readonly SkippedFile[];
  /** What may have gone wrong and how to mend it, as the beginning of a sentence: `Unpack the archive again`. */
  readonly advice: string;
}

/** How many skipped files notes name, one by one. */
const mostListed = 10;

/**
 * Stops where too many recordings of a part cannot be used: results would not be those of the corpus.
 * @param share of the recordings of the part that may be left out, 0 to 1
 * @throws CoppiceError `COPPICE_DATASET_INVALID` when more are, or none is left; with the first five and their reasons
 */
export function checkBrokenShare({ what, used, skipped, advice }: ReadPart, share: number): void {
  const all = used + skipped.length;
  if (used > 0 && skipped.length <= share * all) return;
  const refuse = (found: string, mend: string): CoppiceError => {
    const list = skipped.slice(0, 5).map((file) => `\n  ${skippedSentence(file)}`).join('');
    return new CoppiceError('COPPICE_DATASET_INVALID', `${found}. ${mend}.${list}${skipped.length > 5 ? `\n  and ${skipped.length - 5} more` : ''}`);
  };
  if (all === 0) throw refuse(`There is no recording of ${what}`, advice);
  if (used === 0) throw refuse(`None of the ${all} recordings of ${what} can be used`, advice);
  throw refuse(`${skipped.length} of ${all} recordings of ${what} cannot be used, more than the ${100 * share} % that may be skipped`, `${advice}, or set maxBrokenShare higher`);
}

/** What a user is told of files that are left out, a sentence each; of many the first ten. */
export function skippedNotes(skipped: readonly SkippedFile[]): string[] {
  const notes = skipped.slice(0, mostListed).map((file) => `Skipped ${skippedSentence(file)}`);
  return skipped.length > mostListed ? [...notes, `Skipped ${skipped.length - mostListed} more recordings for such reasons.`] : notes;
}

const skippedSentence = ({ file, reason }: SkippedFile): string => `'${file}': ${reason}${/[.?!]$/.test(reason) ? '' : '.'}`;

/**
 * @param utterances with an id and where they come from
 * @throws CoppiceError `COPPICE_DATASET_INVALID` for an id that is there twice, in one part or in two
 */
export function refuseTwins(utterances: Iterable<{ readonly id: string; readonly file: string }>): void {
  const files = new Map<string, string>();
  for (const { id, file } of utterances) {
    const before = files.get(id);
    if (before !== undefined) throw new CoppiceError('COPPICE_DATASET_INVALID', `'${id}' is there twice: '${before}' and '${file}'. Remove one of them: what is trained on must not be tested on.`);
    files.set(id, file);
  }
}
