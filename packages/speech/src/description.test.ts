import { describe, expect, it } from 'vitest';
import { describeReferenceModel, outputFrames, parseDescription, writeDescription, type SpeechDescription } from './description.ts';
import { defaultFeatures, type FeatureSettings, kaldiFbank, kaldiMfcc, librosaMfcc } from './features/index.ts';
import { buildReferenceModel } from './reference-model.ts';
import { phones39, tokenizerOf } from './tokenizer.ts';

const model = buildReferenceModel({ mels: 12, channels: [2, 2], strides: [[2, 2], [2, 1]], hidden: 2, layers: 1, tokens: 40 });
const described = describeReferenceModel(model, { features: defaultFeatures({ sampleRateHz: 8000, mels: 12 }), tokenizer: phones39() });
const written = (description: SpeechDescription): Record<string, unknown> => JSON.parse(writeDescription(description)) as Record<string, unknown>;

describe('describeReferenceModel', () => {
  it('says what the model reads and writes', () => {
    expect(described).toMatchObject({ input: 'features', inputAxes: 'batch time feature', output: 'log_probs', outputAxes: 'batch time token', frameStride: 4, blank: 0, tokenizer: 'phones' });
    expect([1, 4, 5, 9].map((frames) => outputFrames(frames, described))).toEqual([1, 1, 2, 3]);
  });

  it('refuses features and alphabets of another size, and models of others', () => {
    const refuses = (parts: Parameters<typeof describeReferenceModel>, message: RegExp): void =>
      expect(() => describeReferenceModel(...parts)).toThrow(expect.objectContaining({ code: 'COPPICE_DESCRIPTION_INVALID', message: expect.stringMatching(message) }));
    refuses([model, { features: defaultFeatures(), tokenizer: phones39() }], /mels is 12.*40/);
    refuses([model, { features: defaultFeatures({ mels: 12 }), tokenizer: tokenizerOf('characters', 'abc') }], /tokens is 40.*4/);
    refuses([{ proto: { ...model.proto, metadataProps: [] } }, { features: defaultFeatures({ mels: 12 }), tokenizer: phones39() }], /missing/);
  });
});

describe('parseDescription', () => {
  it.each<FeatureSettings>([defaultFeatures(), kaldiFbank(), kaldiMfcc(), librosaMfcc(), { ...defaultFeatures(), normalisation: { type: 'global', mean: [1], deviation: [2] } }])('reads what writeDescription writes ($type)', (features) => {
    const description = { ...described, features };
    expect(parseDescription(written(description), 'a.json')).toEqual(description);
  });

  const features = (change: object): object => ({ features: { ...described.features, ...change } });
  it.each<[object, RegExp]>([
    [{ format: 'x' }, /\/format/], [{ version: 2 }, /\/version/], [{ extra: 1 }, /additional properties: 'extra'/], [{ tokens: undefined }, /tokens/], [{ tokens: ['a', 'a'] }, /\/tokens\/1/],
    [{ tokens: ['a', 3] }, /\/tokens\/1/], [{ blank: 40 }, /\/blank/], [{ blank: 0.5 }, /\/blank/], [{ inputAxes: 'batch time' }, /\/inputAxes/], [{ inputAxes: 'batch time time feature' }, /\/inputAxes/],
    [{ outputAxes: 'token time batch' }, /\/outputAxes.*batch time token, time batch token/], [{ frameStride: 0 }, /\/frameStride/], [{ input: '' }, /\/input/],
    [features({ type: 'plp' }), /\/features/], [features({ hopMs: undefined }), /\/features.*hopMs/], [features({ hopMs: '10' }), /\/features\/hopMs/], [features({ window: 'kaiser' }), /\/features\/window.*hann/],
    [features({ coefficients: 3 }), /\/features.*coefficients/], [features({ highHz: 5000 }), /\/features\/highHz/], [features({ normalisation: { type: 'utterance' } }), /\/features\/normalisation/],
    [features({ normalisation: { type: 'global', mean: [1, 2, 3], deviation: [1] } }), /\/features\/normalisation\/mean/], [features({ fftSize: 128 }), /\/features\/fftSize/],
  ])('names the place of the fault in %o', (change, message) => {
    const json: unknown = JSON.parse(JSON.stringify({ ...written(described), ...change }));
    expect(() => parseDescription(json, 'a.json')).toThrow(expect.objectContaining({ code: 'COPPICE_DESCRIPTION_INVALID', message: expect.stringMatching(message) }));
    expect(() => parseDescription(json, 'a.json')).toThrow(/^a\.json/);
  });

  it('refuses what is no object', () => {
    for (const json of [null, 3, 'x', [], {}]) expect(() => parseDescription(json, 'a.json')).toThrow(expect.objectContaining({ code: 'COPPICE_DESCRIPTION_INVALID' }));
  });
});
