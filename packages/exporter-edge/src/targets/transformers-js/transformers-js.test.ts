import { wasmBackend } from '@coppice/backend-onnx';
import { encodeModel, type Model } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { buildReferenceModel, decodeWav, defaultFeatures, describeReferenceModel, kaldiMfcc, parseDescription, tokenizerOf, type FeatureSettings } from '@coppice/speech';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportBundle, type ExportRequest } from '../../export-bundle.ts';
import { newFolder, plant, removeFolders, smallRequest, type Fault } from '../../testing/small-bundle.ts';
import { syntheticSound } from '../../synthetic-sound.ts';
import { burstRecogniser, bursts } from '../../testing/burst-recogniser.ts';
import { verifyBundle } from '../../verify-bundle.ts';
import { adaptForTransformers, modelPath } from './adapt.ts';
import { configFiles, vocabularyFaults } from './config-files.ts';
import { transformersModule } from './run-transformers.ts';
import { transformersTarget } from './transformers-js.ts';

const runtime = transformersModule();
const examples = join(import.meta.dirname, '../../../../../examples');

async function bundle(changes: Partial<ExportRequest> = {}): Promise<string> {
  const folder = join(newFolder(), 'transformers');
  await exportBundle(transformersTarget, smallRequest(wasmBackend(), { clips: { source: 'a synthetic one', clips: [{ id: 'a', audio: syntheticSound(1, 8000, 1) }] }, ...changes }), folder);
  return folder;
}

const findingsOf = async (folder: string): Promise<string> => (await verifyBundle(folder)).findings.map(({ where, message }) => `${where}: ${message}`).join('\n');
afterAll(removeFolders);

describe('the target transformers-js', () => {
  it('refuses dither, and an alphabet in which two tokens would become one', async () => {
    const { speech } = smallRequest(wasmBackend());
    await expect(bundle({ speech: { ...speech, features: { ...speech.features, dither: 1 } } })).rejects.toThrow(expect.objectContaining({ code: 'COPPICE_TARGET_REFUSED', message: expect.stringMatching(/dither of 1/) }));
    expect(vocabularyFaults({ tokenizer: 'characters', tokens: [' ', '_', 'a', '|'], blank: 1, wordSeparator: '|' }).join()).toMatch(/" " would be the same/);
    expect(vocabularyFaults(speech)).toEqual([]);
  });

  it('gives the blank a place in the vocabulary that is not a special token\'s', () => {
    const files = configFiles({ ...smallRequest(wasmBackend()).speech, tokens: ['a', 'b', '<pad>', '|', 'c'], tokenizer: 'characters', wordSeparator: '|', blank: 2 });
    expect(files['tokenizer.json']).toMatchObject({ added_tokens: [], decoder: { type: 'CTC', pad_token: '<pad>' }, model: { vocab: { a: 0, b: 1, '<pad>': 2, ' ': 3, c: 4 } } });
  });
});

