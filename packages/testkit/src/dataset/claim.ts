import type { Dataset, Utterance } from '@coppice/speech';

/** How a dataset is checked. */
export interface DatasetCheckOptions {
  /** Parts of which no two share a speaker, as the corpus promises; default none. */
  readonly disjointSpeakers?: readonly string[];
  /** Parts that are drawn anew in each epoch; all others are the same in every one. Default none. */
  readonly drawnAnew?: readonly string[];
  /** Parts that hold utterances of others too, e.g. a complete test set beside the core of it; default none. */
  readonly overlapping?: readonly string[];
  /** So many utterances of a part are decoded, from all over it. Default 20. */
  readonly decoded?: number;
  /** Sound, in bytes of samples, that the dataset may hold however much of it is read. Default 16 MB. */
  readonly heldBytes?: number;
  /** Difference between `seconds` of an utterance and its sound that is no fault. Default 0.02. */
  readonly secondsTolerance?: number;
}

/** What claims are tried on. */
export interface DatasetSubject extends Required<DatasetCheckOptions> {
  /** Opens the corpus anew, as another process would. */
  open(): Promise<Dataset>;
}

/** Something that holds for every dataset. */
export interface DatasetClaim {
  readonly title: string;
  /** @throws Error that says what is wrong */
  check(subject: DatasetSubject): Promise<void>;
}

/** A claim that does not hold. */
export interface DatasetFinding {
  readonly title: string;
  readonly message: string;
}

/** With defaults for what was not said. */
export const datasetSubject = (open: () => Promise<Dataset>, options: DatasetCheckOptions = {}): DatasetSubject => ({
  disjointSpeakers: [], drawnAnew: [], overlapping: [], decoded: 20, heldBytes: 16e6, secondsTolerance: 0.02, ...options, open,
});

/** Tries one claim. Never rejects. */
export async function judgeDataset(claim: DatasetClaim, subject: DatasetSubject): Promise<DatasetFinding | undefined> {
  try {
    await claim.check(subject);
    return undefined;
  } catch (error) {
    return { title: claim.title, message: error instanceof Error ? error.message : String(error) };
  }
}

/** @throws Error with that message unless `holds` */
export function demand(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Error(message);
}

/** All parts with their utterances. */
export async function partsOf(dataset: Dataset, epoch?: number): Promise<{ split: string; utterances: readonly Utterance[] }[]> {
  const parts = [];
  for (const split of dataset.splits) parts.push({ split, utterances: await dataset.utterances(split, epoch) });
  return parts;
}

/** At most `count` of them, from all over the list, the first and the last among them. */
export const spread = <T>(items: readonly T[], count: number): T[] =>
  items.length <= count ? [...items] : Array.from({ length: count }, (_, k) => items[Math.round((k * (items.length - 1)) / (count - 1))]);
