import { cepstrumMatrix, countFrames, featureWidth, firstStart, hopSamples, melFilters, windowSamples, windowValues, type SpeechDescription } from '@coppice/speech';
import { cFloat, cTable } from './c-text.ts';

/** Sizes of the front end. */
export interface FeatureSizes {
  /** Samples of a clip. */
  readonly samples: number;
  /** Frames that are computed: all of the clip where the normalisation reads them all, else those that the model reads. */
  readonly frames: number;
  readonly width: number;
  /** Floats that the features need while they are computed. */
  readonly floats: number;
  readonly scratchFloats: number;
}

/** What keeps the features from being computed in C, a sentence each. */
export function featureRefusals({ features, clip }: SpeechDescription): string[] {
  const refusals: string[] = [];
  if (features.dither > 0) refusals.push(`The features have dither ${features.dither}, which is noise and different in every run. Set dither to 0 in the description.`);
  if (Math.max(...factorsOf(features.fftSize / 2)) * features.fftSize >= 2 ** 31) refusals.push(`fftSize ${features.fftSize} has a prime factor for which 32 bits do not suffice. Use a power of two.`);
  if (clip === undefined) return refusals;
  const samples = Math.round(clip.seconds * features.sampleRateHz);
  const frames = countFrames(samples, features);
  if (!(samples < 2 ** 24)) refusals.push(`A clip of ${clip.seconds} s has ${samples} samples, more than a device of this class holds.`);
  else if (frames < clip.frames) refusals.push(`The description says that the model reads ${clip.frames} frames of ${clip.seconds} s of sound, and its features give ${frames}. Make clip.seconds longer, or clip.frames less.`);
  return refusals;
}

export function featureSizes({ features, clip }: SpeechDescription): FeatureSizes {
  const samples = Math.round(clip!.seconds * features.sampleRateHz);
  const whole = features.normalisation.type === 'utterance' || features.dynamicRange !== undefined;
  const frames = whole ? countFrames(samples, features) : clip!.frames;
  const width = featureWidth(features);
  return {
    samples, frames, width, floats: frames * (features.dynamicRange === undefined ? width : features.mels),
    scratchFloats: 2 * features.fftSize + features.fftSize / 2 + 1 + features.mels,
  };
}

function factorsOf(length: number): number[] {
  const factors: number[] = [];
  let rest = length;
  for (let factor = 2; rest > 1; factor++) for (; rest % factor === 0; rest /= factor) factors.push(factor);
  return factors.length === 0 ? [1] : factors;
}

const edges = { 'snip-edges': 'ZEROS', 'center-zeros': 'ZEROS', 'center-reflect': 'REFLECT', 'mirror-edges': 'MIRROR' } as const;

/** `coppice_feature_tables.h` and `.c`: the settings of the description as numbers, so that the code has no settings. */
export function featureTables(speech: SpeechDescription): { readonly header: string; readonly source: string } {
  const { features } = speech;
  const sizes = featureSizes(speech);
  const { normalisation, fftSize } = features;
  const factors = factorsOf(fftSize / 2);
  const filters = melFilters(features);
  const logFactor = { ln: 1, log10: Math.LOG10E, db: (features.spectrum === 'power' ? 10 : 20) * Math.LOG10E }[features.log];
  const emphasis = (over: 'clip' | 'frame'): number => Number(features.preemphasis > 0 && features.preemphasisOver === over);
  const divisor = normalisation.type !== 'utterance' || normalisation.deviation === 'none' ? 0 : Math.max(1, sizes.frames - Number(normalisation.deviation === 'sample'));
  const define = (name: string, value: string | number): string => `#define COPPICE_${name} ${value}`;
  const globally = (values: readonly number[]): readonly number[] => Array.from({ length: sizes.width }, (_, k) => values[values.length === 1 ? 0 : k]);
  const tables: readonly (readonly [type: 'int32_t' | 'float', name: string, values: ArrayLike<number>])[] = [
    ['float', 'coppice_window', windowValues(features)],
    ['int32_t', 'coppice_fft_factors', factors],
    ['float', 'coppice_cosines', Array.from({ length: fftSize }, (_, k) => Math.cos((2 * Math.PI * k) / fftSize))],
    ['float', 'coppice_sines', Array.from({ length: fftSize }, (_, k) => Math.sin((2 * Math.PI * k) / fftSize))],
    ['int32_t', 'coppice_mel_firsts', filters.map(({ first }) => first)],
    ['int32_t', 'coppice_mel_lengths', filters.map(({ weights }) => weights.length)],
    ['float', 'coppice_mel_weights', filters.flatMap(({ weights }) => Array.from(weights))],
    ...(features.type === 'mfcc' ? [['float', 'coppice_cosine_transform', cepstrumMatrix(features)] as const] : []),
    ...(normalisation.type === 'global' ? [['float', 'coppice_feature_mean', globally(normalisation.mean)] as const, ['float', 'coppice_feature_deviation', globally(normalisation.deviation)] as const] : []),
  ];
  const header = [
    '#ifndef COPPICE_FEATURE_TABLES_H', '#define COPPICE_FEATURE_TABLES_H', '', '#include <stdint.h>', '',
    define('SAMPLE_RATE_HZ', features.sampleRateHz), define('AUDIO_SAMPLES', sizes.samples), define('FRAMES', sizes.frames), define('FEATURES', sizes.width), define('MELS', features.mels),
    define('WINDOW', windowSamples(features)), define('HOP', hopSamples(features)), define('FFT_SIZE', fftSize), define('FFT_FACTORS', fftSize / 2 === 1 ? 0 : factors.length), define('FIRST_START', `(${firstStart(features)})`),
    '', define('FEATURE_FLOATS', sizes.floats), define('FEATURE_SCRATCH_FLOATS', sizes.scratchFloats), '',
    define('EDGES_ZEROS', 0), define('EDGES_REFLECT', 1), define('EDGES_MIRROR', 2), define('EDGES', `COPPICE_EDGES_${edges[features.framing]}`),
    define('SAMPLE_SCALE', cFloat(features.scale / 32768)), define('REMOVE_MEAN', Number(features.removeMean)), define('PREEMPHASIS', cFloat(features.preemphasis)), define('EMPHASIS_OVER_CLIP', emphasis('clip')), define('EMPHASIS_OVER_FRAME', emphasis('frame')),
    define('MAGNITUDES', Number(features.spectrum === 'magnitude')), define('FLOOR', cFloat(features.floor)), define('FLOOR_ADDS', Number(features.floorBy === 'add')), define('LOG_FACTOR', cFloat(logFactor)),
    define('CEPSTRA', Number(features.type === 'mfcc')), define('LIMITS_RANGE', Number(features.dynamicRange !== undefined)), define('DYNAMIC_RANGE', cFloat(features.dynamicRange ?? 0)),
    define('NORMALISES_NOTHING', 0), define('NORMALISES_CLIP', 1), define('NORMALISES_GLOBALLY', 2), define('NORMALISES', `COPPICE_NORMALISES_${{ none: 'NOTHING', utterance: 'CLIP', global: 'GLOBALLY' }[normalisation.type]}`),
    define('DEVIATION_DIVISOR', divisor), define('DEVIATION_EPSILON', cFloat(normalisation.type === 'utterance' ? normalisation.epsilon : 0)), '',
    ...tables.map(([type, name, values]) => `extern const ${type} ${name}[${Math.max(1, values.length)}];`), '', '#endif', '',
  ].join('\n');
  const source = ['#include "coppice_feature_tables.h"\n', ...tables.map(([type, name, values]) => cTable(type, name, values, 'const'))].join('\n');
  return { header, source };
}
