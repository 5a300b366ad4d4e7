import { CoppiceError } from '@coppice/graph';
import { checkBrokenShare, decodeWav, resampleAudio, skippedNotes, type Audio, type SkippedFile, type Utterance } from '@coppice/speech';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createRecordingCache, type RecordingCache } from './recording-cache.ts';

/** One spoken digit: a file `{digit}_{speaker}_{index}.wav`, whose name without the end is the id. */
export interface Recording extends Utterance {
  readonly speaker: string;
  /** 0–9. */
  readonly digit: number;
  /** Which of the speaker's takes of that digit. */
  readonly index: number;
  readonly seconds: number;
  /** Of what `audio()` gives. */
  readonly sampleRateHz: number;
}

/** What a folder holds. */
export interface RecordingsFolder {
  /** Where the files lie: the folder that was named, or `recordings/` in it. */
  readonly folder: string;
  /** By speaker, digit and index. */
  readonly recordings: readonly Recording[];
  readonly skipped: readonly SkippedFile[];
  readonly sampleRateHz: number;
  /** What a user should know, a sentence each: what was skipped, resampled, or decided in decoding. */
  readonly notes: readonly string[];
}

/** How a folder is read. */
export interface ReadRecordingsOptions {
  /** Recordings of other rates are resampled to it. Default: the rate that most of them have. */
  readonly sampleRateHz?: number;
  /** Up to this share of the files may be broken and is skipped. Default 0.01. */
  readonly maxBrokenShare?: number;
  /** Bound of the samples held in memory. Default 64 MB, which holds the whole corpus. */
  readonly cacheBytes?: number;
}

const words = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
const namePattern = /^(\d)_([^_]+)_(\d{1,9})\.wav$/i;
const expected = 'The Free Spoken Digit Dataset is a folder of files named {digit}_{speaker}_{index}.wav, e.g. 7_jackson_12.wav, or its repository, which has them in recordings/';

/**
 * Reads the Free Spoken Digit Dataset as it is published. Every file is decoded once, so that what is broken is known at the start.
 * @throws CoppiceError `COPPICE_DATASET_INVALID` when the folder is not that corpus or too much of it is broken
 */
export async function readRecordings(path: string, options: ReadRecordingsOptions = {}): Promise<RecordingsFolder> {
  const { maxBrokenShare = 0.01, cacheBytes = 64e6 } = options;
  const { folder, files } = await findFolder(path);
  const cache = createRecordingCache(cacheBytes);
  const decoding: string[] = [];
  const found = await inTurns(files, 16, (file) => inspect(folder, file, cache, (note) => decoding.push(note)));
  const isSkipped = (entry: Inspected | SkippedFile): entry is SkippedFile => 'reason' in entry;
  const usable = found.flatMap((entry) => (isSkipped(entry) ? [] : [entry]));
  const skipped = found.filter(isSkipped);
  checkBrokenShare({ what: `'${folder}'`, used: usable.length, skipped, advice: 'Repair or remove them' }, maxBrokenShare);
  const rates = countBy(usable, ({ hz }) => hz);
  const sampleRateHz = options.sampleRateHz ?? [...rates].reduce((best, next) => (next[1] > best[1] ? next : best))[0];
  rates.delete(sampleRateHz);
  const recordings = usable.map((entry) => toRecording(folder, entry, sampleRateHz, cache));
  recordings.sort((a, b) => compare(a.speaker, b.speaker) || a.digit - b.digit || a.index - b.index || compare(a.id, b.id));
  const notes = [
    ...skippedNotes(skipped),
    ...[...rates].map(([hz, count]) => `Resampled ${count} of ${recordings.length} recordings from ${hz} to ${sampleRateHz} Hz.`),
    // In order, because files are read side by side; a whole corpus in stereo need not be told file by file.
    ...decoding.sort().slice(0, 5),
    ...(decoding.length > 5 ? [`So it is with ${decoding.length - 5} more recordings in '${folder}'.`] : []),
  ];
  return { folder, recordings, skipped, sampleRateHz, notes };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function countBy<T>(items: readonly T[], key: (item: T) => number): Map<number, number> {
  const counts = new Map<number, number>();
  for (const item of items) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1);
  return new Map([...counts].sort(([a], [b]) => a - b));
}

