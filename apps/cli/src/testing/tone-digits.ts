import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newFolder, run, type Outcome } from './command-line.ts';
import { encodeWav } from './speech.ts';

const speakers = ['flute', 'oboe', 'horn'];
/** Indices of recordings: two of the part `test`, one of `dev`, four of `train`. */
const takes = [0, 1, 5, 8, 9, 10, 11];

/** A digit as a pair of tones that no other digit has, each speaker and take a little higher and longer than the one before. */
function sayDigit(digit: number, speaker: number, take: number): Float32Array {
  const length = 2000 + 100 * ((take + speaker) % 4);
  const pitch = 1 + 0.02 * speaker + 0.003 * take;
  const tone = (hz: number, n: number): number => Math.sin((2 * Math.PI * hz * pitch * n) / 8000);
  const low = 250 + 70 * (digit % 5);
  const high = 1000 + 500 * Math.floor(digit / 5) + 170 * (digit % 5);
  return Float32Array.from({ length }, (_, n) => Math.sin((Math.PI * n) / length) * (0.4 * tone(low, n) + 0.3 * tone(high, n)));
}

/** A folder as the Free Spoken Digit Dataset is published: ten digits by three speakers, which a small model learns in seconds. */
export function toneDigits(): string {
  const folder = newFolder();
  for (let digit = 0; digit < 10; digit++) {
    for (const [k, speaker] of speakers.entries()) for (const take of takes) writeFileSync(join(folder, `${digit}_${speaker}_${take}.wav`), encodeWav(sayDigit(digit, k, take)));
  }
  return folder;
}

/** What every command on that corpus is given: WebAssembly on one thread, because a process has only one such runtime. */
export const onTones = (corpus: string): string[] => ['--dataset', `digits:${corpus}`, '--backend', 'onnx', '--threads', '1'];

/** A model that learns the tones, and how. */
export const trainOnTones = (corpus: string): string[] => [
  'train', ...onTones(corpus), '--tokens', 'words', '--mels', '16', '--channels', '8,8', '--hidden', '12', '--layers', '1', '--augment', 'none', '--batch-size', '16', '--peak', '0.03', '--evaluate-every', '120',
];

/** Trains a model that makes few errors, in `model.onnx` of the folder. */
export const trainedModel = (corpus: string, folder: string): Promise<Outcome> => run([...trainOnTones(corpus), '--steps', '240', '--out', join(folder, 'model.onnx')], { folder });
