import { CoppiceError } from '@coppice/graph';
import { folderTree, isArchive, openTree, type FileTree } from '@coppice/speech/node';
import { stat } from 'node:fs/promises';
import { basename, dirname, posix } from 'node:path';
import { readKaldi, type KaldiFolder } from './kaldi.ts';
import { partOf, readLists, type ListFile } from './lists.ts';
import type { ManifestOptions } from './options.ts';
import { isList } from './records.ts';
import type { Rows } from './row.ts';
import { isSpeechCommands, readSpeechCommands } from './speech-commands.ts';

/** What a path turned out to be. */
export interface Manifest extends Rows {
  readonly tree: FileTree;
  /** e.g. `NeMo or another list`, for messages. */
  readonly layout: 'list' | 'Common Voice' | 'audiofolder' | 'Kaldi' | 'Speech Commands';
}

const expected = 'A manifest is a list of recordings (JSON lines, CSV or TSV), a folder of such lists, a data directory of Kaldi (wav.scp, text), a corpus of Common Voice (train.tsv, clips/), a folder with metadata.csv or metadata.jsonl, or Speech Commands (validation_list.txt); or an archive of one of them';

/** Folders that only hold another one are passed through, so deep. */
const deepest = 3;

/**
 * Reads the rows of whatever lies at a path.
 * @throws CoppiceError `COPPICE_DATASET_INVALID` when it is nothing that is known
 */
export async function readManifest(path: string, options: ManifestOptions): Promise<Manifest> {
  const info = await stat(path).catch((cause: unknown) => {
    throw unlike(`There is no '${path}'`, cause);
  });
  if (info.isDirectory() || isArchive(path)) return readFolder(await openTree(path), '', options, deepest);
  const [tree, file] = [folderTree(dirname(path)), basename(path)];
  if (file === 'wav.scp') return readFolder(tree, '', options, 0);
  if (!isList(file)) throw unlike(`'${path}' is none of these`);
  return { tree, layout: 'list', ...(await readLists(tree, [{ file, split: partOf(stem(file)), bases: basesOf('', options) }], options)) };
}

async function readFolder(tree: FileTree, at: string, options: ManifestOptions, depth: number): Promise<Manifest> {
  const { folders, files } = await tree.list(at);
  const kaldi = await kaldiFolders(tree, at);
  if (kaldi.length > 0) return { tree, layout: 'Kaldi', ...(await readKaldi(tree, kaldi, options)) };
  if (isSpeechCommands(files)) return { tree, layout: 'Speech Commands', ...(await readSpeechCommands(tree, at)) };
  const lists = files.filter(isList);
  if (folders.includes('clips') && lists.some((file) => /\.tsv$/i.test(file))) return readCommonVoice(tree, at, lists, options);
  const metadata = await metadataFiles(tree, at, options);
  if (metadata.length > 0) return { tree, layout: 'audiofolder', ...(await readLists(tree, metadata, options)) };
  if (lists.length > 0) {
    const read = await readLists(tree, lists.map((file) => ({ file: posix.join(at, file), split: partOf(stem(file)), bases: basesOf(at, options) })), options);
    if (read.rows.length > 0 || read.skipped.length > 0) return { tree, layout: 'list', ...read };
    throw unlike(`'${tree.where(at)}' has lists that name no recordings. ${read.notes.join(' ')}`.replace(/\.$/, ''));
  }
  if (depth > 0 && folders.length === 1) return readFolder(tree, posix.join(at, folders[0]), options, depth - 1);
  const names = [...folders, ...files].sort();
  const some = names.slice(0, 5).map((name) => `'${name}'`).join(', ');
  throw unlike(names.length === 0 ? `'${tree.where(at)}' is empty` : `'${tree.where(at)}' has none of these but ${some}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`);
}

/** The folder itself, those in it, or those in `data/`. */
async function kaldiFolders(tree: FileTree, at: string): Promise<KaldiFolder[]> {
  const { folders, files } = await tree.list(at);
  if (files.includes('wav.scp')) return [{ folder: at, split: posix.basename(at) || basename(tree.path) }];
  const found: KaldiFolder[] = [];
  for (const base of [at, posix.join(at, 'data')]) {
    for (const name of base === at ? folders : (await tree.list(base)).folders) {
      const folder = posix.join(base, name);
      if ((await tree.list(folder)).files.includes('wav.scp')) found.push({ folder, split: name });
    }
    if (found.length > 0) break;
  }
  return found;
}

/** Common Voice, Ardila et al. 2020: the parts that share no speaker are train, dev and test; the others hold them too, or what nobody checked. */
async function readCommonVoice(tree: FileTree, at: string, lists: readonly string[], options: ManifestOptions): Promise<Manifest> {
  const parts = ['train.tsv', 'dev.tsv', 'test.tsv'].filter((file) => lists.includes(file));
  const chosen = parts.length > 0 ? parts : lists.filter((file) => /^(validated|other|invalidated)\.tsv$/.test(file));
  const left = lists.filter((file) => !chosen.includes(file));
  const bases = options.root === undefined ? [posix.join(at, 'clips'), at] : [options.root];
  const read = await readLists(tree, chosen.map((file) => ({ file: posix.join(at, file), split: stem(file), bases })), options);
  const notes = left.length === 0 ? [] : [`Left aside: ${left.join(', ')}, which repeat recordings of the other parts or were not checked; name one of them to read it.`];
  return { tree, layout: 'Common Voice', ...read, notes: [...read.notes, ...notes] };
}

/** `metadata.csv` or `metadata.jsonl` of Hugging Face's audiofolder, here or in the folder of each part. */
async function metadataFiles(tree: FileTree, at: string, options: ManifestOptions): Promise<ListFile[]> {
  const { folders, files } = await tree.list(at);
  const isMetadata = (name: string): boolean => /^metadata\.(csv|jsonl)$/i.test(name);
  const own = files.filter(isMetadata).slice(0, 1);
  if (own.length > 0) return own.map((file) => ({ file: posix.join(at, file), bases: basesOf(at, options) }));
  const found: ListFile[] = [];
  for (const split of folders) {
    const folder = posix.join(at, split);
    const [file] = (await tree.list(folder)).files.filter(isMetadata);
    if (file !== undefined) found.push({ file: posix.join(folder, file), split, bases: basesOf(folder, options) });
  }
  return found;
}

const basesOf = (at: string, { root }: ManifestOptions): string[] => (root === undefined ? [at, posix.join(at, 'clips'), posix.join(at, '..')] : [root]);

const stem = (file: string): string => basename(file).replace(/\.[^.]*$/, '');

const unlike = (found: string, cause?: unknown): CoppiceError => new CoppiceError('COPPICE_DATASET_INVALID', `${expected}. ${found}.`, { cause });