/** The folder with the recordings, and all its WAV files; hidden files, which some systems put beside others, are none. */
async function findFolder(path: string): Promise<{ folder: string; files: readonly string[] }> {
  const refuse = (found: string, cause?: unknown): never => {
    throw new CoppiceError('COPPICE_DATASET_INVALID', `${expected}. ${found}.`, { cause });
  };
  const isFolder = await stat(path).then((info) => info.isDirectory(), (error: unknown) => refuse(`There is no '${path}'`, error));
  if (!isFolder) refuse(`'${path}' is a file`);
  const listed: string[] = [];
  for (const folder of [path, join(path, 'recordings')]) {
    const names = await readdir(folder).catch((error: unknown) => (folder === path ? refuse(`'${path}' cannot be read`, error) : []));
    const files = names.filter((name) => /\.wav$/i.test(name) && !name.startsWith('.')).sort();
    if (files.some((name) => namePattern.test(name))) return { folder, files };
    listed.push(...names);
  }
  const some = listed.sort().slice(0, 5).map((name) => `'${name}'`).join(', ');
  return refuse(listed.length === 0 ? `'${path}' is empty` : `'${path}' has no such file but ${some}${listed.length > 5 ? ` and ${listed.length - 5} more` : ''}`);
}

interface Inspected {
  readonly file: string;
  readonly digit: number;
  readonly speaker: string;
  readonly index: number;
  readonly hz: number;
  readonly samples: number;
}

/** What the name and the sound say, or why the file cannot be used. */
async function inspect(folder: string, file: string, cache: RecordingCache, onNote: (note: string) => void): Promise<Inspected | SkippedFile> {
  const name = namePattern.exec(file);
  if (!name) return { file, reason: 'its name is not {digit}_{speaker}_{index}.wav' };
  try {
    const audio = await cache.get(keyOf(file), () => decode(folder, file, onNote));
    if (audio.samples.every((value) => value === 0)) return { file, reason: 'it is silent throughout' };
    return { file, digit: Number(name[1]), speaker: name[2], index: Number(name[3]), hz: audio.sampleRateHz, samples: audio.samples.length };
  } catch (error) {
    if (error instanceof CoppiceError) return { file, reason: error.message };
    throw error;
  }
}

/** Of a file as it is, or at another rate. */
const keyOf = (file: string, hz?: number): string => `${file}/${hz ?? ''}`;

async function decode(folder: string, file: string, onNote?: (note: string) => void): Promise<Audio> {
  const path = join(folder, file);
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new CoppiceError('COPPICE_AUDIO_INVALID', `'${path}' cannot be read. Check that it is still there and may be read.`, { cause });
  });
  return decodeWav(bytes, path, { onNote });
}

function toRecording(folder: string, { file, digit, speaker, index, hz, samples }: Inspected, sampleRateHz: number, cache: RecordingCache): Recording {
  const load = async (): Promise<Audio> => hz === sampleRateHz
    ? cache.get(keyOf(file), () => decode(folder, file))
    : cache.get(keyOf(file, sampleRateHz), async () => resampleAudio(await decode(folder, file), sampleRateHz));
  return {
    id: file.slice(0, -'.wav'.length),
    transcript: words[digit],
    speaker, digit, index, sampleRateHz,
    seconds: Math.round((samples * sampleRateHz) / hz) / sampleRateHz,
    async audio() {
      // A copy: the cached samples stay the cache's own.
      return { samples: (await load()).samples.slice(), sampleRateHz };
    },
  };
}

/** All results in order, at most `width` at a time: a folder may have more files than a process may open. */
async function inTurns<T, R>(items: readonly T[], width: number, run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += width) results.push(...(await Promise.all(items.slice(start, start + width).map(run))));
  return results;
}
