import { CoppiceError } from '@coppice/graph';
import type { Audio } from './audio.ts';

/** One recording and what is said in it. */
export interface Utterance {
  /** Stable: the same recording has the same id in every run. */
  readonly id: string;
  /** Words with one blank between them, as the corpus writes them. */
  readonly transcript: string;
  readonly speaker?: string;
  /** Phones of the transcript, where the corpus has them. */
  readonly phones?: readonly string[];
  /** Known without decoding, where the corpus tells it. */
  readonly seconds?: number;
  /**
   * Decodes the recording.
   * @throws CoppiceError `COPPICE_AUDIO_INVALID` for a file that is no audio, is empty or broken
   */
  audio(): Promise<Audio>;
}

/** A recording that a corpus leaves out, and why. */
export interface SkippedFile {
  readonly file: string;
  /** The end of a sentence that begins with the file. */
  readonly reason: string;
}

/** A corpus. Where it lies was said when it was opened. */
export interface Dataset {
  readonly name: string;
  /** Names of its parts, e.g. `train`, `dev`, `test`. */
  readonly splits: readonly string[];
  /** What a user should be told once it is open, a sentence each: what was skipped or resampled. */
  readonly notes?: readonly string[];
  /** What was found and left out, where the corpus keeps count. */
  readonly skipped?: readonly SkippedFile[];
  /**
   * The utterances of a part, always in the same order.
   * @param epoch for corpora that draw their training part anew each time; others have the same in every epoch. Default 0
   * @throws CoppiceError `COPPICE_DATASET_INVALID` when there is no such part, or the folder is not what the corpus looks like
   */
  utterances(split: string, epoch?: number): Promise<readonly Utterance[]>;
}

/** How a kind of corpus is opened; what a dataset plugin offers. */
export interface DatasetFormat {
  /** What a user writes before the colon: `--dataset digits:/data/fsdd`. */
  readonly name: string;
  /**
   * @param folder where the corpus lies
   * @param options of this format, e.g. `{ heldOut: 'lucas' }`
   * @throws CoppiceError `COPPICE_DATASET_INVALID`
   */
  open(folder: string, options?: Readonly<Record<string, string | number>>): Promise<Dataset>;
}

/** A format of corpora. Parts that an opened corpus does not have are refused, so that no format need do so itself. */
export const defineDataset = (format: DatasetFormat): DatasetFormat => ({
  ...format,
  async open(folder, options) {
    const dataset = await format.open(folder, options);
    const utterances = async (split: string, epoch?: number): Promise<readonly Utterance[]> => {
      if (!dataset.splits.includes(split)) throw noSuchPart(split, dataset.splits, folder);
      return dataset.utterances(split, epoch);
    };
    const { name, splits, notes, skipped } = dataset;
    return { name, splits, notes, skipped, utterances };
  },
});

/** `COPPICE_DATASET_INVALID` for a part that a corpus does not have, with those that it has. */
export const noSuchPart = (split: string, splits: readonly string[], path: string): CoppiceError =>
  new CoppiceError('COPPICE_DATASET_INVALID', `'${path}' has no part '${split}'. It has: ${splits.join(', ')}.`);
