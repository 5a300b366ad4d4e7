import { decodeWav, encodeWav } from '@coppice/speech';
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
  const samples = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    samples.set(piece, at);
    at += piece.length;
  }
  return { wav: encodeWav({ samples, sampleRateHz }), words: utterances.map((files) => files.map((file) => digits[Number(file[0])]).join(' ')) };
}
