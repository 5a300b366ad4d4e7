/** Becomes `recognise.js` of a bundle for Transformers.js: recognises WAV files with `@huggingface/transformers` in Node, offline. */
import { decodeWav, resampleAudio } from '@coppice/speech';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** As far as `@huggingface/transformers` is used here. */
interface Transformers {
  readonly env: { allowRemoteModels: boolean; allowLocalModels: boolean; useFSCache: boolean; useBrowserCache: boolean };
  pipeline(task: 'automatic-speech-recognition', model: string): Promise<Recogniser>;
}
interface Recogniser {
  (samples: Float32Array): Promise<{ readonly text: string }>;
  readonly processor: ((samples: Float32Array) => Promise<object>) & { readonly feature_extractor: { readonly config: { readonly sampling_rate: number } } };
  readonly model: (inputs: object) => Promise<Readonly<Record<string, { readonly dims: readonly number[]; readonly data: Float32Array }>>>;
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean', default: false }, transformers: { type: 'string', default: '@huggingface/transformers' }, model: { type: 'string' }, values: { type: 'string' } } });
if (positionals.length === 0) {
  console.error('Usage: node recognise.js [--json] file.wav …');
  process.exit(2);
}
const { env, pipeline } = (await import(values.transformers)) as Transformers;
Object.assign(env, { allowRemoteModels: false, allowLocalModels: true, useFSCache: false, useBrowserCache: false });
const recognise = await pipeline('automatic-speech-recognition', values.model ?? fileURLToPath(new URL('.', import.meta.url)));
const { sampling_rate: sampleRateHz } = recognise.processor.feature_extractor.config;
for (const [k, file] of positionals.entries()) {
  const { samples } = await resampleAudio(decodeWav(readFileSync(file), file), sampleRateHz);
  const start = performance.now();
  const { text } = await recognise(samples);
  const milliseconds = performance.now() - start;
  const outputs = values.values === undefined ? undefined : await keepOutputs(values.values, k, samples);
  console.log(values.json ? JSON.stringify({ text, milliseconds, outputs }) : positionals.length === 1 ? text : `${file}\t${text}`);
}

/** Runs processor and model once more, and writes all outputs to files, for a comparison. */
async function keepOutputs(folder: string, k: number, samples: Float32Array): Promise<Record<string, { file: string; dims: readonly number[] }>> {
  const outputs = await recognise.model(await recognise.processor(samples));
  return Object.fromEntries(Object.entries(outputs).filter(([, value]) => value?.data instanceof Float32Array).map(([name, { dims, data }]) => {
    const file = join(folder, `${k}.${name.replaceAll(/[^\w.-]/g, '_')}.f32`);
    writeFileSync(file, data);
    return [name, { file, dims }];
  }));
}
