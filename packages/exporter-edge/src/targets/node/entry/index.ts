/** Becomes `index.js` of a bundle for Node: `index.d.ts` says what it exports. */
import { decodeWav } from '@coppice/speech';
import { readFile } from 'node:fs/promises';
import { recognizerOf, transcribeWith, type Recognizer, type Result } from '../../../runtime/index.ts';
import { openRecogniser, type RecognizerOptions } from './open-recogniser.ts';

/** A recogniser that takes sound in pieces. */
export async function createRecognizer(options: RecognizerOptions = {}): Promise<Recognizer> {
  const { manifest, recognise, close } = await openRecogniser(options);
  return recognizerOf({ sampleRateHz: manifest.speech.features.sampleRateHz, transcribe: (audio) => transcribeWith(recognise, manifest, audio), close });
}

/** Recognises a WAV file, by its path or its bytes. */
export async function transcribe(wav: string | URL | Uint8Array, options: RecognizerOptions = {}): Promise<Result> {
  const bytes = wav instanceof Uint8Array ? wav : await readFile(wav);
  const { samples, sampleRateHz } = decodeWav(bytes, wav instanceof Uint8Array ? 'The sound' : String(wav));
  const recognizer = await createRecognizer(options);
  try {
    recognizer.accept(samples, sampleRateHz);
    return await recognizer.result();
  } finally {
    await recognizer.close();
  }
}
