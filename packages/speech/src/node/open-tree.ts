import { CoppiceError } from '@coppice/graph';
import { open, stat } from 'node:fs/promises';
import { badArchive, usualLimits, type ArchiveLimits } from './archive-index.ts';
import { folderTree, type FileTree } from './file-tree.ts';

/** Names of archives that are read without being unpacked. */
export const isArchive = (path: string): boolean => /\.(tar|tar\.gz|tgz|zip)$/i.test(path);

/**
 * The files of a folder, or of an archive as it was downloaded: `.tar`, `.tar.gz`, `.tgz`, `.zip`. Archives are read as streams: nothing is ever written.
 * @param limits what an archive may hold, where it is not the usual
 * @throws CoppiceError `COPPICE_DATASET_INVALID` when there is nothing, it is another file, or the archive is broken or hostile
 */
export async function openTree(path: string, limits: Partial<ArchiveLimits> = {}): Promise<FileTree> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new CoppiceError('COPPICE_DATASET_INVALID', `There is no '${path}'. Check the name and the folder.`, { cause });
  });
  if (info.isDirectory()) return folderTree(path);
  if (!info.isFile() || !isArchive(path)) throw new CoppiceError('COPPICE_DATASET_INVALID', `'${path}' is neither a folder nor an archive. Name the folder of the corpus.`);
  if (info.size === 0) throw badArchive(path, 'is empty');
  const all = { ...usualLimits, ...limits };
  // Loaded when they are needed: most corpora lie in folders.
  if (await isZip(path)) return (await import('./zip-tree.ts')).zipTree(path, all);
  return (await import('./tar-tree.ts')).tarTree(path, all);
}

/** By its first bytes: an archive may be called as it likes. An empty ZIP archive has its directory only. */
async function isZip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return ['PK\x03\x04', 'PK\x05\x06'].includes(buffer.toString('latin1'));
  } finally {
    await file.close();
  }
}
