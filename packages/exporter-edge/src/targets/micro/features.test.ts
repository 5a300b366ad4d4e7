import { createRandom } from '@coppice/core';
import { decodeWav, defaultFeatures, encodeWav, kaldiFbank, kaldiMfcc, librosaMfcc, modelFeatures, type FeatureSettings, type SpeechDescription } from '@coppice/speech';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { syntheticSound } from '../../synthetic-sound.ts';
import { sanitizerFlags } from '../../testing/run-program.ts';
import { smallSpotter } from '../../testing/small-spotter.ts';
import { fixedSource } from './c-sources.ts';
import { compileC, findCompiler } from './compile.ts';
import { featureRefusals, featureSizes, featureTables } from './feature-tables.ts';

const compiler = findCompiler();
const sanitizers = sanitizerFlags();
const work = mkdtempSync(join(tmpdir(), 'coppice-features-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const program = `#include "coppice_features.h"
#include "read_audio.h"
static int16_t audio[COPPICE_AUDIO_SAMPLES]; static float features[COPPICE_FEATURE_FLOATS]; static float scratch[COPPICE_FEATURE_SCRATCH_FLOATS];
int main(void) {
    if (coppice_read_audio(stdin, audio, COPPICE_AUDIO_SAMPLES, COPPICE_SAMPLE_RATE_HZ)) return 1;
    coppice_features(audio, features, scratch);
    fwrite(features, 4, COPPICE_FRAMES * COPPICE_FEATURES, stdout);
    return 0;
}
`;

/** Settings that together have every choice of the format. */
const settings: Readonly<Record<string, FeatureSettings>> = {
  'the default, normalised over the clip': defaultFeatures({ sampleRateHz: 8000, mels: 20 }),
  'Kaldi’s filter banks': kaldiFbank({ sampleRateHz: 8000 }),
  'Kaldi’s MFCCs of whole numbers, mirrored edges, a sample deviation': { ...kaldiMfcc({ sampleRateHz: 8000 }), scale: 32768, framing: 'mirror-edges', normalisation: { type: 'utterance', deviation: 'sample', epsilon: 1e-5 } },
  'librosa’s MFCCs with a dynamic range': librosaMfcc({ sampleRateHz: 8000, mels: 40, coefficients: 13 }),
  'magnitudes, pre-emphasis over the clip, reflected edges, an added floor, a transform of 200': { ...defaultFeatures({ sampleRateHz: 8000, mels: 20 }), spectrum: 'magnitude', preemphasis: 0.97, preemphasisOver: 'clip', framing: 'center-reflect', floorBy: 'add', log: 'log10', fftSize: 200, normalisation: { type: 'global', mean: [0.5], deviation: [2] } },
  'Slaney’s mels and areas, a rectangular window, a transform of 222 (a prime of 37)': { ...defaultFeatures({ sampleRateHz: 8000, mels: 20 }), melScale: 'slaney', area: 'slaney', window: 'rectangular', fftSize: 222, normalisation: { type: 'none' } },
  'symmetric Hamming, means only': { ...defaultFeatures({ sampleRateHz: 8000, mels: 20 }), window: 'hamming', windowForm: 'symmetric', normalisation: { type: 'utterance', deviation: 'none', epsilon: 0 } },
};

const clip = (features: FeatureSettings): SpeechDescription => ({ ...smallSpotter().speech, features, clip: { seconds: 0.5, frames: 40 } });

function compileFor(speech: SpeechDescription, flags: readonly string[] = []): void {
  const { header, source } = featureTables(speech);
  for (const name of ['coppice_features.h', 'coppice_features.c', 'read_audio.h', 'read_audio.c'] as const) writeFileSync(join(work, name), fixedSource(name));
  for (const [name, text] of [['coppice_feature_tables.h', header], ['coppice_feature_tables.c', source], ['try.c', program]]) writeFileSync(join(work, name), text);
  const said = compileC(compiler!.path, { folder: work, sources: ['try.c', 'read_audio.c', 'coppice_features.c', 'coppice_feature_tables.c'], program: join(work, 'try'), flags });
  if (said !== undefined) throw new Error(said);
}

function hear(wav: Uint8Array): Float32Array {
  const bytes = execFileSync(join(work, 'try'), { input: wav });
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

describe.skipIf(compiler === undefined)('features in C (skipped where there is no C compiler)', () => {
  it.each(Object.entries(settings))('%s: single precision is within 2e-3 of what training computes in double', (_, features) => {
    const speech = clip(features);
    const wav = encodeWav(syntheticSound('features', 8000, 0.5));
    const expected = modelFeatures(decodeWav(wav, 'clip'), speech);
    compileFor(speech);
    const actual = hear(wav);
    expect(actual.length).toBe(featureSizes(speech).frames * expected.width);
    let largest = 0;
    expected.data.forEach((value, k) => { largest = Math.max(largest, Math.abs(actual[k] - value) / Math.max(1, Math.abs(value))); });
    expect(largest).toBeLessThan(2e-3);
  });

  it.skipIf(sanitizers === undefined)('silence and noise at full scale stay finite, and nothing is read beyond the clip (sanitizers; skipped where the compiler has none)', () => {
    const random = createRandom('loud');
    const speech = clip(settings['Kaldi’s MFCCs of whole numbers, mirrored edges, a sample deviation']);
    compileFor(speech, sanitizers!);
    for (const samples of [new Float32Array(4000), Float32Array.from({ length: 4000 }, () => (random.uniform() < 0.5 ? -1 : 1))]) {
      expect(hear(encodeWav({ samples, sampleRateHz: 8000 })).every(Number.isFinite)).toBe(true);
    }
  });

  it('a band without sound is 0 after normalisation, although its deviation is none: rounding of its mean would be divided by epsilon', () => {
    const speech = clip(settings['the default, normalised over the clip']);
    compileFor(speech);
    expect(Math.max(...hear(encodeWav({ samples: new Float32Array(4000), sampleRateHz: 8000 })).map(Math.abs))).toBe(0);
  });

  it('refuses noise, and clips that are too short, in words', () => {
    expect(featureRefusals({ ...clip({ ...settings['Kaldi’s filter banks'], dither: 1 }) })).toEqual([expect.stringContaining('dither 1')]);
    expect(featureRefusals({ ...clip(settings['Kaldi’s filter banks']), clip: { seconds: 0.1, frames: 40 } })).toEqual([expect.stringContaining('clip.seconds')]);
    expect(featureRefusals({ ...clip(settings['Kaldi’s filter banks']), clip: { seconds: 1e7, frames: 40 } })).toEqual([expect.stringContaining('more than a device of this class holds')]);
    expect(featureRefusals(clip({ ...defaultFeatures({ sampleRateHz: 8000 }), fftSize: 2 * 524_287 }))).toEqual([expect.stringContaining('prime factor')]);
  });
});
