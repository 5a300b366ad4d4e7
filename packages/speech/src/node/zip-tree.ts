import { CoppiceError } from '@coppice/graph';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { crc32, inflateRaw } from 'node:zlib';
import { fromRandomAccessReaderPromise, type Entry, type ZipFile } from 'yauzl';
import { badArchive, checkLink, checkName, createIndex, growthAllowed, type ArchiveLimits } from './archive-index.ts';
import { FileFault, tooLong, type FileTree } from './file-tree.ts';
import { BlockReader } from './zip-reader.ts';

/**
 * A `.zip` as a tree. Only its directory is read at first; files are found by it, in any order.
 * @throws CoppiceError `COPPICE_DATASET_INVALID` for an archive that is broken or hostile
 */
export async function zipTree(path: string, limits: ArchiveLimits): Promise<FileTree> {
  const index = createIndex<Entry>(path, limits);
  let [links, bytes] = [0, 0];
  const reader = new BlockReader(path);
  let zip: ZipFile;
  try {
    // Names are checked here, so that a message can say what is wrong with them.
    const { size } = statSync(path);
    zip = await fromRandomAccessReaderPromise(reader, size, { lazyEntries: true, autoClose: false, strictFileNames: true });
    const most = growthAllowed + limits.mostGrowth * size;
    for await (const entry of zip.eachEntry()) {
      bytes += entry.uncompressedSize;
      if (bytes > most) throw badArchive(path, `grows to more than ${limits.mostGrowth} times its size when it is unpacked, as no recordings do`);
      if (entry.fileName.endsWith('/')) checkName(path, entry.fileName);
      else if (isLink(entry)) {
        checkLink(path, entry.fileName, Buffer.from(await readEntry(zip, reader, entry, 4096)).toString());
        links++;
      } else index.add(entry.fileName, entry);
    }
  } catch (cause) {
    if (cause instanceof CoppiceError) throw cause;
    throw badArchive(path, `is cut off, broken or hostile: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  return {
    path,
    notes: links > 0 ? [`'${path}' has ${links} links, which are left out.`] : [],
    list: async (folder) => index.list(folder),
    async read(file, mostBytes) {
      const entry = index.get(file);
      if (entry === undefined) throw new FileFault('is not in the archive');
      return readEntry(zip, reader, entry, mostBytes);
    },
    where: (file) => join(path, file),
  };
}

/** Unix keeps the kind of a file in the upper half of what a ZIP archive calls external attributes. */
const isLink = ({ externalFileAttributes }: Entry): boolean => ((externalFileAttributes >>> 16) & 0o170000) === 0o120000;

const unpack = promisify(inflateRaw);
const [stored, deflated] = [0, 8];

async function readEntry(zip: ZipFile, reader: BlockReader, entry: Entry, mostBytes: number): Promise<Uint8Array> {
  const { compressedSize, compressionMethod, uncompressedSize } = entry;
  if (entry.isEncrypted()) throw new FileFault('is encrypted in the archive; unpack it with its password');
  if (compressionMethod !== stored && compressionMethod !== deflated) throw new FileFault(`is compressed by method ${compressionMethod} in the archive, which is not read; unpack it`);
  if (uncompressedSize > mostBytes || compressedSize > mostBytes) throw tooLong(Math.max(compressedSize, uncompressedSize), mostBytes);
  let bytes: Buffer;
  try {
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
    const packed = await reader.bytes(fileDataStart, compressedSize);
    bytes = compressionMethod === stored ? packed : await unpack(packed, { maxOutputLength: Math.max(1, uncompressedSize) });
  } catch (cause) {
    if (cause instanceof RangeError) throw new FileFault(`is broken in the archive: it is longer than the ${uncompressedSize} bytes that it states`, { cause });
    throw new FileFault(`is broken in the archive: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  if (bytes.length !== uncompressedSize) throw new FileFault(`is broken in the archive: it has ${bytes.length} bytes instead of ${uncompressedSize}`);
  if (crc32(bytes) !== entry.crc32) throw new FileFault('is broken in the archive: its checksum is wrong');
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
