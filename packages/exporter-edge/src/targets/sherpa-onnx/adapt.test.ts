import { wasmBackend } from '@coppice/backend-onnx';
import { checkModel, type Model, type Tensor } from '@coppice/graph';
import { buildReferenceModel, computeFeatures, describeReferenceModel, featureWidth, tokenizerOf, type Audio, type FeatureSettings, type SpeechDescription } from '@coppice/speech';
import { describe, expect, it } from 'vitest';
import { syntheticSound } from '../../synthetic-sound.ts';
import { adaptForSherpa } from './adapt.ts';
import { families, familyFor } from './families.ts';

const backend = wasmBackend();
const [tdnn, nemo, fire] = families;
const sound = syntheticSound('adapt', 8000, 0.8);

function recogniser(features: FeatureSettings): { model: Model; speech: SpeechDescription } {
  const model = buildReferenceModel({ mels: featureWidth(features), channels: [4, 4], hidden: 6, layers: 1, tokens: 5, seed: 3 });
  return { model, speech: describeReferenceModel(model, { features, tokenizer: tokenizerOf('words', ['one', 'two', 'three', 'four']) }) };
}

async function run(model: Model, inputs: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const executable = await backend.compile(model);
  try {
    return await executable.run(inputs);
  } finally {
    await executable.dispose();
  }
}

/** Features as float32 [1, time, feature] or [1, feature, time]. */
function tensorOf(audio: Audio, settings: FeatureSettings, axes: string): Tensor {
  const { data, frames, width } = computeFeatures(audio, settings);
  if (axes === 'batch time feature') return { dtype: 'float32', dims: [1, frames, width], data };
  return { dtype: 'float32', dims: [1, width, frames], data: Float32Array.from(data, (_, at) => data[(at % frames) * width + Math.floor(at / frames)]) };
}

const [a, b, c] = [tdnn, nemo, fire].map(({ computes }) => computes(8000, 10));
const cases: readonly (readonly [string, string, FeatureSettings])[] = [
  ['normalised over the clip', 'tdnn', { ...a, normalisation: { type: 'utterance', deviation: 'population', epsilon: 1e-5 } }],
  ['in decibels within 60', 'tdnn', { ...a, log: 'db', dynamicRange: 60 }],
  ['of samples three times as large, from a higher floor, in log10', 'tdnn', { ...a, scale: 3, floor: 1e-3, log: 'log10' }],
  ['that are MFCCs less their means', 'tdnn', { ...a, type: 'mfcc', coefficients: 7, dct: 'ortho', lifter: 22, lifterFrom: 0, normalisation: { type: 'utterance', deviation: 'none', epsilon: 0 } }],
  ['normalised as NeMo does', 'nemo_ctc', { ...b, normalisation: { type: 'utterance', deviation: 'sample', epsilon: 1e-5 } }],
  ['normalised by a corpus', 'nemo_ctc', { ...b, normalisation: { type: 'global', mean: Array.from({ length: 10 }, (_, k) => -k), deviation: Array.from({ length: 10 }, (_, k) => 1 + k / 5) } }],
  ['of whole numbers', 'fire_red_asr_ctc', { ...c, normalisation: { type: 'utterance', deviation: 'population', epsilon: 1e-5 } }],
];

describe('adaptForSherpa', () => {
  it.each(cases)('takes features %s as the family %s', async (_, name, settings) => {
    const { model, speech } = recogniser(settings);
    const found = familyFor(settings);
    if ('refusal' in found) throw new Error(found.refusal);
    expect(found.family.name).toBe(name);
    const { family, computed } = found;
    const adapted = adaptForSherpa(model, speech);
    checkModel(adapted.model);
    const x = tensorOf(sound, computed, family.inputAxes);
    const frames = computeFeatures(sound, settings).frames;
    const lengths: Tensor = { dtype: 'int64', dims: [1], data: BigInt64Array.of(BigInt(frames)) };
    const own = await run(adapted.model, family.lengths ? { x, x_lens: lengths } : { x });
    const trained = await run(model, { features: tensorOf(sound, settings, 'batch time feature') });
    const wanted = trained['log_probs'].data as Float32Array;
    const { dims, data } = own['log_probs'];
    // Each frame of the output stands for two of features, and is said twice.
    expect(dims).toEqual([1, 2 * trained['log_probs'].dims[1], 5]);
    for (let at = 0; at < data.length; at++) expect(Math.abs((data as Float32Array)[at] - wanted[5 * Math.floor(at / 10) + (at % 5)])).toBeLessThan(2e-4);
    if (family.outputLengths) expect(own['log_probs_lens']).toEqual({ dtype: 'int64', dims: [1], data: BigInt64Array.of(BigInt(dims[1])) });
    const reference = await run(adapted.reference, { x: tensorOf(sound, settings, family.inputAxes) });
    expect(Math.max(...(reference['log_probs'].data as Float32Array).map((value, at) => Math.abs(value - (data as Float32Array)[at])))).toBeLessThan(2e-4);
  });

  it('says in the metadata what the family reads, and nothing that is no longer so', () => {
    const { model, speech } = recogniser({ ...b, normalisation: { type: 'none' } });
    const entries = Object.fromEntries(adaptForSherpa(model, speech).model.proto.metadataProps.map(({ key, value }) => [key, value]));
    expect(entries).toMatchObject({ model_type: 'EncDecCTCModel', vocab_size: '5', subsampling_factor: '1', normalize_type: 'NA' });
    expect(Object.keys(entries)).not.toContain('frame_stride');
  });
});

describe('familyFor', () => {
  it('finds none for features that sherpa-onnx does not compute, and names the differences and what to train with', () => {
    const { speech } = recogniser({ ...a, framing: 'snip-edges', window: 'hamming' });
    expect(() => adaptForSherpa(recogniser(speech.features).model, speech)).toThrow(expect.objectContaining({ code: 'COPPICE_TARGET_REFUSED', message: expect.stringMatching(/Nearest is its family 'tdnn': window is hamming, there povey; framing is snip-edges, there mirror-edges\. Train with .*"type":"fbank"/s) }));
  });

  it('refuses a floor below what sherpa-onnx keeps, because what lies between is lost', () => {
    expect(familyFor({ ...a, floor: 1e-9 })).toMatchObject({ refusal: expect.stringMatching(/floor is 1e-9, there 1\.19\d*e-7: what lies between is lost/) });
    expect(familyFor({ ...a, scale: 32768 })).toMatchObject({ refusal: expect.stringMatching(/floor/) });
  });

  it('refuses so many bands that a filter is empty, where sherpa-onnx would end the process', () => {
    expect(familyFor(tdnn.computes(8000, 200))).toMatchObject({ refusal: expect.stringMatching(/Filter \d+ of 200 lies between two bins.*fewer mel bands/) });
  });

  it('gives dither no family', () => {
    expect(familyFor({ ...a, dither: 1 })).toMatchObject({ refusal: expect.stringMatching(/dither is 1, there 0/) });
  });
});
