import { CoppiceError } from '@coppice/graph';
import type { Utterance } from '@coppice/speech';
import { createHash } from 'node:crypto';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeFlac } from './flac.ts';
import { foldersIn } from './layout.ts';

/** A recording without a transcript, or the other way round. */
export interface SkippedRecording {
  /** From the folder of the corpus. */
  readonly file: string;
  /** The end of a sentence that begins with the file. */
  readonly reason: string;
}

/** One utterance, and where it was found. */
export interface LibriUtterance extends Utterance {
  readonly speaker: string;
  /** From the folder of the corpus. */
  readonly file: string;
}

/** What a part holds. */
export interface Split {
  /** By id. */
  readonly utterances: readonly LibriUtterance[];
  readonly skipped: readonly SkippedRecording[];
  /** Utterances without phones in chapters that have a file of phones. */
  readonly withoutPhones: readonly string[];
}

/**
 * Reads which recordings a part has, and what is said in them; no recording is opened.
 * @throws CoppiceError `COPPICE_DATASET_INVALID` for an id that is there twice, and for a file that cannot be read
 */
export async function readSplit(corpus: string, split: string): Promise<Split> {
  const chapters: [speaker: string, chapter: string][] = [];
  for (const speaker of await foldersIn(join(corpus, split))) {
    for (const chapter of await foldersIn(join(corpus, split, speaker))) chapters.push([speaker, chapter]);
  }
  const read = await inTurns(chapters, 16, ([speaker, chapter]) => readChapter(corpus, join(split, speaker, chapter), speaker, chapter));
  return {
    utterances: read.flatMap(({ utterances }) => utterances).sort((a, b) => (a.id < b.id ? -1 : 1)),
    skipped: read.flatMap(({ skipped }) => skipped),
    withoutPhones: read.flatMap(({ withoutPhones }) => withoutPhones),
  };
}

async function readChapter(corpus: string, folder: string, speaker: string, chapter: string): Promise<Split> {
  const stem = `${speaker}-${chapter}`;
  const names = (await readdir(join(corpus, folder)).catch((cause: unknown) => {
    throw invalid(`'${join(corpus, folder)}' cannot be read`, cause);
  })).filter((name) => !name.startsWith('.')).sort();
  const linesOf = async (file: string): Promise<Map<string, string[]> | undefined> => (names.includes(file) ? readLines(join(corpus, folder, file)) : undefined);
  const [transcripts, phones] = await Promise.all([linesOf(`${stem}.trans.txt`), linesOf(`${stem}.phones.txt`)]);
  const recordings = new Map<string, string>();
  const skipped: SkippedRecording[] = [];
  const skip = (file: string, reason: string): unknown => skipped.push({ file: join(folder, file), reason });
  for (const name of names.filter((file) => /\.flac$/i.test(file))) {
    const id = name.slice(0, -'.flac'.length);
    if (recordings.has(id)) throw invalid(`'${id}' is there twice: '${recordings.get(id)}' and '${join(folder, name)}'. Remove one of them`);
    recordings.set(id, join(folder, name));
    if (!id.startsWith(`${stem}-`)) skip(name, `its name is not ${stem}-NNNN.flac`);
    else if (transcripts === undefined) skip(name, `there is no ${stem}.trans.txt beside it; was the archive unpacked to its end?`);
    else if (!transcripts.get(id)?.length) skip(name, `${stem}.trans.txt has no transcript for it`);
  }
  for (const id of transcripts?.keys() ?? []) if (!recordings.has(id)) skip(`${id}.flac`, `${stem}.trans.txt has a transcript for it, and there is no such file; was the archive unpacked to its end?`);
  const refused = new Set(skipped.map(({ file }) => file));
  const utterances = [...recordings].filter(([, file]) => !refused.has(file)).map(([id, file]) => utteranceOf(corpus, file, id, speaker, transcripts!.get(id)!, phones?.get(id)));
  return { utterances, skipped, withoutPhones: phones === undefined ? [] : utterances.filter((utterance) => utterance.phones === undefined).map(({ id }) => id) };
}

function utteranceOf(corpus: string, file: string, id: string, speaker: string, words: readonly string[], phones: readonly string[] = []): LibriUtterance {
  const said = phones.filter((phone) => phone !== '|');
  return {
    id, speaker, file,
    transcript: words.join(' '),
    ...(said.length > 0 ? { phones: said } : {}),
    async audio() {
      const path = join(corpus, file);
      return decodeFlac(await readRecording(path), path, { createMd5: () => createHash('md5') });
    },
  };
}

/** More than the longest utterance that is decoded can have. */
const mostBytes = 128e6;

async function readRecording(path: string): Promise<Uint8Array> {
  try {
    const handle = await open(path);
    try {
      const { size } = await handle.stat();
      if (size > mostBytes) throw new CoppiceError('COPPICE_AUDIO_INVALID', `${path} has ${Math.round(size / 1e6)} MB, too long for an utterance; cut it.`);
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof CoppiceError) throw cause;
    throw new CoppiceError('COPPICE_AUDIO_INVALID', `${path} cannot be read. Check that it is still there and may be read.`, { cause });
  }
}

/** Lines of `ID WORD WORD …` by their id. */
async function readLines(path: string): Promise<Map<string, string[]>> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw invalid(`'${path}' cannot be read`, cause);
  });
  const lines = new Map<string, string[]>();
  for (const line of text.replace(/^\uFEFF/, '').split('\n')) {
    const [id, ...words] = line.split(/\s+/).filter((part) => part !== '');
    if (id === undefined) continue;
    if (lines.has(id)) throw invalid(`'${path}' has '${id}' twice. Remove one of the lines`);
    lines.set(id, words);
  }
  return lines;
}

/** All results in order, at most `width` at a time: a corpus has more files than a process may open. */
async function inTurns<T, R>(items: readonly T[], width: number, run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += width) results.push(...(await Promise.all(items.slice(start, start + width).map(run))));
  return results;
}

const invalid = (what: string, cause?: unknown): CoppiceError => new CoppiceError('COPPICE_DATASET_INVALID', `${what}.`, { cause });
