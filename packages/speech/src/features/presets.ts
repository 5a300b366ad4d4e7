import type { FeatureSettings } from './settings.ts';

type LogMel = Extract<FeatureSettings, { type: 'log-mel' }>;
type Fbank = Extract<FeatureSettings, { type: 'fbank' }>;
type Mfcc = Extract<FeatureSettings, { type: 'mfcc' }>;

/**
 * What the reference model is trained on: 25 ms Hann windows every 10 ms, natural logarithm of mel energies from 20 Hz to half the
 * sample rate, each band brought to mean 0 and variance 1 over the clip.
 * @param options `sampleRateHz` 16000, `mels` 40 when left out
 */
export function defaultFeatures({ sampleRateHz = 16000, mels = 40 }: { sampleRateHz?: number; mels?: number } = {}): LogMel {
  return {
    type: 'log-mel', sampleRateHz, windowMs: 25, hopMs: 10, fftSize: powerOfTwo(sampleRateHz * 0.025), window: 'hann', windowForm: 'periodic',
    framing: 'center-zeros', scale: 1, dither: 0, seed: 0, removeMean: false, preemphasis: 0, preemphasisOver: 'clip', spectrum: 'power',
    mels, lowHz: 20, highHz: sampleRateHz / 2, melScale: 'htk', triangles: 'hz', area: 'none', log: 'ln', floor: 1e-6, floorBy: 'max',
    normalisation: { type: 'utterance', deviation: 'population', epsilon: 1e-5 },
  };
}

/**
 * Kaldi's `compute-fbank-feats` with its defaults, but for dither, which is 0 here, and samples in [−1, 1] instead of whole numbers
 * (set `scale` to 32768 for those).
 * @param options `sampleRateHz` 16000, `mels` 23 when left out
 */
export function kaldiFbank({ sampleRateHz = 16000, mels = 23 }: { sampleRateHz?: number; mels?: number } = {}): Fbank {
  return {
    type: 'fbank', sampleRateHz, windowMs: 25, hopMs: 10, fftSize: powerOfTwo(sampleRateHz * 0.025), window: 'povey', windowForm: 'symmetric',
    framing: 'snip-edges', scale: 1, dither: 0, seed: 0, removeMean: true, preemphasis: 0.97, preemphasisOver: 'frame', spectrum: 'power',
    mels, lowHz: 20, highHz: sampleRateHz / 2, melScale: 'htk', triangles: 'mel', area: 'none', log: 'ln', floor: 2 ** -23, floorBy: 'max',
    normalisation: { type: 'none' },
  };
}

/**
 * Kaldi's `compute-mfcc-feats` with its defaults, but for dither (0) and the 0th coefficient, which is not replaced by the energy.
 * @param options `sampleRateHz` 16000, `mels` 23, `coefficients` 13 when left out
 */
export function kaldiMfcc({ coefficients = 13, ...options }: { sampleRateHz?: number; mels?: number; coefficients?: number } = {}): Mfcc {
  return { ...kaldiFbank(options), type: 'mfcc', coefficients, dct: 'ortho', lifter: 22, lifterFrom: 0 };
}

/**
 * `librosa.feature.mfcc` with its defaults, but for window and hop in milliseconds.
 * @param options `sampleRateHz` 16000, `mels` 128, `coefficients` 20 when left out
 */
export function librosaMfcc({ sampleRateHz = 16000, mels = 128, coefficients = 20 }: { sampleRateHz?: number; mels?: number; coefficients?: number } = {}): Mfcc {
  return {
    ...defaultFeatures({ sampleRateHz, mels }), type: 'mfcc', lowHz: 0, melScale: 'slaney', area: 'slaney', log: 'db', floor: 1e-10, dynamicRange: 80,
    coefficients, dct: 'ortho', lifter: 0, lifterFrom: 1, normalisation: { type: 'none' },
  };
}

const powerOfTwo = (samples: number): number => 2 ** Math.ceil(Math.log2(samples));
