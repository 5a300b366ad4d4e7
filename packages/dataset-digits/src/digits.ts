import { CoppiceError } from '@coppice/graph';
import { defineDataset, type Dataset, type SkippedFile, type Utterance } from '@coppice/speech';
import { joinDigits } from './join-digits.ts';
import { readOptions, type DigitsOptions } from './options.ts';
import { readRecordings, type Recording } from './recordings.ts';
import { splitRecordings } from './splits.ts';

/** An opened corpus of spoken digits. */
export interface DigitsDataset extends Dataset {
  /** Of every utterance. */
  readonly sampleRateHz: number;
  readonly skipped: readonly SkippedFile[];
  readonly notes: readonly string[];
  /**
   * The recordings of a part, one by one, whatever the utterances are; to be joined by `joinDigits`.
   * @throws CoppiceError `COPPICE_DATASET_INVALID` when there is no such part
   */
  recordings(split: string): readonly Recording[];
  /**
   * The recordings of a part, or its strings. Strings of `train` are drawn anew for each seed and epoch; those of every other part
   * are always the same, and use every recording equally often.
   * @throws CoppiceError `COPPICE_DATASET_INVALID` when there is no such part
   */
  utterances(split: string, epoch?: number): Promise<readonly Utterance[]>;
}

/**
 * Opens the Free Spoken Digit Dataset.
 * @param path the folder with its recordings, or its repository
 * @throws CoppiceError `COPPICE_DATASET_INVALID` when it is not that corpus, too much of it is broken, or a speaker to hold out is not
 * in it; `COPPICE_ARGUMENT_INVALID` for options that cannot be kept
 */
export async function openDigits(path: string, options: DigitsOptions = {}): Promise<DigitsDataset> {
  checkRange('maxBrokenShare', options.maxBrokenShare, 0, 1);
  checkRange('sampleRateHz', options.sampleRateHz, 1000, 192_000);
  checkRange('cacheBytes', options.cacheBytes, 0, Infinity);
  const { folder, recordings, skipped, sampleRateHz, notes } = await readRecordings(path, options);
  const splits = splitRecordings(recordings, options.heldOut);
  const recordingsOf = (split: string): readonly Recording[] => {
    const own = splits.get(split);
    if (own === undefined) throw new CoppiceError('COPPICE_DATASET_INVALID', `'${folder}' has nothing for the part '${split}'. It has: ${[...splits.keys()].join(', ')}.`);
    return own;
  };
  const { strings, seed, count, ...join } = options;
  // So that options are judged now and not when training begins.
  if (strings) joinDigits(recordings, { ...join, count: count ?? 1 });
  return {
    name: 'digits',
    splits: [...splits.keys()],
    sampleRateHz,
    skipped,
    notes,
    recordings: recordingsOf,
    async utterances(split, epoch = 0) {
      const own = recordingsOf(split);
      if (!strings) return own;
      return joinDigits(own, split === 'train' ? { ...join, name: split, seed, epoch, count } : { ...join, name: split });
    },
  };
}

function checkRange(name: string, value: number | undefined, least: number, most: number): void {
  if (value !== undefined && !(value >= least && value <= most)) {
    throw new CoppiceError('COPPICE_ARGUMENT_INVALID', `The digits corpus cannot be opened so: ${name} is ${value} and must lie between ${least} and ${most}.`);
  }
}

/** The Free Spoken Digit Dataset, Jackson et al., github.com/Jakobovski/free-spoken-digit-dataset. */
export const digits = defineDataset({
  name: 'digits',
  open: async (folder, options = {}) => openDigits(folder, readOptions(options)),
});
