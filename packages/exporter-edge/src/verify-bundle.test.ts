import { wasmBackend } from '@coppice/backend-onnx';
import { encodeModel, readTensor, toTensorProto, withFields, type Model } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BundleManifest } from './manifest.ts';
import { newFolder, plant, removeFolders, smallBundle, type Fault } from './testing/small-bundle.ts';
import { verifyBundle } from './verify-bundle.ts';

let bundle: string;
beforeAll(async () => {
  bundle = (await smallBundle('node', wasmBackend())).folder;
});
afterAll(removeFolders);

const withFeatures = (change: object) => (manifest: BundleManifest): object => ({ ...manifest, speech: { ...manifest.speech, features: { ...manifest.speech.features, ...change } } });
const withTokens = (change: (tokens: readonly string[]) => readonly string[]) => (manifest: BundleManifest): object => ({ ...manifest, speech: { ...manifest.speech, tokens: change(manifest.speech.tokens) } });
const withModel = (change: object) => (manifest: BundleManifest): object => ({ ...manifest, model: { ...manifest.model, ...change } });

/** Another model under the same name, with the manifest's hashes put right. */
function replaceModel(fault: Fault, change: (model: Model) => Model): void {
  fault.file('model.onnx', () => encodeModel(change(readModel(join(fault.folder, 'model.onnx')))));
  fault.seal();
}

