import { CoppiceError } from '@coppice/graph';
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Audio } from '../audio.ts';
import { computeFeatures, type Features, type FeatureSettings } from '../features/index.ts';

/** Of the files, and of the arithmetic of features: when either changes, so does this, and nothing that was kept is found again. */
const version = 1;

const magic = 'CPFT';
/** Magic, version, frames, checksum of these and of the numbers behind it; each four bytes, little-endian. */
const headBytes = 16;

/** Features that are kept on disk. */
export interface FeatureCache {
  /**
   * What `computeFeatures` gives, from the disk where it was computed before: for the same samples, rate and settings, whatever the recording is called.
   * @throws CoppiceError what `computeFeatures` throws; `COPPICE_FILE_WRITE` when the disk takes no more
   */
  readonly features: (audio: Audio, settings: FeatureSettings, where: string) => Promise<Features>;
  /** How many were found, and how many had to be computed. */
  readonly counts: { found: number; computed: number };
}

/**
 * A folder of features, a file each under the hash of what it was made of. Several processes may share it, and any may be killed at any time: a file is there whole or
 * not at all, a damaged one is computed anew, and what a killed process left half-written is removed after an hour.
 * @param compute computes what is not there yet, with the numbers of `computeFeatures`
 * @throws CoppiceError `COPPICE_FILE_WRITE` when the folder cannot be made
 */
export function createFeatureCache(folder: string, compute: (audio: Audio, settings: FeatureSettings, where: string) => Features | Promise<Features> = computeFeatures): FeatureCache {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw new CoppiceError('COPPICE_FILE_WRITE', `Features cannot be kept in '${folder}': the folder cannot be made. Name another one.`, { cause });
  }
  const counts = { found: 0, computed: 0 };
  const swept = removeLeftovers(folder);
  return {
    counts,
    async features(audio, settings, where) {
      const key = keyOf(audio, settings);
      const file = join(folder, key.slice(0, 2), `${key.slice(2)}.features`);
      const kept = await readFile(file).then(decode, () => undefined);
      if (kept !== undefined) {
        counts.found++;
        return kept;
      }
      const made = await compute(audio, settings, where);
      counts.computed++;
      await swept;
      await write(file, encode(made));
      return made;
    },
  };
}

/** All that features depend on. */
function keyOf({ samples, sampleRateHz }: Audio, settings: FeatureSettings): string {
  const stated = JSON.stringify({ version, sampleRateHz, settings: Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1)) });
  return createHash('sha256').update(`${stated}\n`).update(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength)).digest('hex');
}

function encode({ data, frames }: Features): Uint8Array {
  const bytes = Buffer.alloc(headBytes + data.byteLength);
  const numbers = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  bytes.write(magic, 'latin1');
  bytes.writeUInt32LE(version, 4);
  bytes.writeUInt32LE(frames, 8);
  bytes.writeUInt32LE(checksum(bytes, numbers), 12);
  bytes.set(numbers, headBytes);
  return bytes;
}

const checksum = (head: Buffer, numbers: Uint8Array): number => crc32(numbers, crc32(head.subarray(0, 12)));

/** Undefined for a file that is damaged. */
function decode(bytes: Buffer): Features | undefined {
  if (bytes.length <= headBytes || (bytes.length - headBytes) % 4 !== 0 || bytes.toString('latin1', 0, 4) !== magic || bytes.readUInt32LE(4) !== version) return undefined;
  const numbers = new Uint8Array(bytes.subarray(headBytes));
  const frames = bytes.readUInt32LE(8);
  if (checksum(bytes, numbers) !== bytes.readUInt32LE(12) || frames === 0 || (numbers.length / 4) % frames !== 0) return undefined;
  return { data: new Float32Array(numbers.buffer), frames, width: numbers.length / 4 / frames };
}

/** Under another name first: renaming is done at once or not at all. */
async function write(file: string, bytes: Uint8Array): Promise<void> {
  const unfinished = `${file}.${randomUUID()}${unfinishedEnd}`;
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(unfinished, bytes);
    await rename(unfinished, file);
  } catch (cause) {
    await rm(unfinished, { force: true }).catch(() => undefined);
    throw new CoppiceError('COPPICE_FILE_WRITE', `Features cannot be kept in '${dirname(file)}': ${cause instanceof Error ? cause.message : String(cause)}. Make room, or do without.`, { cause });
  }
}

const unfinishedEnd = '.unfinished';
const anHourMs = 3_600_000;

async function removeLeftovers(folder: string): Promise<void> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  for (const name of names.filter((path) => path.endsWith(unfinishedEnd))) {
    const file = join(folder, name);
    const info = await stat(file).catch(() => undefined);
    if (info !== undefined && Date.now() - info.mtimeMs > anHourMs) await rm(file, { force: true }).catch(() => undefined);
  }
}
