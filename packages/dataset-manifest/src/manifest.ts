import { CoppiceError } from '@coppice/graph';
import { checkBrokenShare, defineDataset, noSuchPart, refuseTwins, skippedNotes, type Audio, type Dataset, type Utterance } from '@coppice/speech';
import { inReadingOrder, readAudio, type FileTree } from '@coppice/speech/node';
import { readManifest } from './layout.ts';
import { readOptions, readShare, type ManifestOptions } from './options.ts';
import type { Row, SkippedRow } from './row.ts';

/** An opened list of recordings. */
export interface ManifestDataset extends Dataset {
  /** `train…`, `dev…`, `test…` first; then `train`, `dev` and `test` where they stand for exactly one of them. */
  readonly splits: readonly string[];
  /** Of all parts. */
  readonly skipped: readonly SkippedRow[];
  readonly notes: readonly string[];
  /**
   * The utterances of a part in the order of its list (of a `.tar` or `.tar.gz`, as they lie in it), the same in every epoch.
   * @throws CoppiceError `COPPICE_DATASET_INVALID` when there is no such part
   */
  utterances(split: string): Promise<readonly Utterance[]>;
}

/**
 * Opens a list of recordings in a format that people have: JSON lines of NeMo, a data directory of Kaldi, CSV or TSV, Common Voice, an audiofolder
 * of Hugging Face, Speech Commands. Lists are read, recordings only when they are asked for. No command that a list has in it is run.
 * @param path a list, a folder, or an archive as it was downloaded
 * @throws CoppiceError `COPPICE_DATASET_INVALID` when it is nothing of that, too much of it is missing, or an id is there twice
 */
export async function openManifest(path: string, options: ManifestOptions = {}): Promise<ManifestDataset> {
  const share = readShare(options.maxBrokenShare ?? 0.01);
  const { tree, layout, rows, skipped, notes } = await readManifest(path, options);
  refuseTwins(rows.map(({ id, line }) => ({ id, file: line })));
  const names = inOrder([...new Set([...rows, ...skipped].map(({ split }) => split))]);
  for (const name of names) {
    checkBrokenShare({
      what: `'${name}' in ${layout} '${path}'`, used: rows.filter(({ split }) => split === name).length, skipped: skipped.filter(({ split }) => split === name),
      advice: 'Mend the list, say with root from where its paths start',
    }, share);
  }
  const audioOf = createReader(tree);
  const parts = new Map(names.map((name) => {
    const own = inReadingOrder(tree, rows.filter(({ split }) => split === name), ({ file }) => file);
    return [name, own.map((row) => toUtterance(row, audioOf))];
  }));
  const aliases = aliasesOf(names);
  const splits = [...names, ...aliases.keys()];
  return {
    name: 'manifest', splits, skipped,
    notes: [...tree.notes, ...notes, ...skippedNotes(skipped), ...[...aliases].map(([alias, name]) => `'${alias}' is the part '${name}'.`)],
    async utterances(split) {
      const own = parts.get(aliases.get(split) ?? split);
      if (own === undefined) throw noSuchPart(split, splits, path);
      return own;
    },
  };
}

/** Lists of recordings in the formats that people have. */
export const manifest = defineDataset({
  name: 'manifest',
  open: async (path, options = {}) => openManifest(path, readOptions(options)),
});

const toUtterance = (row: Row, audioOf: (row: Row) => Promise<Audio>): Utterance => {
  const { id, transcript, speaker, phones, seconds } = row;
  return { id, transcript, ...(speaker === undefined ? {} : { speaker }), ...(phones === undefined ? {} : { phones }), ...(seconds === undefined ? {} : { seconds }), audio: () => audioOf(row) };
};

/** Decodes rows; of recordings that several rows are cut from, the last one is kept. */
function createReader(tree: FileTree): (row: Row) => Promise<Audio> {
  let last: { readonly file: string; readonly audio: Promise<Audio> } | undefined;
  return async ({ id, file, span }) => {
    if (span === undefined) return readAudio(tree, file);
    if (last?.file !== file) last = { file, audio: readAudio(tree, file) };
    const { samples, sampleRateHz } = await last.audio;
    const begin = Math.round(span.begin * sampleRateHz);
    const end = span.end === undefined ? samples.length : Math.round(span.end * sampleRateHz);
    // Times are written with few digits, so a cut may end a little after the recording does.
    if (begin >= samples.length || end - samples.length > sampleRateHz / 10) {
      throw new CoppiceError('COPPICE_AUDIO_INVALID', `${id} is cut from ${span.begin} s to ${span.end ?? 'the end'} of ${tree.where(file)}, which has ${(samples.length / sampleRateHz).toFixed(2)} s.`);
    }
    return { samples: samples.slice(begin, end), sampleRateHz };
  };
}

/** The names that a user may give without knowing the corpus, and what else they are called. */
const usual = [['train', /^train/i], ['dev', /^(dev|val)/i], ['test', /^test/i]] as const;

function inOrder(names: readonly string[]): string[] {
  const rank = (name: string): number => usual.findIndex(([, pattern]) => pattern.test(name)) >>> 0;
  return [...names].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** `train`, `dev` and `test` where no part is called so and exactly one stands for it. */
function aliasesOf(names: readonly string[]): Map<string, string> {
  const found = usual.filter(([name]) => !names.includes(name)).map(([name, pattern]) => [name, names.filter((own) => pattern.test(own) && own !== 'validated')] as const);
  return new Map(found.filter(([, own]) => own.length === 1).map(([name, [own]]) => [name, own]));
}
