import { CoppiceError } from '@coppice/graph';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { inOrder } from '../in-order.ts';

/** What lies in a folder. Sorted by name; hidden files and folders are left out, a link counts as what it leads to. */
export interface Listing {
  readonly folders: readonly string[];
  readonly files: readonly string[];
}

/** The files of a corpus: a folder, or an archive that is read as if it had been unpacked. Paths have `/` between names; `''` is the root. */
export interface FileTree {
  /** As the user named it. */
  readonly path: string;
  /** What a user should be told, a sentence each. */
  readonly notes: readonly string[];
  /** Empty for a folder that is not there. */
  list(folder: string): Promise<Listing>;
  /**
   * All of a file.
   * @throws FileFault when it is not there, is no file, is longer than `mostBytes`, or is broken in its archive
   */
  read(file: string, mostBytes: number): Promise<Uint8Array>;
  /** How messages call a file or folder. */
  where(path: string): string;
  /** Where in its archive a file lies, of a tree that is fast only when it is read in this order. */
  position?(file: string): number;
}

/** Why a file cannot be read; the message is the end of a sentence that begins with the file. */
export class FileFault extends Error {
  override readonly name = 'FileFault';
}

/** A folder of the disk. A file may also be named by an absolute path, or by one that leaves the folder. */
export const folderTree = (path: string): FileTree => ({
  path,
  notes: [],
  async list(folder) {
    const entries = await readdir(resolve(path, folder), { withFileTypes: true }).catch(() => []);
    const [folders, files]: [string[], string[]] = [[], []];
    await Promise.all(entries.filter(({ name }) => !name.startsWith('.')).map(async (entry) => {
      const kind = entry.isSymbolicLink() ? await stat(resolve(path, folder, entry.name)).catch(() => entry) : entry;
      if (kind.isDirectory()) folders.push(entry.name);
      else if (kind.isFile()) files.push(entry.name);
    }));
    return { folders: folders.sort(), files: files.sort() };
  },
  async read(file, mostBytes) {
    const at = resolve(path, file);
    // Asked before it is opened: opening a pipe would wait for somebody to write into it.
    const info = await stat(at).catch((cause: unknown) => {
      throw new FileFault('cannot be read. Check that it is still there and may be read', { cause });
    });
    if (!info.isFile()) throw new FileFault(info.isDirectory() ? 'cannot be read: it is a folder' : 'cannot be read: it is no ordinary file');
    if (info.size > mostBytes) throw tooLong(info.size, mostBytes);
    return readFile(at).catch((cause: unknown) => {
      throw new FileFault('cannot be read. Check that it is still there and may be read', { cause });
    });
  },
  where: (file) => (file === '' ? path : join(resolve(file) === file ? '' : path, file)),
});

export const tooLong = (bytes: number, mostBytes: number): FileFault => new FileFault(`has ${megabytes(bytes)} MB, more than the ${megabytes(mostBytes)} MB that are read`);

const megabytes = (bytes: number): number => Math.round(bytes / 1e6);

/** The part of a tree below a folder. */
export const treeBelow = (tree: FileTree, folder: string): FileTree => {
  if (folder === '') return tree;
  const below = (path: string): string => (path === '' ? folder : `${folder}/${path}`);
  return {
    path: tree.where(folder), notes: tree.notes,
    list: (path) => tree.list(below(path)),
    read: (file, mostBytes) => tree.read(below(file), mostBytes),
    where: (path) => tree.where(below(path)),
    ...(tree.position === undefined ? {} : { position: (file: string) => tree.position!(below(file)) }),
  };
};

/** Longest list or transcript that is read. */
const mostTextBytes = 512e6;

/**
 * A file of text in UTF-8, without a byte order mark.
 * @throws CoppiceError `COPPICE_DATASET_INVALID` when it cannot be read or is no such text
 */
export async function readText(tree: FileTree, file: string): Promise<string> {
  const bytes = await readOr('COPPICE_DATASET_INVALID', tree, file, mostTextBytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CoppiceError('COPPICE_DATASET_INVALID', `'${tree.where(file)}' is not text in UTF-8. Convert it, e.g. with iconv -t UTF-8.`, { cause });
  }
}

/** The bytes of a file, or an error of that code which names it. */
export async function readOr(code: 'COPPICE_DATASET_INVALID' | 'COPPICE_AUDIO_INVALID', tree: FileTree, file: string, mostBytes: number): Promise<Uint8Array> {
  try {
    return await tree.read(file, mostBytes);
  } catch (cause) {
    if (!(cause instanceof FileFault)) throw cause;
    const where = tree.where(file);
    throw new CoppiceError(code, `${code === 'COPPICE_AUDIO_INVALID' ? where : `'${where}'`} ${cause.message}.`, { cause });
  }
}

/** In the order in which a tree is read fastest: as they lie in an archive that only goes forward, else as they come. */
export function inReadingOrder<T>(tree: FileTree, items: readonly T[], fileOf: (item: T) => string): readonly T[] {
  const position = tree.position?.bind(tree);
  if (position === undefined) return items;
  return items.map((item) => ({ item, at: position(fileOf(item)) })).sort((a, b) => a.at - b.at).map(({ item }) => item);
}

/** All results in order, at most `width` under way at a time: a corpus has more files than a process may open. */
export const inTurns = <T, R>(items: readonly T[], width: number, run: (item: T) => Promise<R>): Promise<R[]> => Array.fromAsync(inOrder(items, width, run));