describe('verifyBundle', () => {
  it('finds nothing in a bundle that is as it was exported; its features are the same bit for bit', async () => {
    const { findings, largest, clips, ranOn } = await verifyBundle(bundle);
    expect(findings).toEqual([]);
    expect({ features: largest?.features, clips }).toEqual({ features: 0, clips: 2 });
    expect(ranOn).toMatch(/^onnxruntime-node 1\.30/);
  });

  it.each<[string, RegExp, (fault: Fault) => void]>([
    ['a byte of the model is flipped', /model\.onnx was changed after the export/, (fault) => fault.file('model.onnx', (bytes) => { bytes[bytes.length >> 1] ^= 4; return bytes; })],
    ['the model was cut off', /model\.onnx is cut off: it has \d+ of \d+ bytes/, (fault) => fault.file('model.onnx', (bytes) => bytes.subarray(0, 5000))],
    ['a golden clip was changed', /golden\/1\.wav was changed after the export/, (fault) => fault.file('golden/1.wav', (bytes) => { bytes[600] ^= 64; return bytes; })],
    ['code was changed', /index\.js has \d+ bytes, and \d+ were exported/, (fault) => fault.file('index.js', (bytes) => Buffer.concat([bytes, Buffer.from('\nfetch("https://example.org");')]))],
    ['a file is missing', /golden\/2\.log-probs\.f32 is missing/, ({ folder }) => rmSync(join(folder, 'golden/2.log-probs.f32'))],
    ['a file was added', /tracker\.js is in the folder and not in the manifest/, ({ folder }) => writeFileSync(join(folder, 'tracker.js'), '')],
  ])('says so when %s, and runs nothing of it', async (_, words, change) => {
    const { findings, clips, ranOn } = await verifyBundle(plant(bundle, change));
    expect(findings.map(({ message }) => message).join('\n')).toMatch(words);
    expect({ count: findings.length, clips, ranOn }).toEqual({ count: 1, clips: 0, ranOn: undefined });
  });

  it.each<[string, RegExp, (fault: Fault) => void]>([
    ['the mel scale is wrong', /setting 'melScale' of the features is wrong: it is "slaney", and with "htk"/, (fault) => fault.manifest(withFeatures({ melScale: 'slaney' }))],
    ['the window is wrong', /setting 'window' of the features is wrong: it is "hamming", and with "hann"/, (fault) => fault.manifest(withFeatures({ window: 'hamming' }))],
    ['the hop is wrong', /features of golden\/1\.wav are \[\d+, 8\], and \[151, 8\] were expected\. The setting 'hopMs'.* is 12, and with 10/, (fault) => fault.manifest(withFeatures({ hopMs: 12 }))],
    ['two settings are wrong', /No single setting explains it/, (fault) => fault.manifest(withFeatures({ melScale: 'slaney', floor: 0.02 }))],
    ['the tokens are shifted by one', /alphabet reads .* the tokens are shifted by one/s, (fault) => fault.manifest(withTokens(([blank, ...words]) => [blank, ...words.slice(1), words[0]]))],
    ['two tokens are swapped', /another one than at the export/, (fault) => fault.manifest(withTokens(([blank, one, two, ...rest]) => [blank, two, one, ...rest]))],
    ['the decoder is another one', /the decoder was greedy, and the manifest says beam/, (fault) => fault.manifest((manifest) => ({ ...manifest, decoder: { type: 'beam', width: 4 }, golden: { ...manifest.golden, alphabet: `${manifest.golden.alphabet}` } }))],
    ['the manifest is of another model', /manifest is stale: .* 'opset' is \{"":9\}.*manifest is stale: .* 'parameters' is 1, and the model has \d+/s, (fault) => fault.manifest(withModel({ parameters: 1, opset: { '': 9 } }))],
    ['the manifest names another input', /names the input 'sound', and the model has 'features'/, (fault) => fault.manifest((manifest) => ({ ...manifest, speech: { ...manifest.speech, input: 'sound' } }))],
    ['the metadata of the model are stale', /metadata are stale: 'mels' is '40', and the features of a frame are 8/, (fault) => replaceModel(fault, (model) => ({ ...model, proto: withFields(model.proto, { metadataProps: model.proto.metadataProps.map((entry) => (entry.key === 'mels' ? { ...entry, value: '40' } : entry)) }) }))],
    ['the weights are others', /log-probabilities of golden\/1\.wav differ by up to .*the model is another one/s, (fault) => replaceModel(fault, withOtherWeights)],
    ['the sound of a clip was replaced', /golden clip or its expected features were replaced/, (fault) => { fault.file('golden/2.wav', (bytes) => Buffer.concat([bytes.subarray(0, 44), bytes.subarray(44).toReversed()])); fault.seal(); }],
    ['the expected text was changed', /text of golden\/1\.wav is '.*', and 'nothing of the kind' was expected/, (fault) => fault.manifest((manifest) => ({ ...manifest, golden: { ...manifest.golden, clips: manifest.golden.clips.map((clip, k) => (k === 0 ? { ...clip, text: 'nothing of the kind' } : clip)) } }))],
  ])('names the fault when %s, although every hash is right', async (_, words, change) => {
    const { findings } = await verifyBundle(plant(bundle, change));
    expect(findings.map(({ message }) => message).join('\n')).toMatch(words);
  });

  it('refuses folders that are no bundles, and manifests that lead out of the folder', async () => {
    const refuses = (folder: string, words: RegExp): Promise<void> => expect(verifyBundle(folder)).rejects.toThrow(expect.objectContaining({ code: 'COPPICE_BUNDLE_INVALID', message: expect.stringMatching(words) }));
    await refuses(newFolder(), /has no manifest\.json/);
    await refuses(plant(bundle, (fault) => fault.file('manifest.json', (bytes) => bytes.subarray(0, 100))), /not JSON/);
    await refuses(plant(bundle, (fault) => fault.manifest((manifest) => ({ ...manifest, version: 2 }))), /\/version/);
    for (const path of ['../model.onnx', '/etc/passwd', 'a/../../b', '.hidden', 'a\\b', 'C:x']) await refuses(plant(bundle, (fault) => fault.manifest(withModel({ path }))), /\/model\/path/);
  });
});

function withOtherWeights(model: Model): Model {
  const graph = model.proto.graph!;
  const initializer = graph.initializer.map((tensor) => {
    const { data, ...rest } = readTensor(model, tensor);
    return data instanceof Float32Array && data.length > 50 ? toTensorProto(tensor.name, { ...rest, data: data.map((value) => 1.02 * value) }) : tensor;
  });
  return { ...model, proto: withFields(model.proto, { graph: withFields(graph, { initializer }) }) };
}
