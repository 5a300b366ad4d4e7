import { CoppiceError } from '@coppice/graph';
import type { Listing } from './file-tree.ts';

/** Limits of what an archive may hold; a corpus of a thousand hours has 300,000 files. */
export interface ArchiveLimits {
  readonly mostEntries: number;
  /** Bytes that one byte of the archive may become; deflate alone can reach 1032. */
  readonly mostGrowth: number;
}

export const usualLimits: ArchiveLimits = { mostEntries: 1_000_000, mostGrowth: 200 };

/** So much may an archive grow whatever its size: small archives of silence are no bombs. */
export const growthAllowed = 64e6;

/** All names together. */
const mostNameBytes = 256e6;
const mostDepth = 64;

/** An archive that is broken or hostile; nothing of it is used. */
export const badArchive = (path: string, what: string, cause?: unknown): CoppiceError =>
  new CoppiceError('COPPICE_DATASET_INVALID', `The archive '${path}' ${what}. Download it again from where it is published.`, { cause });

/** Names of the files in an archive, checked one by one as they are found. */
export interface ArchiveIndex<T> {
  /** @throws CoppiceError `COPPICE_DATASET_INVALID` for a name that leaves the archive, one that is there twice, and too many of them */
  add(name: string, entry: T): void;
  get(file: string): T | undefined;
  list(folder: string): Listing;
}

export function createIndex<T>(path: string, { mostEntries }: ArchiveLimits): ArchiveIndex<T> {
  const entries = new Map<string, T>();
  const folders = new Map<string, { readonly folders: Set<string>; readonly files: string[] }>();
  let nameBytes = 0;
  const folderAt = (folder: string): { readonly folders: Set<string>; readonly files: string[] } => {
    const known = folders.get(folder);
    if (known !== undefined) return known;
    const made = { folders: new Set<string>(), files: [] };
    folders.set(folder, made);
    if (folder !== '') folderAt(parentOf(folder)).folders.add(nameOf(folder));
    return made;
  };
  return {
    add(name, entry) {
      const file = checkName(path, name);
      nameBytes += name.length;
      if (entries.size >= mostEntries) throw badArchive(path, `has more than ${mostEntries.toLocaleString('en')} entries, which no corpus has`);
      if (nameBytes > mostNameBytes) throw badArchive(path, 'has names that are longer than those of any corpus');
      if (entries.has(file)) throw badArchive(path, `has '${file}' twice`);
      entries.set(file, entry);
      // What systems put beside files: hidden ones, and what macOS adds to ZIP archives.
      if (!/(^|\/)(\.|__MACOSX(\/|$))/.test(file)) folderAt(parentOf(file)).files.push(nameOf(file));
    },
    get: (file) => entries.get(file),
    list(folder) {
      const own = folders.get(folder);
      return { folders: [...(own?.folders ?? [])].sort(), files: own?.files.toSorted() ?? [] };
    },
  };
}

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));
const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/**
 * The path of an entry, without `./` before it.
 * @throws CoppiceError `COPPICE_DATASET_INVALID` for an absolute one, and one that leaves the archive
 */
export function checkName(path: string, name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  const shown = JSON.stringify(name.slice(0, 100));
  if (name.startsWith('/') || /^[a-z]:/i.test(name) || name.includes('\\')) throw badArchive(path, `has an entry with an absolute path or one of Windows, ${shown}`);
  if (parts.includes('..')) throw badArchive(path, `has an entry that leads out of it, ${shown}`);
  if (name.includes('\0') || parts.length === 0 || parts.length > mostDepth) throw badArchive(path, `has an entry without a usable name, ${shown}`);
  return parts.join('/');
}

/** @throws CoppiceError `COPPICE_DATASET_INVALID` for a link that leaves the archive; other links are left out */
export function checkLink(path: string, name: string, target: string): void {
  const at = target.startsWith('/') || /^[a-z]:/i.test(target) || target.includes('\\') ? undefined : `${parentOf(name)}/${target}`;
  let depth = 0;
  for (const part of at?.split('/') ?? ['..']) {
    if (part === '..') depth--;
    else if (part !== '' && part !== '.') depth++;
    if (depth < 0) throw badArchive(path, `has a link that leads out of it, '${name.slice(0, 100)}' to '${target.slice(0, 100)}'`);
  }
}
