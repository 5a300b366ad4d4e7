import { decodeWav } from '@coppice/speech';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Recordings of the Free Spoken Digit Dataset, or ours in its form, one after the other as somebody says them into a microphone. */
export interface SaidAloud {
  /** The bytes of a WAV file of 16-bit samples: recordings with a second of silence before, between and after them. */
  readonly wav: Uint8Array;
  /** What is said, recording by recording. */
  readonly words: readonly string[];
}

const digits = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];

/** @param utterances names of recordings, e.g. `3_theo_7.wav`; those of one list follow each other without a pause, and digits in their names are what is said */
export function sayAloud(folder: string, utterances: readonly (readonly string[])[], pauseSeconds = 1): SaidAloud {
  const spoken = utterances.map((files) => files.map((file) => decodeWav(readFileSync(join(folder, file)), file)));
  const { sampleRateHz } = spoken[0][0];
  const pause = new Float32Array(Math.round(pauseSeconds * sampleRateHz));
  const pieces = [pause, ...spoken.flatMap((parts) => [...parts.map(({ samples }) => samples), pause])];
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const bytes = Buffer.alloc(44 + 2 * length);
  bytes.write('RIFF', 0);
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(sampleRateHz, 24);
  bytes.writeUInt32LE(2 * sampleRateHz, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36);
  bytes.writeUInt32LE(2 * length, 40);
  let at = 44;
  for (const piece of pieces) for (const value of piece) at = bytes.writeInt16LE(Math.round(32767 * Math.max(-1, Math.min(1, value))), at);
  return { wav: bytes, words: utterances.map((files) => files.map((file) => digits[Number(file[0])]).join(' ')) };
}
