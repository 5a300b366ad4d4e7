import { buildReferenceModel, defaultFeatures, describeReferenceModel, encodeWav as encodeAudio, tokenizerOf, type ReferenceOptions } from '@coppice/speech';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Recogniser } from '../speech/recogniser.ts';
import type { Terminal } from '../terminal.ts';
import { newFolder } from './command-line.ts';

const digitWords = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];

/** A recogniser of digits that was never trained and runs in a blink. */
export function smallRecogniser(sizes: ReferenceOptions = {}): Recogniser {
  const model = buildReferenceModel({ mels: 8, channels: [4, 4], hidden: 6, layers: 1, tokens: 11, ...sizes });
  return { model, description: describeReferenceModel(model, { features: defaultFeatures({ sampleRateHz: 8000, mels: 8 }), tokenizer: tokenizerOf('words', digitWords) }) };
}

/** The bytes of a WAV file: 16-bit PCM, one channel. */
export const encodeWav = (samples: ArrayLike<number>, sampleRateHz = 8000): Uint8Array => encodeAudio({ samples: Float32Array.from(samples), sampleRateHz });

/** Two tones that say which digit it is, a little different each time. */
export const digitTone = (digit: number, take: number, seconds = 0.3): Float32Array =>
  Float32Array.from({ length: 8000 * seconds }, (_, n) => 0.3 * Math.sin((2 * Math.PI * (300 + 150 * digit) * n) / 8000) + 0.2 * Math.sin((2 * Math.PI * (1000 + 37 * take) * n) / 8000));

/**
 * A folder as the Free Spoken Digit Dataset is published, its speech being tones.
 * @param takes recordings of each digit: 0–4 are `test`, 5–7 `dev`, the rest `train`
 */
export function toneFolder(takes = 10): string {
  const folder = newFolder();
  for (let digit = 0; digit < 10; digit++) for (let take = 0; take < takes; take++) writeFileSync(join(folder, `${digit}_flute_${take}.wav`), encodeWav(digitTone(digit, take)));
  return folder;
}

/** A terminal that nobody watches, and what was logged to it. */
export function silentTerminal(): Terminal & { readonly logged: string[] } {
  const logged: string[] = [];
  return { logged, print: () => undefined, log: (text) => void logged.push(text), progress: () => undefined, paint: (_, text) => text };
}
