import { wasmBackend } from '@coppice/backend-onnx';
import { encodeModel, graphOf, readTensor, toTensorProto, withFields, type Model } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { buildReferenceModel, describeReferenceModel, featureWidth, tokenizerOf, type FeatureSettings } from '@coppice/speech';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportBundle, type ExportRequest } from '../../export-bundle.ts';
import { withMetadata } from '../../features-in-graph/surround.ts';
import { newFolder, plant, removeFolders, smallRequest, type Fault } from '../../testing/small-bundle.ts';
import { syntheticSound } from '../../synthetic-sound.ts';
import { burstRecogniser, bursts } from '../../testing/burst-recogniser.ts';
import { verifyBundle } from '../../verify-bundle.ts';
import { adaptForSherpa } from './adapt.ts';
import { families } from './families.ts';
import { runSherpa, sherpaModule } from './run-sherpa.ts';
import { sherpaTarget } from './sherpa-onnx.ts';

const [tdnn, nemo, fire] = families;
const normalised: FeatureSettings['normalisation'] = { type: 'utterance', deviation: 'population', epsilon: 1e-5 };
const runtime = sherpaModule();

function request(features: FeatureSettings, changes: Partial<ExportRequest> = {}): ExportRequest {
  const model = buildReferenceModel({ mels: featureWidth(features), channels: [4, 4], hidden: 6, layers: 1, tokens: 5, seed: 3 });
  const speech = describeReferenceModel(model, { features, tokenizer: tokenizerOf('words', ['one', 'two', 'three', 'four']) });
  return smallRequest(wasmBackend(), { model, speech, clips: { source: 'a synthetic one', clips: [{ id: 'a', audio: syntheticSound(1, 8000, 1) }] }, ...changes });
}

async function bundle(features: FeatureSettings): Promise<string> {
  const folder = join(newFolder(), 'sherpa');
  await exportBundle(sherpaTarget, request(features), folder);
  return folder;
}

const findingsOf = async (folder: string): Promise<string> => (await verifyBundle(folder)).findings.map(({ where, message }) => `${where}: ${message}`).join('\n');
afterAll(removeFolders);

