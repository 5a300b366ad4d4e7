import { bundleCode, sourceFile, thirdPartyNotices } from '../../bundle-code.ts';
import { featuresInGraphFault } from '../../features-in-graph/features-in-graph.ts';
import type { Target } from '../../target.ts';
import { packageName } from '../node/package-json.ts';
import { onnxRuntimeRefusals } from '../onnx-runtime.ts';
import { adaptForTransformers } from './adapt.ts';
import { configFiles, configText, vocabularyFaults } from './config-files.ts';
import { verifyOnTransformers } from './verify-transformers.ts';

/** The version of `@huggingface/transformers` that bundles are verified with. */
export const transformersVersion = '4.3.1';

/** A folder that Transformers.js loads as a CTC model of the wav2vec2 family, its features within the graph. */
export const transformersTarget: Target = {
  name: 'transformers-js',
  summary: 'a folder that Transformers.js loads: pipeline(\'automatic-speech-recognition\', folder)',
  runtime: () => ({
    name: '@huggingface/transformers', version: transformersVersion, bytes: 0,
    note: 'Not part of the folder: installed from npm (16 MB, and in Node onnxruntime-node and sharp, which npm install brings) or loaded by a page.',
  }),
  refusals: (model, speech) => {
    const dither = featuresInGraphFault(speech.features);
    const opset = Number(model.proto.opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? 0);
    return [
      ...(dither === undefined ? [] : [dither]), ...vocabularyFaults(speech), ...onnxRuntimeRefusals(model, { mostBytes: 2 ** 31 - 1 }),
      ...(opset < 13 ? [`The model uses opset ${opset}, and nodes can be put around it from opset 13 on. Export it with a newer one.`] : []),
    ];
  },
  adapt: adaptForTransformers,
  async *files({ manifest: { speech, name, licence } }) {
    for (const [path, config] of Object.entries(configFiles(speech))) yield { path, bytes: configText(config) };
    yield { path: 'package.json', bytes: packageJson(name, licence) };
    const entry = (each: string): string => sourceFile(import.meta.url, `./entry/${each}`);
    const code = await bundleCode({ entries: { recognise: entry('recognise'), verify: entry('verify') }, platform: 'node' });
    yield { path: 'THIRD-PARTY.txt', bytes: thirdPartyNotices(code.packages) };
    yield* code.files;
  },
  verify: (folder, manifest, { onProgress }) => verifyOnTransformers(folder, manifest, onProgress),
};

const packageJson = (name: string, licence: string | null): string => `${JSON.stringify({
  name: packageName(name), version: '1.0.0', private: true, description: `Speech recogniser ${name}`, license: licence ?? 'UNLICENSED', type: 'module',
  scripts: { recognise: 'node recognise.js', verify: 'node verify.js' },
  dependencies: { '@huggingface/transformers': transformersVersion },
}, undefined, 2)}\n`;
