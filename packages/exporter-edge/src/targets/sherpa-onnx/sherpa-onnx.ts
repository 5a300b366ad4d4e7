import { bundleCode, sourceFile, thirdPartyNotices } from '../../bundle-code.ts';
import { featuresInGraphFault } from '../../features-in-graph/features-in-graph.ts';
import type { Target } from '../../target.ts';
import { packageName } from '../node/package-json.ts';
import { onnxRuntimeRefusals } from '../onnx-runtime.ts';
import { adaptForSherpa } from './adapt.ts';
import { configText } from './config-text.ts';
import { familyFor } from './families.ts';
import { stateRefusals } from './state-metadata.ts';
import { tokensFaults, tokensText } from './tokens-text.ts';
import { verifyOnSherpa } from './verify-sherpa.ts';

/** The version of `sherpa-onnx-node` that bundles are verified with. */
export const sherpaVersion = '1.13.8';

/** A folder that sherpa-onnx loads as one of its offline CTC families. */
export const sherpaTarget: Target = {
  name: 'sherpa-onnx',
  summary: 'a folder that sherpa-onnx loads as an offline CTC model: model.onnx with its metadata, tokens.txt, sherpa-onnx.json',
  runtime: () => ({
    name: 'sherpa-onnx-node', version: sherpaVersion, bytes: 0,
    note: 'Not part of the folder: installed from npm (33 MB for Linux on x64, no install script), or sherpa-onnx in any of its other forms, which read the same model.onnx and tokens.txt.',
  }),
  refusals: (model, speech) => {
    const found = familyFor(speech.features);
    const dither = featuresInGraphFault(speech.features);
    const opset = Number(model.proto.opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? 0);
    return [
      ...('refusal' in found ? [found.refusal] : []), ...(dither === undefined ? [] : [dither]), ...tokensFaults(speech),
      // The ONNX Runtime inside, 1.28, takes the same operator sets as the one that these sentences are of.
      ...onnxRuntimeRefusals(model, { mostBytes: 2 ** 31 - 1 }), ...stateRefusals(model),
      ...(opset < 13 ? [`The model uses opset ${opset}, and nodes can be put around it from opset 13 on. Export it with a newer one.`] : []),
    ];
  },
  adapt: adaptForSherpa,
  async *files({ manifest }) {
    const { speech, model, name, licence } = manifest;
    const found = familyFor(speech.features);
    if ('refusal' in found) return;
    yield { path: 'tokens.txt', bytes: tokensText(speech) };
    yield { path: 'sherpa-onnx.json', bytes: configText(found.family, speech.features, model.path) };
    yield { path: 'package.json', bytes: packageJson(name, licence) };
    const entry = (each: string): string => sourceFile(import.meta.url, `./entry/${each}`);
    const code = await bundleCode({ entries: { recognise: entry('recognise'), verify: entry('verify') }, platform: 'node' });
    yield { path: 'THIRD-PARTY.txt', bytes: thirdPartyNotices(code.packages) };
    yield* code.files;
  },
  verify: (folder, manifest, { onProgress }) => verifyOnSherpa(folder, manifest, onProgress),
};

const packageJson = (name: string, licence: string | null): string => `${JSON.stringify({
  name: packageName(name), version: '1.0.0', private: true, description: `Speech recogniser ${name}`, license: licence ?? 'UNLICENSED', type: 'module',
  scripts: { recognise: 'node recognise.js', verify: 'node verify.js' },
  dependencies: { 'sherpa-onnx-node': sherpaVersion },
}, undefined, 2)}\n`;
