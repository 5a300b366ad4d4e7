import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom } from '@coppice/core';
import { checkModel, makeGraph, makeModel, makeValueInfo, type Model } from '@coppice/graph';
import { computeFeatures, defaultFeatures, featureWidth, kaldiFbank, kaldiMfcc, librosaMfcc, settingsFault, windowSamples, type Audio, type FeatureSettings } from '@coppice/speech';
import { describe, expect, it } from 'vitest';
import { syntheticSound } from '../synthetic-sound.ts';
import { Emitter } from './emitter.ts';
import { featuresInGraph } from './features-in-graph.ts';

const backend = wasmBackend();

/** Samples in, features [batch, feature, time] out. */
function featureModel(settings: FeatureSettings, opset = 17): Model {
  const emit = new Emitter(new Set(['samples', 'features']));
  emit.as('features', featuresInGraph(emit, 'samples', settings), 'out');
  const graph = makeGraph({ inputs: [makeValueInfo('samples', 'float32', ['batch', 'sample'])], outputs: [makeValueInfo('features', 'float32', ['batch', featureWidth(settings), 'time'])], nodes: emit.nodes, initializers: emit.initializers });
  const model = makeModel({ opset, graph });
  checkModel(model);
  return model;
}

/** [batch, feature, time] of clips of one length. */
async function run(settings: FeatureSettings, clips: readonly Audio[], opset?: number): Promise<{ dims: readonly number[]; data: Float32Array }> {
  const executable = await backend.compile(featureModel(settings, opset), { optimise: 'all' });
  const length = clips[0].samples.length;
  const data = new Float32Array(clips.length * length);
  for (const [k, { samples }] of clips.entries()) data.set(samples, k * length);
  const { features } = await executable.run({ samples: { dtype: 'float32', dims: [clips.length, length], data } });
  await executable.dispose();
  return features as { dims: readonly number[]; data: Float32Array };
}

/** Largest |difference| / max(1, |expected|) of clip `k`; the shapes must be the same. */
function distance({ dims, data }: { dims: readonly number[]; data: Float32Array }, k: number, clip: Audio, settings: FeatureSettings): number {
  const expected = computeFeatures(clip, settings);
  const [, width, frames] = dims;
  expect([frames, width]).toEqual([expected.frames, expected.width]);
  let largest = 0;
  for (let t = 0; t < frames; t++) {
    for (let f = 0; f < width; f++) {
      const [own, wanted] = [data[(k * width + f) * frames + t], expected.data[t * width + f]];
      largest = Math.max(largest, Math.abs(own - wanted) / Math.max(1, Math.abs(wanted)));
      if (!Number.isFinite(own)) return Infinity;
    }
  }
  return largest;
}

const presets: Readonly<Record<string, FeatureSettings>> = {
  'the reference model\'s': defaultFeatures({ sampleRateHz: 8000, mels: 20 }),
  'Kaldi\'s filter banks': kaldiFbank({ sampleRateHz: 8000 }),
  'Kaldi\'s filter banks of whole numbers': { ...kaldiFbank({ sampleRateHz: 16000, mels: 40 }), scale: 32768, framing: 'mirror-edges' },
  'Kaldi\'s MFCCs': kaldiMfcc({ sampleRateHz: 8000 }),
  'librosa\'s MFCCs': librosaMfcc({ sampleRateHz: 8000, mels: 40 }),
};

describe('featuresInGraph', () => {
  it.each(Object.entries(presets))('computes %s features as computeFeatures does, within 2e-3', async (_, settings) => {
    const clips = [1, 2].map((seed) => syntheticSound(seed, settings.sampleRateHz, 0.7));
    const own = await run(settings, clips);
    for (const [k, clip] of clips.entries()) expect(distance(own, k, clip, settings)).toBeLessThan(2e-3);
  });

  it('does so for any settings and any length, at the first window, the last one and in silence', async () => {
    const random = createRandom('features in graph');
    const among = <T>(...choices: readonly T[]): T => choices[Math.floor(random.uniform() * choices.length)];
    let tried = 0;
    for (let round = 0; round < 30; round++) {
      const sampleRateHz = among(8000, 11025, 16000);
      const common = {
        ...defaultFeatures({ sampleRateHz, mels: among(8, 13, 20) }), windowMs: among(20, 25, 30.1), hopMs: among(7, 10, 12.5, 27), fftSize: among(512, 600), window: among('hann', 'hamming', 'povey', 'rectangular'),
        windowForm: among('periodic', 'symmetric'), framing: among('snip-edges', 'mirror-edges', 'center-zeros', 'center-reflect'), scale: among(1, 32768), removeMean: among(true, false), preemphasis: among(0, 0.97),
        preemphasisOver: among('clip', 'frame'), spectrum: among('power', 'magnitude'), lowHz: among(0, 125), highHz: among(3600, 4000), melScale: among('htk', 'slaney'), area: among('none', 'slaney'),
        log: among('ln', 'log10', 'db'), floor: among(1e-6, 1e-3), floorBy: among('max', 'add'), ...(random.uniform() < 0.3 ? { dynamicRange: among(8, 60) } : {}),
        normalisation: among<FeatureSettings['normalisation']>({ type: 'none' }, { type: 'utterance', deviation: among('population', 'sample', 'none'), epsilon: among(0, 1e-5) }, { type: 'global', mean: [-3], deviation: [2.5] }),
      } as const;
      const settings = (among(true, false) ? { ...common, type: 'mfcc', triangles: among('hz', 'mel'), coefficients: 7, dct: among('ortho', 'none'), lifter: among(0, 22), lifterFrom: among(0, 1) } : common) as FeatureSettings;
      if (settingsFault(settings) !== undefined) continue;
      const clip = syntheticSound(round, sampleRateHz, 0.5);
      const samples = clip.samples.slice(0, among(windowSamples(settings), windowSamples(settings) + 1, 1701, clip.samples.length));
      if (random.uniform() < 0.2) samples.fill(0, 0, samples.length >> 1);
      // What is normalised over a clip of few frames is divided by next to nothing, in either precision.
      const few = settings.normalisation.type === 'utterance' && samples.length < 1500;
      const own = await run(few ? { ...settings, normalisation: { type: 'none' } } : settings, [{ samples, sampleRateHz }]);
      expect(distance(own, 0, { samples, sampleRateHz }, few ? { ...settings, normalisation: { type: 'none' } } : settings), JSON.stringify(settings)).toBeLessThan(5e-3);
      tried++;
    }
    expect(tried).toBeGreaterThan(18);
  });

  it.each([13, 18, 21, 23])('is the same graph in opset %i', async (opset) => {
    const settings: FeatureSettings = { ...librosaMfcc({ sampleRateHz: 8000, mels: 20, coefficients: 8 }), framing: 'mirror-edges', normalisation: { type: 'utterance', deviation: 'sample', epsilon: 1e-5 } };
    const clip = syntheticSound(3, 8000, 0.4);
    expect(distance(await run(settings, [clip], opset), 0, clip, settings)).toBeLessThan(2e-3);
  });

  it('refuses dither, which only training can draw', () => {
    expect(() => featureModel({ ...kaldiFbank(), dither: 1 })).toThrow(expect.objectContaining({ code: 'COPPICE_TARGET_REFUSED', message: expect.stringMatching(/dither of 1.*Train with dither 0/) }));
  });
});
