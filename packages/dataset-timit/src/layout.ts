import { CoppiceError } from '@coppice/graph';
import { isArchive, openTree, type FileTree } from '@coppice/speech/node';
import { stat } from 'node:fs/promises';
import { basename, posix } from 'node:path';

/** A published part of TIMIT and its folder in the tree. */
export interface PartFolder {
  readonly part: 'train' | 'test';
  readonly folder: string;
}

/** Where TIMIT lies. */
export interface TimitLayout {
  readonly tree: FileTree;
  readonly parts: readonly PartFolder[];
}

const expected = 'TIMIT is a folder with TRAIN and TEST (upper or lower case), in them DR1 to DR8, in them a folder for each speaker with recordings (SI1027.WAV), phones (SI1027.PHN) and sentences (SI1027.TXT). Name that folder, one around it, or the archive';

/** Folders around the corpus: `timit/data/TRAIN`. */
const deepest = 4;

/**
 * Finds the parts of TIMIT, however its folders are spelt.
 * @throws CoppiceError `COPPICE_DATASET_INVALID`
 */
export async function findParts(path: string): Promise<TimitLayout> {
  const info = await stat(path).catch((cause: unknown) => {
    throw unlike(`There is no '${path}'`, cause);
  });
  if (!info.isDirectory() && !isArchive(path)) throw unlike(`'${path}' is a file`);
  const tree = await openTree(path);
  let level = [''];
  for (let depth = 0; depth <= deepest; depth++) {
    const below: string[] = [];
    for (const at of level) {
      const { folders } = await tree.list(at);
      const parts: PartFolder[] = [];
      for (const part of ['train', 'test'] as const) {
        const folder = folders.find((name) => name.toLowerCase() === part);
        if (folder !== undefined && (await hasRegions(tree, posix.join(at, folder)))) parts.push({ part, folder: posix.join(at, folder) });
      }
      if (parts.length > 0) return { tree, parts };
      if (depth === 0 && (await hasRegions(tree, at))) {
        const own = basename(tree.path).toLowerCase();
        if (own === 'train' || own === 'test') return { tree, parts: [{ part: own, folder: at }] };
        throw unlike(`'${path}' has dialect regions and is called neither TRAIN nor TEST`);
      }
      below.push(...folders.map((name) => posix.join(at, name)));
    }
    // A whole disk may have been named.
    level = below.slice(0, 1000);
  }
  const { folders, files } = await tree.list('');
  const names = [...folders, ...files].sort();
  if (files.some((name) => /\.(wav|phn)(\.wav)?$/i.test(name))) throw unlike(`'${path}' is the folder of one speaker. Name a folder above it`);
  throw unlike(names.length === 0 ? `'${path}' is empty` : `'${path}' has no such folders but ${names.slice(0, 5).map((name) => `'${name}'`).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`);
}

/** DR1 to DR8, which a part has. */
export const isRegion = (name: string): boolean => /^dr[1-8]$/i.test(name);

const hasRegions = async (tree: FileTree, folder: string): Promise<boolean> => (await tree.list(folder)).folders.some(isRegion);

const unlike = (found: string, cause?: unknown): CoppiceError => new CoppiceError('COPPICE_DATASET_INVALID', `${expected}. ${found}.`, { cause });
