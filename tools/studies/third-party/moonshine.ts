import { computeWeights, traceModel, type Backend } from '@coppice/core';
import { readModel } from '@coppice/graph/node';
import { computeFeatures, defaultFeatures, type Audio, type FeatureSettings } from '@coppice/speech';
import type { Classifier } from './classifier.ts';

const mels = 64;
const frames = 128;

/**
 * `LogMelSpectrogram` of moonshine-ai/moonshine, micro/stt-training/stt_training/features.py: torchaudio's mel spectrogram, Slaney's scale and
 * areas, 512 samples every 125, mirrored at both ends, power, 20 Hz to 8 kHz, ln(x + 10⁻⁶). `normaliseClip` does the rest.
 */
export const moonshineFeatures: FeatureSettings = {
  ...defaultFeatures({ sampleRateHz: 16_000, mels }), windowMs: 32, hopMs: 7.8125, fftSize: 512, framing: 'center-reflect',
  melScale: 'slaney', area: 'slaney', lowHz: 20, highHz: 8000, floor: 1e-6, floorBy: 'add', normalisation: { type: 'none' },
};

/** The first 128 frames, all values together brought to mean 0 and deviation 1 (sample deviation, at least 10⁻³); [mel, frame]. */
export function normaliseClip(data: ArrayLike<number>): Float32Array {
  const values = Float64Array.from({ length: mels * frames }, (_, at) => data[(at % frames) * mels + Math.floor(at / frames)]);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
  return Float32Array.from(values, (value) => (value - mean) / Math.max(1e-3, deviation));
}

/** `classes` of micro/models/spelling_cnn_meta.json. */
export const moonshineClasses: readonly string[] = [
  ...'abcdefghijklmnopqrstuvwxyz', 'zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine',
  'capital', 'uppercase', 'star', 'dollar', 'underscore', 'exclamation', 'percent', 'delete', 'done', 'cancel', 'wifi', 'ip', 'yes', 'no', 'hey rp',
];

/** Moonshine's SpellingCNN with plain float weights. */
export async function openMoonshine(path: string, backend: Backend): Promise<Classifier & { readonly computed: number }> {
  const { model, computed } = await computeWeights(await traceModel(readModel(path), backend), backend);
  return {
    model, computed: computed.length, input: 'log_mel', output: 'logits', dims: [1, mels, frames], classes: moonshineClasses,
    digits: Array.from({ length: 10 }, (_, digit) => moonshineClasses.indexOf('zero') + digit),
    place: 'start', features: (audio: Audio) => normaliseClip(computeFeatures(audio, moonshineFeatures).data),
  };
}
