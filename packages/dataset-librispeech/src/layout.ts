import { CoppiceError } from '@coppice/graph';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';

/** Where the parts of a corpus lie. */
export interface Layout {
  /** The folder that has them. */
  readonly folder: string;
  /** Their names: `train` and what begins so first, then `dev`, `test` and others. */
  readonly splits: readonly string[];
  /** Sentences about what lies there and is no part. */
  readonly notes: readonly string[];
}

/** The parts that a user may name without knowing the corpus. */
export const usualSplits = ['train', 'dev', 'test'] as const;

const expected = "LibriSpeech is a folder of parts (train-clean-100, dev-clean, …) with the recordings in PART/SPEAKER/CHAPTER/SPEAKER-CHAPTER-NNNN.flac and their transcripts in SPEAKER-CHAPTER.trans.txt beside them. Name that folder, the folder around it, or one part";

/** How far a folder is from its recordings: 0 is a chapter, 1 a speaker, 2 a part, 3 a corpus. */
interface Level {
  readonly level: number;
  /** A file that told so. */
  readonly file: string;
}

/** Deeper than any tree that archives unpacked side by side make. */
const deepest = 6;
/** Folders looked into until it is said that nothing was found; a whole disk may have been named. */
const mostFolders = 5000;

/**
 * Finds the parts of a corpus in LibriSpeech's layout.
 * @throws CoppiceError `COPPICE_DATASET_INVALID` when there is none, or it is not clear which is meant
 */
export async function findSplits(path: string): Promise<Layout> {
  await requireFolder(path);
  const [budget, folders] = [{ left: mostFolders }, await foldersIn(path)];
  const own = await recordingIn(path);
  if (own !== undefined) throw wrong(`'${path}' is a chapter of one speaker: it has '${own}' itself. Name a folder above it: '${join(path, '../../..')}' would be the corpus`);
  const found = new Map<string, Level>();
  for (const name of folders) {
    const level = await levelOf(join(path, name), budget, deepest);
    if (level !== undefined) found.set(name, level);
  }
  const at = (wanted: number): string[] => folders.filter((name) => found.get(name)?.level === wanted);
  const [splits, corpora] = [at(2), at(3)];
  if (splits.length > 0) {
    const others = [...found].filter(([, { level }]) => level !== 2);
    return { folder: path, splits: inOrder(splits), notes: others.map(([name, { file }]) => `'${join(path, name)}' is no part of the corpus and is left out: its recordings lie at the wrong level, e.g. '${relative(path, file)}'.`) };
  }
  if (corpora.length === 1) return findSplits(join(path, corpora[0]));
  if (corpora.length > 1) throw wrong(`'${path}' has several corpora. Name one of them: ${listed(corpora)}`);
  if (at(1).length > 0) return { folder: dirname(path), splits: [basename(path)], notes: [] };
  if (at(0).length > 0) throw wrong(`'${path}' is the folder of one speaker, with the ${listed(at(0))} as chapters. Name a folder above it: '${join(path, '../..')}' would be the corpus`);
  const [deep] = found.values();
  if (deep) throw wrong(`'${path}' has recordings too deep down, the first at '${relative(path, deep.file)}'. Archives that were unpacked into a folder each must be put together: move their parts into one folder`);
  throw wrong(await whatIsThere(path, budget.left === 0));
}

async function requireFolder(path: string): Promise<void> {
  const isFolder = await stat(path).then((info) => info.isDirectory(), (cause: unknown) => {
    throw wrong(`There is no '${path}'`, cause);
  });
  if (!isFolder) throw wrong(/\.(tar|tgz|gz|zip)$/i.test(path) ? `'${path}' is an archive: unpack it (tar -xf) and name the folder` : `'${path}' is a file`);
}

async function whatIsThere(path: string, gaveUp: boolean): Promise<string> {
  const names = (await readdir(path)).sort();
  const archive = names.find((name) => /\.(tar|tgz|tar\.gz)$/i.test(name));
  if (names.length === 0) return `'${path}' is empty`;
  const some = `'${path}' has no recordings in such folders${gaveUp ? `, as far as ${mostFolders} folders of it tell,` : ''} but ${listed(names)}`;
  return archive === undefined ? some : `${some}. Unpack '${archive}' first (tar -xf)`;
}

/** How far the first recordings lie below a folder. */
async function levelOf(folder: string, budget: { left: number }, depth: number): Promise<Level | undefined> {
  if (budget.left === 0) return undefined;
  budget.left--;
  const own = await recordingIn(folder);
  if (own !== undefined) return { level: 0, file: join(folder, own) };
  if (depth === 0) return undefined;
  for (const name of await foldersIn(folder)) {
    const below = await levelOf(join(folder, name), budget, depth - 1);
    if (below) return { level: below.level + 1, file: below.file };
  }
  return undefined;
}

async function recordingIn(folder: string): Promise<string | undefined> {
  return (await readdir(folder).catch(() => [])).sort().find((name) => !name.startsWith('.') && /\.(flac|trans\.txt)$/i.test(name));
}

/** Names of folders, also where a link leads to one, sorted; hidden ones are none. */
export async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const kept = await Promise.all(entries.map(async (entry) => {
    if (entry.name.startsWith('.')) return false;
    return entry.isDirectory() || (entry.isSymbolicLink() && (await stat(join(folder, entry.name)).then((info) => info.isDirectory(), () => false)));
  }));
  return entries.filter((_, k) => kept[k]).map(({ name }) => name).sort();
}

function inOrder(splits: readonly string[]): string[] {
  const rank = (name: string): number => usualSplits.findIndex((usual) => name.startsWith(usual)) >>> 0;
  return [...splits].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

const listed = (names: readonly string[]): string => `${names.slice(0, 5).map((name) => `'${name}'`).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;

const wrong = (found: string, cause?: unknown): CoppiceError => new CoppiceError('COPPICE_DATASET_INVALID', `${expected}. ${found}.`, { cause });
