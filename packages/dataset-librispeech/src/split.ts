import { CoppiceError } from '@coppice/graph';
import type { SkippedFile, Utterance } from '@coppice/speech';
import { inReadingOrder, inTurns, readAudio, readText, type FileTree } from '@coppice/speech/node';
import { join } from 'node:path';
import type { SplitFolder } from './layout.ts';

/** One utterance, and where it was found. */
export interface LibriUtterance extends Utterance {
  readonly speaker: string;
  /** From the folder of the corpus. */
  readonly file: string;
  /** In the tree that was opened. */
  readonly path: string;
}

/** What a part holds. */
export interface Split {
  /** By id; of an archive that only goes forward, as they lie in it. */
  readonly utterances: readonly LibriUtterance[];
  readonly skipped: readonly SkippedFile[];
  /** Utterances without phones in chapters that have a file of phones. */
  readonly withoutPhones: readonly string[];
}

/**
 * Reads which recordings a part has, and what is said in them; no recording is opened.
 * @throws CoppiceError `COPPICE_DATASET_INVALID` for an id that is there twice, and for a file that cannot be read
 */
export async function readSplit(tree: FileTree, { name, folder }: SplitFolder): Promise<Split> {
  const chapters: Chapter[] = [];
  for (const speaker of (await tree.list(folder)).folders) {
    const at = below(folder, speaker);
    for (const chapter of (await tree.list(at)).folders) chapters.push({ speaker, stem: `${speaker}-${chapter}`, folder: below(at, chapter), shown: join(name, speaker, chapter) });
  }
  const read = await inTurns(chapters, 16, (chapter) => readChapter(tree, chapter));
  const utterances = read.flatMap(({ utterances }) => utterances).sort((a, b) => (a.id < b.id ? -1 : 1));
  return {
    utterances: inReadingOrder(tree, utterances, ({ path }) => path),
    skipped: read.flatMap(({ skipped }) => skipped),
    withoutPhones: read.flatMap(({ withoutPhones }) => withoutPhones),
  };
}

interface Chapter {
  readonly speaker: string;
  /** SPEAKER-CHAPTER, with which its files begin. */
  readonly stem: string;
  readonly folder: string;
  /** The folder as messages call it. */
  readonly shown: string;
}

const below = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`);

async function readChapter(tree: FileTree, { speaker, stem, folder, shown }: Chapter): Promise<Split> {
  const listing = await tree.list(folder);
  const names = [...listing.files, ...listing.folders].sort();
  const linesOf = async (file: string): Promise<Map<string, string[]> | undefined> => (names.includes(file) ? readLines(tree, below(folder, file)) : undefined);
  const [transcripts, phones] = await Promise.all([linesOf(`${stem}.trans.txt`), linesOf(`${stem}.phones.txt`)]);
  const recordings = new Map<string, string>();
  const skipped: SkippedFile[] = [];
  const refused = new Set<string>();
  const skip = (name: string, reason: string): void => {
    refused.add(name);
    skipped.push({ file: join(shown, name), reason });
  };
  for (const name of names.filter((file) => /\.flac$/i.test(file))) {
    const id = name.slice(0, -'.flac'.length);
    if (recordings.has(id)) throw invalid(`'${id}' is there twice: '${join(shown, recordings.get(id)!)}' and '${join(shown, name)}'. Remove one of them`);
    recordings.set(id, name);
    if (!id.startsWith(`${stem}-`)) skip(name, `its name is not ${stem}-NNNN.flac`);
    else if (transcripts === undefined) skip(name, `there is no ${stem}.trans.txt beside it; was the archive unpacked to its end?`);
    else if (!transcripts.get(id)?.length) skip(name, `${stem}.trans.txt has no transcript for it`);
  }
  for (const id of transcripts?.keys() ?? []) if (!recordings.has(id)) skip(`${id}.flac`, `${stem}.trans.txt has a transcript for it, and there is no such file; was the archive unpacked to its end?`);
  const utterances = [...recordings].filter(([, name]) => !refused.has(name)).map(([id, name]): LibriUtterance => {
    const said = phones?.get(id)?.filter((phone) => phone !== '|') ?? [];
    const path = below(folder, name);
    return { id, speaker, file: join(shown, name), path, transcript: transcripts!.get(id)!.join(' '), ...(said.length > 0 ? { phones: said } : {}), audio: () => readAudio(tree, path) };
  });
  return { utterances, skipped, withoutPhones: phones === undefined ? [] : utterances.filter((utterance) => utterance.phones === undefined).map(({ id }) => id) };
}

/** Lines of `ID WORD WORD …` by their id. */
async function readLines(tree: FileTree, path: string): Promise<Map<string, string[]>> {
  const lines = new Map<string, string[]>();
  for (const line of (await readText(tree, path)).split('\n')) {
    const [id, ...words] = line.split(/\s+/).filter((part) => part !== '');
    if (id === undefined) continue;
    if (lines.has(id)) throw invalid(`'${tree.where(path)}' has '${id}' twice. Remove one of the lines`);
    lines.set(id, words);
  }
  return lines;
}

const invalid = (what: string): CoppiceError => new CoppiceError('COPPICE_DATASET_INVALID', `${what}.`);
