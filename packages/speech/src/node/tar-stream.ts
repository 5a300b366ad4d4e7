import { CoppiceError } from '@coppice/graph';
import { createReadStream, type ReadStream } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { createGunzip, type Gunzip } from 'node:zlib';
import { Parser, type ReadEntry } from 'tar';
import { badArchive, growthAllowed, type ArchiveLimits } from './archive-index.ts';

/** An entry of a tar archive as it comes by. */
export interface TarEntry {
  readonly name: string;
  readonly kind: 'file' | 'link' | 'other';
  /** Of a link. */
  readonly target: string;
  readonly size: number;
  /** Where it lies, from 0. */
  readonly position: number;
  /** Undefined where it was not wanted. */
  readonly bytes?: Uint8Array;
}

/** Bytes of a block of tar. */
const block = 512;

/** What of an archive is kept while it goes by. */
export type WantsBytes = (entry: Pick<TarEntry, 'name' | 'kind' | 'size' | 'position'>) => boolean;

/**
 * The entries of a `.tar` or `.tar.gz` from its beginning to its end; no more of it is held than one entry and what lies in the same piece of the file.
 * @throws CoppiceError `COPPICE_DATASET_INVALID` for an archive that is broken, cut off, or a bomb
 */
export async function* readTar(path: string, wants: WantsBytes, { mostGrowth }: ArchiveLimits): AsyncGenerator<TarEntry, undefined> {
  const file = createReadStream(path, { highWaterMark: 2 ** 18 });
  let fault: string | undefined;
  const done: TarEntry[] = [];
  const parser = new Parser({
    onwarn: (code, message) => {
      if (code !== 'TAR_ENTRY_INFO') fault ??= String(message);
    },
  });
  let position = 0;
  const take = (entry: ReadEntry): void => {
    const kind = entry.type === 'SymbolicLink' || entry.type === 'Link' ? 'link' : entry.type === 'File' || entry.type === 'OldFile' || entry.type === 'ContiguousFile' ? 'file' : 'other';
    const own = { name: entry.path, kind, target: entry.linkpath ?? '', size: entry.size, position: position++ } as const;
    if (!wants(own)) {
      done.push(own);
      entry.resume();
      return;
    }
    const pieces: Uint8Array[] = [];
    // A piece is part of a larger buffer that is used again.
    entry.on('data', (piece: Uint8Array) => void pieces.push(piece.slice()));
    entry.on('end', () => void done.push({ ...own, bytes: joined(pieces) }));
  };
  parser.on('entry', take);
  parser.on('ignoredEntry', (entry: ReadEntry) => void done.push({ name: entry.path, kind: 'other', target: '', size: entry.size, position: position++ }));
  let tail: Uint8Array = new Uint8Array();
  try {
    for await (const piece of unpacked(file, path, mostGrowth)) {
      tail = piece.length >= block ? piece.subarray(-block) : Buffer.concat([tail, piece]).subarray(-block);
      parser.write(piece);
      if (fault !== undefined) throw badArchive(path, `is broken: ${fault}`);
      yield* done.splice(0);
    }
    parser.end();
    if (fault !== undefined) throw badArchive(path, `is cut off or broken: ${fault}`);
    // An archive ends in blocks of zeros; cut between two entries it would look whole.
    if (tail.length < block || tail.some((byte) => byte !== 0)) throw badArchive(path, 'is cut off: it lacks the mark at its end');
    yield* done.splice(0);
  } catch (cause) {
    if (cause instanceof CoppiceError) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw badArchive(path, `is cut off or broken: ${message}`, cause);
  } finally {
    file.destroy();
  }
}

/** The bytes of a tar archive, whether it is compressed or not. */
async function* unpacked(file: ReadStream, path: string, mostGrowth: number): AsyncGenerator<Buffer, undefined> {
  const pieces: AsyncIterable<Buffer> = file;
  let gunzip: Gunzip | undefined;
  let [read, made, first] = [0, 0, true];
  const source = pieces[Symbol.asyncIterator]();
  const head = await source.next();
  if (head.done === true) throw badArchive(path, 'is empty');
  async function* all(): AsyncGenerator<Buffer, undefined> {
    for (let next: IteratorResult<Buffer> = head; next.done !== true; next = await source.next()) {
      read += next.value.length;
      yield next.value;
    }
  }
  if (isGzip(head.value)) {
    gunzip = createGunzip({ chunkSize: 2 ** 18 });
    // What goes wrong is thrown where its output is read.
    pipeline(Readable.from(all()), gunzip, () => undefined);
  }
  try {
    for await (const piece of (gunzip as AsyncIterable<Buffer> | undefined) ?? all()) {
      made += piece.length;
      if (first && isGzip(piece)) throw badArchive(path, 'is an archive within an archive');
      first = false;
      if (made > growthAllowed + mostGrowth * read) throw badArchive(path, `grows to more than ${mostGrowth} times its size when it is unpacked, as no recordings do`);
      yield piece;
    }
  } finally {
    gunzip?.destroy();
  }
}

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
