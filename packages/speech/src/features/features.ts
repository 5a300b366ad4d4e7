import { CoppiceError } from '@coppice/graph';
import type { Audio } from '../audio.ts';
import { cepstrumMatrix } from './cepstrum.ts';
import { countFrames } from './framing.ts';
import { logMelStream } from './log-mel-stream.ts';
import { checkFeatureSettings, type FeatureSettings, featureWidth, windowSamples } from './settings.ts';

/** Features of a clip, or of a part of one. */
export interface Features {
  readonly frames: number;
  /** Features of a frame. */
  readonly width: number;
  /** [time, feature] */
  readonly data: Float32Array;
}

/**
 * Log-mel energies, Kaldi's filter banks or MFCCs of a clip, as the settings say; computed in float64, handed out in float32.
 * @param where how messages call the clip, e.g. its file
 * @throws CoppiceError `COPPICE_AUDIO_INVALID` when the clip is shorter than a window, has another sample rate or samples that are
 * not finite; `COPPICE_CONFIG_INVALID` when the settings make no sense
 */
export function computeFeatures({ samples, sampleRateHz }: Audio, settings: FeatureSettings, where = 'The sound'): Features {
  checkFeatureSettings(settings);
  if (sampleRateHz !== settings.sampleRateHz) {
    throw new CoppiceError('COPPICE_AUDIO_INVALID', `${where} has ${sampleRateHz} samples a second, and the features are defined for ${settings.sampleRateHz}; resample it first.`);
  }
  checkLength(samples.length, settings, where);
  const stream = logMelStream(settings);
  const parts = [stream.accept(samples), stream.finish()];
  const frames = countFrames(samples.length, settings);
  const logs = new Float64Array(frames * settings.mels);
  logs.set(parts[0]);
  logs.set(parts[1], parts[0].length);
  if (settings.dynamicRange !== undefined) limitRange(logs, settings.dynamicRange);
  const width = featureWidth(settings);
  const values = toCepstra(logs, settings);
  if (settings.normalisation.type === 'utterance') standardise(values, width, settings.normalisation);
  return { frames, width, data: globalNormaliser(settings)(values) };
}

/** Features of a clip that is still being said. */
export interface FeatureStream {
  /** The frames that these samples complete, perhaps none. */
  accept(samples: Float32Array): Features;
  /**
   * The frames that reach beyond the last sample. Nothing may follow.
   * @throws CoppiceError `COPPICE_AUDIO_INVALID` when all samples together were shorter than a window
   */
  finish(): Features;
}

/**
 * The same numbers as `computeFeatures`, frame by frame: all that `accept` and `finish` give, laid end to end, equals it. It holds
 * a few windows of samples, however long the clip.
 * @throws CoppiceError `COPPICE_CONFIG_INVALID` for settings that need the whole clip before its first frame: normalisation over the
 * utterance, and a dynamic range
 */
export function createFeatureStream(settings: FeatureSettings): FeatureStream {
  checkFeatureSettings(settings);
  const needs = settings.normalisation.type === 'utterance' ? 'normalisation over the utterance' : settings.dynamicRange === undefined ? undefined : 'dynamicRange';
  if (needs !== undefined) {
    throw new CoppiceError('COPPICE_CONFIG_INVALID', `These features cannot be streamed: ${needs} reads the whole clip before its first frame. Use computeFeatures, or settings with normalisation 'global' or 'none' and no dynamicRange.`);
  }
  const stream = logMelStream(settings);
  const width = featureWidth(settings);
  const normalise = globalNormaliser(settings);
  const toFeatures = (logs: Float64Array): Features => ({ frames: logs.length / settings.mels, width, data: normalise(toCepstra(logs, settings)) });
  return {
    accept: (samples) => toFeatures(stream.accept(samples)),
    finish() {
      checkLength(stream.received, settings, 'The sound');
      return toFeatures(stream.finish());
    },
  };
}

function checkLength(samples: number, settings: FeatureSettings, where: string): void {
  const window = windowSamples(settings);
  if (samples >= window) return;
  const what = samples === 0 ? 'is empty' : `has ${samples} samples (${((1000 * samples) / settings.sampleRateHz).toFixed(1)} ms)`;
  throw new CoppiceError('COPPICE_AUDIO_INVALID', `${where} ${what}, fewer than the ${window} of one window; leave it out, or lengthen it with silence.`);
}

function limitRange(logs: Float64Array, range: number): void {
  let largest = -Infinity;
  for (const value of logs) if (value > largest) largest = value;
  for (let k = 0; k < logs.length; k++) logs[k] = Math.max(logs[k], largest - range);
}

/** [frame, mel] → [frame, coefficient]; other features stay as they are. */
function toCepstra(logs: Float64Array, settings: FeatureSettings): Float64Array {
  if (settings.type !== 'mfcc') return logs;
  const { mels, coefficients } = settings;
  const matrix = cepstrumMatrix(settings);
  const frames = logs.length / mels;
  const cepstra = new Float64Array(frames * coefficients);
  for (let frame = 0; frame < frames; frame++) {
    for (let k = 0; k < coefficients; k++) {
      let sum = 0;
      for (let n = 0; n < mels; n++) sum += matrix[k * mels + n] * logs[frame * mels + n];
      cepstra[frame * coefficients + k] = sum;
    }
  }
  return cepstra;
}

/** Each column of [frame, width] to mean 0 and, where wanted, deviation 1, in place. */
function standardise(values: Float64Array, width: number, { deviation, epsilon }: Extract<FeatureSettings['normalisation'], { type: 'utterance' }>): void {
  const frames = values.length / width;
  for (let column = 0; column < width; column++) {
    let sum = 0;
    for (let at = column; at < values.length; at += width) sum += values[at];
    const mean = sum / frames;
    let squares = 0;
    for (let at = column; at < values.length; at += width) squares += (values[at] - mean) ** 2;
    // One frame has no sample deviation; its difference from its mean is 0 anyway.
    const spread = deviation === 'none' ? 1 : Math.sqrt(squares / Math.max(1, frames - (deviation === 'sample' ? 1 : 0))) + epsilon;
    for (let at = column; at < values.length; at += width) values[at] = spread > 0 ? (values[at] - mean) / spread : 0;
  }
}

function globalNormaliser(settings: FeatureSettings): (values: Float64Array) => Float32Array {
  const { normalisation } = settings;
  if (normalisation.type !== 'global') return (values) => Float32Array.from(values);
  const width = featureWidth(settings);
  const { mean, deviation } = normalisation;
  return (values) => Float32Array.from(values, (value, at) => (value - mean[mean.length === 1 ? 0 : at % width]) / deviation[deviation.length === 1 ? 0 : at % width]);
}