describe('the target sherpa-onnx', () => {
  it('refuses, before anything is written, a recogniser with features that sherpa-onnx does not compute', async () => {
    const folder = newFolder();
    await expect(exportBundle(sherpaTarget, smallRequest(wasmBackend()), join(folder, 'out'))).rejects.toThrow(expect.objectContaining({ code: 'COPPICE_TARGET_REFUSED', message: expect.stringMatching(/computes other features.*Nearest is its family.*Train with the features of one of these families/s) }));
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe.skipIf(runtime === undefined)(`on sherpa-onnx-node ${runtime?.version ?? '(not installed: nothing of sherpa-onnx was run)'}`, { timeout: 60_000 }, () => {
  let asTdnn: string;
  let asNemo: string;
  beforeAll(async () => {
    asTdnn = await bundle({ ...tdnn.computes(8000, 8), normalisation: normalised });
    asNemo = await bundle({ ...nemo.computes(8000, 8), normalisation: { ...normalised, deviation: 'sample' } });
  }, 60_000);

  it.each([['tdnn', () => asTdnn], ['nemo_ctc', () => asNemo], ['fire_red_asr_ctc', () => bundle({ ...fire.computes(8000, 8), normalisation: normalised })]] as const)('a recogniser of the family %s reads the features of training there, and says the same at the same time', async (name, folder) => {
    const { findings, largest, clips, ranOn, manifest } = await verifyBundle(await folder());
    expect(findings).toEqual([]);
    expect({ clips, ranOn }).toEqual({ clips: 1, ranOn: `sherpa-onnx-node ${runtime!.version} as ${name}` });
    // Nothing came out that was only assumed: the difference of two ways of computing is not nought.
    expect(largest!.features).toBeGreaterThan(0);
    expect(largest!.features).toBeLessThan(5e-4);
    expect(largest!.logProbs).toBeLessThan(1e-3);
    expect(manifest.golden.clips[0].text).not.toBe('');
  });

  it.each([tdnn, nemo, fire])('says a word twice that was said twice, at the times at which it was said, as $name', async (family) => {
    const folder = join(newFolder(), 'bursts');
    const features = { ...family.computes(8000, 8), floor: 1e-3 * family.computes(8000, 8).scale ** 2 };
    await exportBundle(sherpaTarget, request(features, { ...burstRecogniser({ ...features, log: 'log10' }), clips: { source: 'bursts', clips: [{ id: 'two', audio: bursts([0.3, 0.8]) }] } }), folder);
    expect(await findingsOf(folder)).toBe('');
    const ran = await runSherpa({ script: join(folder, 'recognise.js'), module: runtime!.path, config: join(folder, 'sherpa-onnx.json'), clips: [join(folder, 'golden/1.wav')] });
    if ('fault' in ran) throw new Error(ran.fault);
    const [{ text, timestamps }] = ran.results;
    expect(text).toBe('hey hey');
    for (const [k, start] of [0.3, 0.8].entries()) expect(Math.abs(timestamps[k] - start)).toBeLessThan(0.04);
  });

  it('has a script that recognises files, and one that verifies, without Coppice', async () => {
    const { manifest } = await verifyBundle(asTdnn);
    const clips = manifest.golden.clips.map(({ audio }) => join(asTdnn, audio));
    const ran = await runSherpa({ script: join(asTdnn, 'recognise.js'), module: runtime!.path, config: join(asTdnn, 'sherpa-onnx.json'), clips });
    expect('results' in ran && ran.results.map(({ text }) => text)).toEqual(manifest.golden.clips.map(({ text }) => text));
    expect(JSON.parse(readFileSync(join(asTdnn, 'package.json'), 'utf8'))).toMatchObject({ scripts: { verify: 'node verify.js' }, dependencies: { 'sherpa-onnx-node': runtime!.version } });
    expect(execFileSync(process.execPath, [join(asTdnn, 'verify.js'), '--sherpa', runtime!.path], { encoding: 'utf8' })).toMatch(/1 golden clips are recognised as at the export/);
    const spoilt = plant(asTdnn, (fault) => { fault.file('tokens.txt', (bytes) => Buffer.from(String(bytes).replace('two 2', 'two 3').replace('three 3', 'three 2'))); fault.seal(); });
    expect(spawnSync(process.execPath, [join(spoilt, 'verify.js'), '--sherpa', runtime!.path], { encoding: 'utf8' })).toMatchObject({ status: 1, stderr: expect.stringMatching(/text of golden\/1\.wav is '.*', and '.*' was expected/) });
  });

  it.each<[string, RegExp, () => string, (fault: Fault) => void]>([
    ['a byte of the model is flipped', /model\.onnx was changed after the export/, () => asTdnn, (fault) => fault.file('model.onnx', (bytes) => { bytes[bytes.length >> 1] ^= 4; return bytes; })],
    ['the metadata are those of another model', /metadata are stale: 'vocab_size' is '40', and the output has 5 classes/, () => asTdnn, (fault) => replaceModel(fault, (model) => withMetadata(model, { vocab_size: '40' }))],
    ['an entry of the metadata is missing', /'vocab_size' is missing, and sherpa-onnx ends the process.*could not recognise the golden clips: it ended with 255 and said: 'vocab_size' does not exist in the metadata/s, () => asTdnn, (fault) => replaceModel(fault, (model) => withMetadata(model, { vocab_size: undefined }))],
    ['the tokens are shifted by one', /tokens\.txt is shifted by one.*The tokens of golden\/1\.wav are/s, () => asTdnn, (fault) => { fault.file('tokens.txt', () => Buffer.from('<blk> 0\n\u2581one 2\n\u2581two 3\n\u2581three 4\n\u2581four 1\n')); fault.seal(); }],
    ['the configuration has another sample rate', /sherpa-onnx\.json does not fit the model, which wants the family tdnn, 8000 samples/, () => asTdnn, (fault) => { fault.file('sherpa-onnx.json', (bytes) => Buffer.from(String(bytes).replace('8000', '16000'))); fault.seal(); }],
    ['the graph does not normalise', /features that reach the model in sherpa-onnx differ.*They are those of 'normalisation' \{"type":"none"\}, and the model was trained with \{"type":"utterance"/, () => asTdnn, (fault) => replaceModel(fault, () => adapted({ ...tdnn.computes(8000, 8), normalisation: { type: 'none' } }))],
    ['the graph normalises in another way', /They are those of 'normalisation' \{"type":"utterance","deviation":"none"/, () => asNemo, (fault) => replaceModel(fault, () => adapted({ ...nemo.computes(8000, 8), normalisation: { ...normalised, deviation: 'none' } }))],
    ['the metadata ask for a normalisation beside that of the graph', /metadata are stale: 'normalize_type' is 'per_feature', and the graph normalises itself/, () => asNemo, (fault) => replaceModel(fault, (model) => withMetadata(model, { normalize_type: 'per_feature' }))],
    ['the weights are others', /log-probabilities of golden\/1\.wav differ.*model is another one/, () => asTdnn, (fault) => replaceModel(fault, withOtherWeights)],
    ['the features of the manifest are others', /speaks of features that sherpa-onnx does not compute.*melScale is slaney, there htk/, () => asTdnn, (fault) => fault.manifest((manifest) => ({ ...manifest, speech: { ...manifest.speech, features: { ...manifest.speech.features, melScale: 'slaney' } } }))],
  ])('verify names the fault when %s', async (_, words, base, change) => {
    expect(await findingsOf(plant(base(), change))).toMatch(words);
  });

  it('ends a process that does not end by itself', async () => {
    expect(await runSherpa({ script: join(asTdnn, 'recognise.js'), module: runtime!.path, config: join(asTdnn, 'sherpa-onnx.json'), clips: [join(asTdnn, 'golden/1.wav')], timeoutMs: 1 })).toMatchObject({ fault: expect.stringMatching(/did not end within/) });
  });
});

const adapted = (features: FeatureSettings): Model => {
  const { model, speech } = request(features);
  return adaptForSherpa(model, speech).model;
};

/** Another model under the same name, with the manifest's hashes put right. */
function replaceModel(fault: Fault, change: (model: Model) => Model): void {
  fault.file('model.onnx', () => encodeModel(change(readModel(join(fault.folder, 'model.onnx')))));
  fault.seal();
}

function withOtherWeights(model: Model): Model {
  const graph = graphOf(model);
  const initializer = graph.initializer.map((tensor) => {
    const { data, ...rest } = readTensor(model, tensor);
    return data instanceof Float32Array && data.length > 50 ? toTensorProto(tensor.name, { ...rest, data: data.map((value) => 1.1 * value) }) : tensor;
  });
  return { ...model, proto: withFields(model.proto, { graph: withFields(graph, { initializer }) }) };
}
