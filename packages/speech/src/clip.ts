import { CoppiceError } from '@coppice/graph';
import type { Audio } from './audio.ts';
import type { SpeechDescription } from './description.ts';
import { computeFeatures, type Features } from './features/index.ts';

/** The size of a model that hears clips of one length, e.g. a keyword spotter. */
export interface ClipSize {
  /** Sound is filled up with silence at its end, or cut, to this length. */
  readonly seconds: number;
  /** So many frames of its features are read, the first ones. */
  readonly frames: number;
}

/** Sound of the length that a model hears; any sound where that is open. */
export function fitClip({ samples, sampleRateHz }: Audio, clip: ClipSize | undefined): Audio {
  if (clip === undefined) return { samples, sampleRateHz };
  const fitted = new Float32Array(Math.round(clip.seconds * sampleRateHz));
  fitted.set(samples.subarray(0, fitted.length));
  return { samples: fitted, sampleRateHz };
}

/**
 * The frames that a model reads.
 * @throws CoppiceError `COPPICE_DESCRIPTION_INVALID` when there are fewer
 */
export function fitFrames({ frames, width, data }: Features, clip: ClipSize | undefined): Features {
  if (clip === undefined) return { frames, width, data };
  if (frames < clip.frames) throw new CoppiceError('COPPICE_DESCRIPTION_INVALID', `The description says that the model reads ${clip.frames} frames of ${clip.seconds} s of sound, and its features give ${frames}. Make clip.seconds longer, or clip.frames less.`);
  return { frames: clip.frames, width, data: data.subarray(0, clip.frames * width) };
}

/**
 * What a model reads of a recording: `computeFeatures`, of as much as it hears.
 * @throws CoppiceError as `computeFeatures` and `fitFrames`
 */
export const modelFeatures = (audio: Audio, { features, clip }: Pick<SpeechDescription, 'features' | 'clip'>, where?: string): Features =>
  fitFrames(computeFeatures(fitClip(audio, clip), features, where), clip);
