import { CoppiceError } from '@coppice/graph';
import { join } from 'node:path';
import { checkLink, createIndex, type ArchiveLimits } from './archive-index.ts';
import { FileFault, tooLong, type FileTree } from './file-tree.ts';
import { readTar, type TarEntry } from './tar-stream.ts';

interface Place {
  readonly position: number;
  readonly size: number;
  /** Of short lists and transcripts, which lie between recordings and are wanted first. */
  readonly text?: Uint8Array;
}

/** Lists and labels are kept when the archive is read for the first time, up to so many bytes each and together. */
const textPattern = /\.(txt|phn|wrd|csv|tsv|jsonl?|ndjson)$|(^|\/)(wav\.scp|text|utt2spk|segments)$/i;
const mostTextBytes = 4e6;
const mostTextBytesTogether = 128e6;

/**
 * A `.tar` or `.tar.gz` as a tree. It is read once to its end to learn what is in it; after that, files that are asked for in its order are found while it is
 * read a second time, and one that lies before the last one begins a new reading.
 * @throws CoppiceError `COPPICE_DATASET_INVALID` for an archive that is broken or hostile
 */
export async function tarTree(path: string, limits: ArchiveLimits): Promise<FileTree> {
  const index = createIndex<Place>(path, limits);
  let texts = 0;
  let links = 0;
  const wantsText = ({ name, kind, size }: Pick<TarEntry, 'name' | 'kind' | 'size'>): boolean => {
    if (kind !== 'file' || size > mostTextBytes || !textPattern.test(name) || texts + size > mostTextBytesTogether) return false;
    texts += size;
    return true;
  };
  for await (const { name, kind, target, position, size, bytes } of readTar(path, wantsText, limits)) {
    if (kind === 'link') {
      checkLink(path, name, target);
      links++;
    }
    if (kind === 'file') index.add(name, { position, size, ...(bytes === undefined ? {} : { text: bytes }) });
  }
  const cursor = createCursor(path, limits);
  return {
    path,
    notes: [
      `'${path}' is read from its beginning to its end, and utterances come as they lie in it. Unpacked, it is read in any order.`,
      ...(links > 0 ? [`'${path}' has ${links} links, which are left out.`] : []),
    ],
    list: async (folder) => index.list(folder),
    async read(file, mostBytes) {
      const place = index.get(file);
      if (place === undefined) throw new FileFault('is not in the archive');
      if (place.size > mostBytes) throw tooLong(place.size, mostBytes);
      if (place.text !== undefined) return place.text.slice();
      return cursor(place.position);
    },
    where: (file) => join(path, file),
    position: (file) => index.get(file)?.position ?? Infinity,
  };
}

/** Longest entry that is kept while another one is looked for. */
const mostKeptBytes = 64e6;

/** Gives the bytes of entries by their position, one request after the other. */
function createCursor(path: string, limits: ArchiveLimits): (position: number) => Promise<Uint8Array> {
  let entries: AsyncGenerator<TarEntry, undefined> | undefined;
  let wanted = 0;
  /** The position that comes next. */
  let at = 0;
  let last: Promise<unknown> = Promise.resolve();
  const find = async (position: number): Promise<Uint8Array> => {
    if (entries === undefined || position < at) {
      await entries?.return(undefined);
      // What comes just behind a wanted entry is in the same piece of the file, and likely wanted next.
      entries = readTar(path, (entry) => entry.kind === 'file' && (entry.position === wanted || (entry.position > wanted && entry.size <= mostKeptBytes)), limits);
      at = 0;
    }
    wanted = position;
    for (;;) {
      const next = await entries.next();
      if (next.done === true) break;
      at = next.value.position + 1;
      if (next.value.position !== position) continue;
      if (next.value.bytes !== undefined) return next.value.bytes;
      // It went by in a piece that was read before anybody wanted it, and was too long to be kept.
      await entries.return(undefined);
      entries = undefined;
      return find(position);
    }
    entries = undefined;
    throw new FileFault('is no longer in the archive, which has changed since it was opened');
  };
  return (position) => {
    const mine = last.then(() => find(position)).catch((error: unknown) => {
      entries = undefined;
      if (error instanceof CoppiceError) throw new FileFault(`cannot be read: ${error.message.replace(/\.$/, '')}`, { cause: error });
      throw error;
    });
    last = mine.catch(() => undefined);
    return mine;
  };
}
