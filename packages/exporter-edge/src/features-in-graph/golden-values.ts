import { decodeWav, type Audio, type FeatureSettings } from '@coppice/speech';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from '../finding.ts';
import type { GoldenClip } from '../manifest.ts';
import { findSetting } from '../runtime/explain-features.ts';
import { largestDifference } from '../runtime/index.ts';

/** A golden clip as read from its files. */
export interface GoldenValues {
  readonly clip: GoldenClip;
  /** Of its sound, in full. */
  readonly path: string;
  readonly audio: Audio;
  /** [time, feature] */
  readonly features: Float32Array;
  /** [time, token] */
  readonly logProbs: Float32Array;
}

export function readGolden(folder: string, clip: GoldenClip): GoldenValues {
  const path = join(folder, clip.audio);
  return { clip, path, audio: decodeWav(readFileSync(path), clip.audio), features: readFloats(join(folder, clip.features.path)), logProbs: readFloats(join(folder, clip.logProbs.path)) };
}

/** Little-endian float32. */
export function readFloats(path: string): Float32Array {
  const bytes = readFileSync(path);
  return Float32Array.from({ length: Math.floor(bytes.length / 4) }, (_, k) => bytes.readFloatLE(4 * k));
}

/** Elements of an array, and what they were on the real runtime. */
export interface Looked {
  readonly elements: readonly number[];
  readonly values: ArrayLike<number>;
}

/** All elements of an array. */
export const all = (values: ArrayLike<number>): Looked => ({ elements: Array.from(values, (_, k) => k), values });

/**
 * Compares the features that reached the model on the real runtime with those of training, and names the setting that is another one there.
 * @param looked elements of [time, feature]
 * @param tolerance of max(1, |expected|)
 * @returns the largest difference, and what to say about it if it is too large
 */
export function compareFeatures({ clip, audio, features }: GoldenValues, looked: Looked, settings: FeatureSettings, tolerance: number, runtime: string): { readonly largest: number; readonly finding?: Finding } {
  const distance = (data: Float32Array): number => largestDifference(looked.values, looked.elements.map((at) => data[at]));
  const largest = distance(features);
  if (largest <= tolerance) return { largest };
  const found = findSetting(audio, settings, ({ data }) => distance(data) <= tolerance);
  const why = found === undefined ? 'No single setting explains it: the nodes in front of the model are not those that were exported.' : `They are those of '${found.name}' ${JSON.stringify(found.value)}, and the model was trained with ${JSON.stringify(found.now)}.`;
  return { largest, finding: { about: 'features', where: clip.audio, message: `The features that reach the model in ${runtime} differ from those of training by up to ${largest.toPrecision(2)} for ${clip.audio} (tolerance ${tolerance}). ${why} Export again.` } };
}
