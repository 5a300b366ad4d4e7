import { createReadStream, openSync, read, type ReadStream } from 'node:fs';
import { RandomAccessReader } from 'yauzl';

/** So much of a file is read at once where small pieces are asked for. */
const blockBytes = 1 << 16;

/** A file as the ZIP reader wants it. The directory of an archive is asked for in pieces of a few bytes, so a block of it is kept. */
export class BlockReader extends RandomAccessReader {
  readonly #path: string;
  readonly #fd: number;
  #begin = 0;
  #block = Buffer.alloc(0);

  constructor(path: string) {
    super();
    this.#path = path;
    this.#fd = openSync(path, 'r');
  }

  override _readStreamForRange(start: number, end: number): ReadStream {
    return createReadStream(this.#path, { start, end: end - 1 });
  }

  override read(buffer: Buffer, offset: number, length: number, position: number, callback: (error: Error | null) => void): void {
    const at = position - this.#begin;
    if (at >= 0 && at + length <= this.#block.length) {
      this.#block.copy(buffer, offset, at, at + length);
      process.nextTick(callback, null);
      return;
    }
    const size = Math.max(length, blockBytes);
    read(this.#fd, Buffer.allocUnsafe(size), 0, size, position, (error, count, block) => {
      if (error !== null || count < length) return callback(error ?? new Error('unexpected end of file'));
      this.#begin = position;
      this.#block = block.subarray(0, count);
      block.copy(buffer, offset, 0, length);
      callback(null);
    });
  }

  /** So many bytes from a place on. */
  bytes(position: number, length: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      read(this.#fd, Buffer.alloc(length), 0, length, position, (error, count, block) => {
        if (error === null && count === length) resolve(block);
        else reject(error ?? new Error('unexpected end of file'));
      });
    });
  }
}
