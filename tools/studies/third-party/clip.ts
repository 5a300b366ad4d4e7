import { resampleAudio, type Audio } from '@coppice/speech';

/** One second at 16 kHz. */
export const clipSamples = 16_000;

/**
 * A recording as one second at 16 kHz, with zeros around it; of a longer one the first second counts. `start`: zeros behind it, as both
 * authors' code has it (Moonshine: `stt_training/dataset.py`; Honk: `SpeechDataset.preprocess`). `middle`: as many before it, as words lie in
 * the one-second recordings of Speech Commands.
 */
export async function toClip(audio: Audio, place: 'start' | 'middle'): Promise<Audio> {
  const { samples, sampleRateHz } = await resampleAudio(audio, 16_000);
  const spoken = samples.subarray(0, clipSamples);
  const clip = new Float32Array(clipSamples);
  clip.set(spoken, place === 'start' ? 0 : Math.floor((clipSamples - spoken.length) / 2));
  return { samples: clip, sampleRateHz };
}
