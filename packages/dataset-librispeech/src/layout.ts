import { CoppiceError } from '@coppice/graph';
import { isArchive, openTree, type FileTree } from '@coppice/speech/node';
import { stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';

/** Where the parts of a corpus lie. */
export interface Layout {
  readonly tree: FileTree;
  /** Their names and folders: `train` and what begins so first, then `dev`, `test` and others. */
  readonly splits: readonly SplitFolder[];
  /** Sentences about what lies there and is no part. */
  readonly notes: readonly string[];
}

/** A part and its folder in the tree. */
export interface SplitFolder {
  readonly name: string;
  readonly folder: string;
}

/** The parts that a user may name without knowing the corpus. */
export const usualSplits = ['train', 'dev', 'test'] as const;

const expected = "LibriSpeech is a folder of parts (train-clean-100, dev-clean, …) with the recordings in PART/SPEAKER/CHAPTER/SPEAKER-CHAPTER-NNNN.flac and their transcripts in SPEAKER-CHAPTER.trans.txt beside them. Name that folder, the folder around it, one part, or an archive as it was downloaded";

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
  const info = await stat(path).catch((cause: unknown) => {
    throw wrong(`There is no '${path}'`, cause);
  });
  if (!info.isDirectory() && !isArchive(path)) throw wrong(`'${path}' is a file`);
  return findIn(await openTree(path), '');
}

async function findIn(tree: FileTree, at: string): Promise<Layout> {
  const [path, budget, { folders }] = [tree.where(at), { left: mostFolders }, await tree.list(at)];
  const own = await recordingIn(tree, at);
  if (own !== undefined) throw wrong(`'${path}' is a chapter of one speaker: it has '${own}' itself. Name a folder above it: '${join(path, '../../..')}' would be the corpus`);
  const found = new Map<string, Level>();
  for (const name of folders) {
    const level = await levelOf(tree, below(at, name), budget, deepest);
    if (level !== undefined) found.set(name, level);
  }
  const ofLevel = (wanted: number): string[] => folders.filter((name) => found.get(name)?.level === wanted);
  const [splits, corpora] = [ofLevel(2), ofLevel(3)];
  if (splits.length > 0) {
    const others = [...found].filter(([, { level }]) => level !== 2);
    const notes = others.map(([name, { file }]) => `'${join(path, name)}' is no part of the corpus and is left out: its recordings lie at the wrong level, e.g. '${relative(at, file)}'.`);
    return { tree, splits: inOrder(splits).map((name) => ({ name, folder: below(at, name) })), notes };
  }
  if (corpora.length === 1) return findIn(tree, below(at, corpora[0]));
  if (corpora.length > 1) throw wrong(`'${path}' has several corpora. Name one of them: ${listed(corpora)}`);
  if (ofLevel(1).length > 0) return { tree, splits: [{ name: basename(path).replace(/\.(tar|tar\.gz|tgz|zip)$/i, ''), folder: at }], notes: [] };
  if (ofLevel(0).length > 0) throw wrong(`'${path}' is the folder of one speaker, with the ${listed(ofLevel(0))} as chapters. Name a folder above it: '${join(path, '../..')}' would be the corpus`);
  const [deep] = found.values();
  if (deep) throw wrong(`'${path}' has recordings too deep down, the first at '${relative(at, deep.file)}'. Archives that were unpacked into a folder each must be put together: move their parts into one folder`);
  throw wrong(await whatIsThere(tree, at, budget.left === 0));
}

const below = (at: string, name: string): string => (at === '' ? name : `${at}/${name}`);

async function whatIsThere(tree: FileTree, at: string, gaveUp: boolean): Promise<string> {
  const { folders, files } = await tree.list(at);
  const names = [...folders, ...files].sort();
  const archive = files.find(isArchive);
  if (names.length === 0) return `'${tree.where(at)}' is empty`;
  const some = `'${tree.where(at)}' has no recordings in such folders${gaveUp ? `, as far as ${mostFolders} folders of it tell,` : ''} but ${listed(names)}`;
  return archive === undefined ? some : `${some}. Name the archive '${archive}' itself, or unpack it (tar -xf)`;
}

/** How far the first recordings lie below a folder. */
async function levelOf(tree: FileTree, folder: string, budget: { left: number }, depth: number): Promise<Level | undefined> {
  if (budget.left === 0) return undefined;
  budget.left--;
  const own = await recordingIn(tree, folder);
  if (own !== undefined) return { level: 0, file: below(folder, own) };
  if (depth === 0) return undefined;
  for (const name of (await tree.list(folder)).folders) {
    const deeper = await levelOf(tree, below(folder, name), budget, depth - 1);
    if (deeper) return { level: deeper.level + 1, file: deeper.file };
  }
  return undefined;
}

/** A folder called as a recording counts as one: something went wrong there, and it is said where its sound is asked for. */
async function recordingIn(tree: FileTree, folder: string): Promise<string | undefined> {
  const { files, folders } = await tree.list(folder);
  return [...files, ...folders].sort().find((name) => /\.(flac|trans\.txt)$/i.test(name));
}

function inOrder(splits: readonly string[]): string[] {
  const rank = (name: string): number => usualSplits.findIndex((usual) => name.startsWith(usual)) >>> 0;
  return [...splits].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

const listed = (names: readonly string[]): string => `${names.slice(0, 5).map((name) => `'${name}'`).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;

const wrong = (found: string, cause?: unknown): CoppiceError => new CoppiceError('COPPICE_DATASET_INVALID', `${expected}. ${found}.`, { cause });
