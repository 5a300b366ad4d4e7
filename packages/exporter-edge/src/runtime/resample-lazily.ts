import { windowSamples, type Audio } from '@coppice/speech';
import type { Recipe } from './recognise.ts';

/** `resampleAudio`, the very code of training, loaded when the first sound of another rate comes: it is two megabytes that most never need. */
export async function resampleLazily(audio: Audio, sampleRateHz: number): Promise<Audio> {
  if (audio.sampleRateHz === sampleRateHz) return audio;
  const { resampleAudio } = await import('./resample.ts');
  return resampleAudio(audio, sampleRateHz);
}

/** The text of sound of any rate and length, and the time that it took: what `Engine.transcribe` has to do. */
export async function transcribeWith(recognise: (audio: Audio) => Promise<{ readonly text: string }>, { speech }: Recipe, audio: Audio): Promise<{ text: string; milliseconds: number }> {
  const start = performance.now();
  const fitting = await resampleLazily(audio, speech.features.sampleRateHz);
  if (fitting.samples.length < windowSamples(speech.features)) return { text: '', milliseconds: 0 };
  const { text } = await recognise(fitting);
  return { text, milliseconds: performance.now() - start };
}
