import { createRandom, type Random } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import { decodeAudio } from '@coppice/speech/node';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { splitFrames } from '../packages/speech/src/flac-frames.ts';
import { writeFlac } from '../packages/speech/src/testing/flac-writer.ts';
import { writeSphere } from '../packages/speech/src/testing/sphere-writer.ts';
import { samplesNamed, writeWav } from '../packages/speech/src/testing/wav-writer.ts';

/** Formats whose files are changed. */
export const fuzzedFormats = ['flac', 'wav', 'sphere', 'mp3'] as const;
export type FuzzedFormat = (typeof fuzzedFormats)[number];

const samples = samplesNamed('fuzz', 3000);

/** Whole files, of several kinds each. The first FLAC file is one of Debian's flac, with predictors and Rice codes. */
const originals: Readonly<Record<FuzzedFormat, readonly Uint8Array[]>> = {
  flac: [
    new Uint8Array(readFileSync(join(import.meta.dirname, '../packages/speech/src/testing/resonance.flac'))),
    writeFlac(samples, { blockSize: 576 }), writeFlac(samples.map((value) => value * 200), { bits: 24, blockSize: 192 }), writeFlac(samples.map(() => 7), { blockSize: 1152, constant: true }),
  ],
  mp3: [new Uint8Array(readFileSync(join(import.meta.dirname, '../packages/speech/src/testing/sweep.mp3')))],
  // Copies, because a Buffer's slice is none.
  wav: [writeWav(samples), writeWav(samples, { channels: 2 }), writeWav(samples.slice(0, 8), { sampleRateHz: 44_100 })].map((bytes) => new Uint8Array(bytes)),
  sphere: [writeSphere(samples), writeSphere(samples, { order: '10' }), writeSphere(samples, { channels: 3, order: '210', width: 3 }), writeSphere(samples.map((value) => value & 255), { coding: 'ulaw', width: 1, order: '1' })],
};

/** Numbers that sizes and counts are wrong by. */
const awkward = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** The ways in which a file is changed; each gives the bytes that come of it. */
const changes: readonly ((bytes: Uint8Array, random: Random) => Uint8Array)[] = [
  (bytes, random) => set(bytes, random.integer(bytes.length), [random.integer(256)]),
  // Most of what a decoder believes stands at the beginning.
  (bytes, random) => set(bytes, random.integer(Math.min(bytes.length, 80)), [random.integer(256)]),
  (bytes, random) => set(bytes, random.integer(bytes.length), [bytes[random.integer(bytes.length)] ^ (1 << random.integer(8))]),
  (bytes, random) => {
    const value = awkward[random.integer(awkward.length)];
    const four = [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
    return set(bytes, random.integer(Math.min(bytes.length, 120)), random.integer(2) === 0 ? four : four.toReversed());
  },
  (bytes, random) => bytes.slice(0, random.integer(bytes.length)),
  (bytes, random) => cut(bytes, random, (piece, before, after) => [...before, ...piece, ...piece, ...after]),
  (bytes, random) => cut(bytes, random, (_, before, after) => [...before, ...after]),
  (bytes, random) => cut(bytes, random, (piece, before, after) => [...before, ...piece.map(() => random.integer(256)), ...after]),
  (bytes, random) => cut(bytes, random, (piece, before, after) => [...after, ...piece, ...before]),
];

function set(bytes: Uint8Array, at: number, values: readonly number[]): Uint8Array {
  const changed = bytes.slice();
  for (const [k, value] of values.entries()) if (at + k < changed.length) changed[at + k] = value;
  return changed;
}

function cut(bytes: Uint8Array, random: Random, join: (piece: Uint8Array, before: Uint8Array, after: Uint8Array) => Iterable<number>): Uint8Array {
  const at = random.integer(bytes.length);
  const end = Math.min(bytes.length, at + 1 + random.integer(200));
  return Uint8Array.from(join(bytes.subarray(at, end), bytes.subarray(0, at), bytes.subarray(end)));
}

/** A FLAC file whose frames are changed behind their headers, with checksums that are right again: only so do changes reach the decoder. */
function changedFrames(random: Random): Uint8Array {
  const bytes = originals.flac[random.integer(originals.flac.length)].slice();
  bytes.fill(0, 26, 42);
  for (const frame of splitFrames(bytes, endOfMetadata(bytes), 1)) {
    if ('fault' in frame || random.integer(2) === 0) continue;
    const own = frame.bytes;
    for (let times = random.integer(3); times >= 0; times--) own[8 + random.integer(Math.max(1, own.length - 10))] = random.integer(256);
    const crc = crc16(own.subarray(0, -2));
    own[own.length - 2] = crc >> 8;
    own[own.length - 1] = crc & 255;
  }
  return bytes;
}

function endOfMetadata(bytes: Uint8Array): number {
  let [at, last] = [4, false];
  while (!last) {
    last = bytes[at] >= 0x80;
    at += 4 + bytes[at + 1] * 65_536 + bytes[at + 2] * 256 + bytes[at + 3];
  }
  return at;
}

function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let k = 0; k < 8; k++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x8005 : 0)) & 0xffff;
  }
  return crc;
}

/** The file of a number, always the same: a whole one changed in one to four ways. */
export function changedFile(format: FuzzedFormat, number: number): Uint8Array {
  const random = createRandom(`fuzz ${format} ${number}`);
  if (format === 'flac' && random.integer(2) === 0) return changedFrames(random);
  let bytes = originals[format][random.integer(originals[format].length)];
  for (let times = random.integer(4); times >= 0 && bytes.length > 0; times--) bytes = changes[random.integer(changes.length)](bytes, random);
  return bytes;
}

/** What became of a file: sound, a refusal in words, or a fault of ours. */
export type FuzzOutcome = 'decoded' | 'refused' | 'wrong';

/** Decodes a changed file. What is thrown but no refusal, and sound that cannot be, is wrong. */
export async function decodeChanged(format: FuzzedFormat, number: number): Promise<{ readonly outcome: FuzzOutcome; readonly message: string }> {
  try {
    const audio = await decodeAudio(changedFile(format, number), `${format}-${number}`);
    const sane = audio.samples.length > 0 && audio.samples.every((value) => Math.abs(value) <= 1) && audio.sampleRateHz > 0;
    return { outcome: sane ? 'decoded' : 'wrong', message: sane ? '' : `${audio.samples.length} samples at ${audio.sampleRateHz} Hz, some of them no sound` };
  } catch (error) {
    const refused = error instanceof CoppiceError && error.code === 'COPPICE_AUDIO_INVALID' && error.message.startsWith(`${format}-${number} `);
    return { outcome: refused ? 'refused' : 'wrong', message: error instanceof Error ? error.message : String(error) };
  }
}