describe.skipIf(runtime === undefined)(`on @huggingface/transformers ${runtime?.version ?? '(not installed: nothing of Transformers.js was run)'}`, { timeout: 60_000 }, () => {
  let small: string;
  beforeAll(async () => {
    small = await bundle();
  }, 60_000);

  it('a recogniser takes sound as it is, and says the same there', async () => {
    const { findings, largest, clips, ranOn, manifest } = await verifyBundle(small);
    expect(findings).toEqual([]);
    expect({ clips, ranOn }).toEqual({ clips: 1, ranOn: `@huggingface/transformers ${runtime!.version}` });
    expect(largest!.features).toBeGreaterThan(0);
    expect(largest!.features).toBeLessThan(1e-3);
    expect(largest!.logProbs).toBeLessThan(1e-3);
    expect(manifest.model).toMatchObject({ path: modelPath, input: { name: 'input_values', axes: 'batch sample', dims: ['batch', 'samples'] }, output: { name: 'logits' } });
    expect(manifest.golden.clips[0].text).not.toBe('');
  });

  it('so does one with MFCCs, letters and the blank in the end', async () => {
    const features: FeatureSettings = { ...kaldiMfcc({ sampleRateHz: 8000, mels: 12, coefficients: 8 }), scale: 32768, normalisation: { type: 'utterance', deviation: 'sample', epsilon: 1e-5 } };
    const model = buildReferenceModel({ mels: 8, channels: [4, 4], hidden: 6, layers: 1, tokens: 6, seed: 5 });
    const described = describeReferenceModel(model, { features, tokenizer: tokenizerOf('characters', ['a', 'b', 'c', '|', 'd']) });
    const speech = { ...described, tokens: ['a', '.', "'", '|', 'd', '_'], blank: 5, wordSeparator: '|' };
    const folder = await bundle({ model, speech });
    expect(await findingsOf(folder)).toBe('');
  });

  it('the recogniser of the examples writes what was said', async () => {
    const model = readModel(join(examples, 'demo/digits.onnx'));
    const speech = parseDescription(JSON.parse(readFileSync(join(examples, 'demo/digits.speech.json'), 'utf8')), 'digits.speech.json');
    const names = ['7_awb_9', '3_anniecar_10', '0_f2rp_8'];
    const clips = names.map((id) => ({ id, audio: decodeWav(readFileSync(join(examples, `digits/${id}.wav`)), id) }));
    const folder = await bundle({ model, speech, clips: { source: 'examples/digits', clips } });
    const { findings, manifest } = await verifyBundle(folder);
    expect(findings).toEqual([]);
    expect(manifest.golden.clips.map(({ text }) => text)).toEqual(['seven', 'three', 'zero']);
  });

  it('a word is said twice that was said twice', async () => {
    const features: FeatureSettings = { ...defaultFeatures({ sampleRateHz: 8000, mels: 8 }), normalisation: { type: 'none' } };
    const folder = await bundle({ ...burstRecogniser(features), clips: { source: 'bursts', clips: [{ id: 'two', audio: bursts([0.3, 0.8]) }] } });
    const { findings, manifest } = await verifyBundle(folder);
    expect({ findings, text: manifest.golden.clips[0].text }).toEqual({ findings: [], text: 'hey hey' });
  });

  it.each<[string, RegExp, (fault: Fault) => void]>([
    ['a byte of the model is flipped', /onnx\/model\.onnx was changed after the export/, (fault) => fault.file(modelPath, (bytes) => { bytes[bytes.length >> 1] ^= 4; return bytes; })],
    ['the package would normalise the sound', /preprocessor_config\.json is stale: 'do_normalize' is true, and this model needs false: sound would be normalised before the model.*log-probabilities of golden\/1\.wav differ/s, (fault) => rewrite(fault, 'preprocessor_config.json', '"do_normalize": false', '"do_normalize": true')],
    ['the sample rate is another one', /'sampling_rate' is 16000, and this model needs 8000: sound would be taken for another rate/, (fault) => rewrite(fault, 'preprocessor_config.json', '8000', '16000')],
    ['the configuration is of another model', /config\.json is stale: 'vocab_size' is 32, and this model needs 5/, (fault) => rewrite(fault, 'config.json', '"vocab_size": 5', '"vocab_size": 32')],
    ['the tokens are shifted by one', /vocabulary of tokenizer\.json is shifted by one.*text of golden\/1\.wav is/s, (fault) => { fault.file('tokenizer.json', (bytes) => Buffer.from(shifted(String(bytes)))); fault.seal(); }],
    ['the graph normalises in another way', /features that reach the model in Transformers\.js differ.*They are those of 'normalisation' \{"type":"none"\}, and the model was trained with \{"type":"utterance"/, (fault) => replaceModel(fault, { normalisation: { type: 'none' } })],
    ['the graph has another mel scale', /They are those of 'melScale' "slaney", and the model was trained with "htk"/, (fault) => replaceModel(fault, { melScale: 'slaney' })],
    ['the mel scale of the manifest is another one', /setting 'melScale' of the features is wrong: it is "slaney", and with "htk"/, (fault) => fault.manifest((manifest) => ({ ...manifest, speech: { ...manifest.speech, features: { ...manifest.speech.features, melScale: 'slaney' } } }))],
    ['the model is none', /could not recognise the golden clips: it ended with 1 and said/, (fault) => { fault.file(modelPath, () => Buffer.from(encodeModel(broken(readModel(join(fault.folder, modelPath)))))); fault.seal(); }],
  ])('verify names the fault when %s', async (_, words, change) => {
    expect(await findingsOf(plant(small, change))).toMatch(words);
  });

  it('has a script that verifies without Coppice', () => {
    expect(execFileSync(process.execPath, [join(small, 'verify.js'), '--transformers', runtime!.url], { encoding: 'utf8' })).toMatch(/1 golden clips are recognised as at the export/);
    const spoilt = plant(small, (fault) => { fault.file('tokenizer.json', (bytes) => Buffer.from(shifted(String(bytes)))); fault.seal(); });
    expect(spawnSync(process.execPath, [join(spoilt, 'verify.js'), '--transformers', runtime!.url], { encoding: 'utf8' })).toMatchObject({ status: 1, stderr: expect.stringMatching(/text of golden\/1\.wav is '.*', and '.*' was expected/) });
  });
});

function rewrite(fault: Fault, path: string, from: string, to: string): void {
  fault.file(path, (bytes) => Buffer.from(String(bytes).replace(from, to)));
  fault.seal();
}

function shifted(text: string): string {
  const json = JSON.parse(text) as { model: { vocab: Record<string, number> } };
  const said = Object.entries(json.model.vocab).filter(([, id]) => id !== 0);
  for (const [token, id] of said) json.model.vocab[token] = id === said.length ? 1 : id + 1;
  return JSON.stringify(json);
}

function replaceModel(fault: Fault, change: Partial<FeatureSettings>): void {
  const { model, speech } = smallRequest(wasmBackend());
  fault.file(modelPath, () => encodeModel(adaptForTransformers(model, { ...speech, features: { ...speech.features, ...change } as FeatureSettings }).model));
  fault.seal();
}

const broken = (model: Model): Model => ({ ...model, proto: { ...model.proto, opsetImport: [] } });
