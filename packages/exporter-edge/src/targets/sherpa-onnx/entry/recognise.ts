/** Becomes `recognise.js` of a bundle for sherpa-onnx: recognises WAV files with `sherpa-onnx-node`. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** As far as `sherpa-onnx-node` is used here. */
interface Sherpa {
  readonly OfflineRecognizer: new (config: object) => {
    createStream(): { acceptWaveform(sound: { samples: Float32Array; sampleRate: number }): void };
    decode(stream: object): void;
    getResult(stream: object): { readonly text: string; readonly tokens: readonly string[]; readonly timestamps: readonly number[] };
  };
  readWave(path: string): { readonly samples: Float32Array; readonly sampleRate: number };
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean', default: false }, sherpa: { type: 'string', default: 'sherpa-onnx-node' }, config: { type: 'string' } } });
if (positionals.length === 0) {
  console.error('Usage: node recognise.js [--json] file.wav …');
  process.exit(2);
}
const path = values.config ?? fileURLToPath(new URL('sherpa-onnx.json', import.meta.url));
const { OfflineRecognizer, readWave } = createRequire(import.meta.url)(values.sherpa) as Sherpa;
const recognizer = new OfflineRecognizer(withPaths(JSON.parse(readFileSync(path, 'utf8')) as Config, dirname(path)));
for (const file of positionals) {
  const sound = readWave(file);
  const start = performance.now();
  const stream = recognizer.createStream();
  stream.acceptWaveform({ samples: sound.samples, sampleRate: sound.sampleRate });
  recognizer.decode(stream);
  const { text, tokens, timestamps } = recognizer.getResult(stream);
  console.log(values.json ? JSON.stringify({ text, tokens, timestamps, milliseconds: performance.now() - start }) : positionals.length === 1 ? text : `${file}\t${text}`);
}

interface Config {
  readonly modelConfig: Readonly<Record<string, unknown>> & { readonly tokens: string };
}

/** The paths of a configuration are relative to its file; sherpa-onnx takes them from the working directory. */
function withPaths(config: Config, folder: string): object {
  const full = (each: string): string => (isAbsolute(each) ? each : join(folder, each));
  const models = Object.entries(config.modelConfig).map(([key, value]) => {
    const model = (value as { readonly model?: string } | null)?.model;
    return [key, typeof model === 'string' ? { ...(value as object), model: full(model) } : value];
  });
  return { ...config, modelConfig: { ...Object.fromEntries(models) as object, tokens: full(config.modelConfig.tokens) } };
}
