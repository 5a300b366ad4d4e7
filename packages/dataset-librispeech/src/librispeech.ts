import { checkBrokenShare, defineDataset, noSuchPart, refuseTwins, skippedNotes, type Dataset, type SkippedFile } from '@coppice/speech';
import { findSplits, usualSplits } from './layout.ts';
import { checkOptions, readOptions, refuse, type LibriSpeechOptions } from './options.ts';
import { readSplit, type LibriUtterance, type Split } from './split.ts';

/** An opened corpus in LibriSpeech's layout. */
export interface LibriSpeechDataset extends Dataset {
  /** Names of folders, then `train`, `dev` and `test` where they stand for exactly one of them, then `heldOut`. */
  readonly splits: readonly string[];
  /** Of all parts. */
  readonly skipped: readonly SkippedFile[];
  readonly notes: readonly string[];
  /**
   * The utterances of a part, sorted by id (of a `.tar` or `.tar.gz`, as they lie in it), the same in every epoch.
   * @throws CoppiceError `COPPICE_DATASET_INVALID` when there is no such part
   */
  utterances(split: string): Promise<readonly LibriUtterance[]>;
}

/**
 * Opens a corpus in the layout of LibriSpeech (Panayotov et al. 2015). Folders and transcripts are read, recordings only when they are
 * asked for.
 * @param path the folder with the parts, the folder around it, one part, or an archive as it was downloaded
 * @throws CoppiceError `COPPICE_DATASET_INVALID` when it is not in that layout, too much of it is missing, or an id is there twice;
 * `COPPICE_ARGUMENT_INVALID` for options that cannot be kept
 */
export async function openLibriSpeech(path: string, options: LibriSpeechOptions = {}): Promise<LibriSpeechDataset> {
  checkOptions(options);
  const { holdOut = 0, maxBrokenShare = 0.01 } = options;
  const layout = await findSplits(path);
  const names = layout.splits.map(({ name }) => name);
  const notes = [...layout.tree.notes, ...layout.notes];
  const parts = new Map<string, readonly LibriUtterance[]>();
  const skipped: SkippedFile[] = [];
  for (const part of layout.splits) {
    const { name } = part;
    const split = await readSplit(layout.tree, part);
    checkBrokenShare({ what: `'${layout.tree.where(part.folder)}'`, used: split.utterances.length, skipped: split.skipped, advice: 'Unpack the archive again, name only the part that is whole' }, maxBrokenShare);
    parts.set(name, split.utterances);
    skipped.push(...split.skipped);
    notes.push(...notesOf(split, name));
  }
  refuseTwins([...parts.values()].flat());
  const aliases = aliasesOf(names);
  for (const [alias, name] of aliases) notes.push(`'${alias}' is the part '${name}'.`);
  if (holdOut > 0) notes.push(holdOutSpeakers(parts, aliases.get('train') ?? 'train', holdOut));
  const splits = [...names, ...aliases.keys(), ...(holdOut > 0 ? ['heldOut'] : [])];
  return {
    name: 'librispeech', splits, skipped, notes,
    async utterances(split) {
      const own = parts.get(aliases.get(split) ?? split);
      if (own === undefined) throw noSuchPart(split, splits, path);
      return own;
    },
  };
}

/** A corpus in LibriSpeech's layout; Panayotov et al. 2015, openslr.org/12. */
export const librispeech = defineDataset({
  name: 'librispeech',
  open: async (folder, options = {}) => openLibriSpeech(folder, readOptions(options)),
});

/** `train`, `dev` and `test` where no folder is called so and exactly one begins so. */
function aliasesOf(splits: readonly string[]): Map<string, string> {
  const pairs = usualSplits.filter((usual) => !splits.includes(usual)).map((usual): [string, string[]] => [usual, splits.filter((name) => name.startsWith(usual))]);
  return new Map(pairs.filter(([, names]) => names.length === 1).map(([usual, [name]]) => [usual, name]));
}

function notesOf({ utterances, skipped, withoutPhones }: Split, name: string): string[] {
  const notes = skippedNotes(skipped);
  if (withoutPhones.length > 0) notes.push(`${withoutPhones.length} of ${utterances.length} utterances of '${name}' have no phones though a file of phones lies beside them, e.g. '${withoutPhones[0]}'.`);
  return notes;
}

/** Moves the last speakers of a part into `heldOut`; what a user should know of it. */
function holdOutSpeakers(parts: Map<string, readonly LibriUtterance[]>, train: string, holdOut: number): string {
  const whole = parts.get(train);
  if (whole === undefined) return refuse(`holdOut takes speakers from 'train', and it is not clear which part that is: ${[...parts.keys()].join(', ')}. Name the folder of one part`);
  if (parts.has('heldOut')) return refuse("there is a part 'heldOut' already");
  const speakers = [...new Set(whole.map(({ speaker }) => speaker))].sort();
  if (holdOut >= speakers.length) return refuse(`holdOut is ${holdOut}, and '${train}' has ${speakers.length} speakers, of whom one must remain`);
  const held = new Set(speakers.slice(-holdOut));
  const moved = whole.filter(({ speaker }) => held.has(speaker));
  parts.set(train, whole.filter(({ speaker }) => !held.has(speaker)));
  parts.set('heldOut', moved);
  return `Held out of '${train}': ${moved.length} utterances by ${[...held].join(', ')}.`;
}
