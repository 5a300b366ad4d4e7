import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** What Transformers.js made of a clip. */
export interface TransformersResult {
  readonly text: string;
  readonly milliseconds: number;
  /** Files with the model's outputs, little-endian float32, where they were asked for. */
  readonly outputs?: Readonly<Record<string, { readonly file: string; readonly dims: readonly number[] }>>;
}

/** Where `@huggingface/transformers` is imported from: beside a bundle, or here; undefined where it is installed nowhere. */
export function transformersModule(folder?: string): { readonly url: string; readonly version: string; readonly borrowed: boolean } | undefined {
  const places = [...(folder === undefined ? [] : [{ from: resolve(folder), borrowed: false }]), { from: dirname(fileURLToPath(import.meta.url)), borrowed: true }];
  for (const { from, borrowed } of places) {
    for (let at = from; ; at = dirname(at)) {
      const root = join(at, 'node_modules', '@huggingface', 'transformers');
      if (existsSync(join(root, 'package.json'))) {
        const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
        return { url: pathToFileURL(createRequire(join(root, 'package.json')).resolve('@huggingface/transformers')).href, version, borrowed };
      }
      if (dirname(at) === at) break;
    }
  }
  return undefined;
}

/**
 * Runs the script of a bundle in a process of its own, offline, for a limited time.
 * @param model a folder with configurations and `onnx/model.onnx`
 * @param values a folder for the outputs, where they are wanted
 * @returns a result for each clip, or what the process said before it ended
 */
export function runTransformers({ script, module, model, clips, values, timeoutMs = 90_000 }: { readonly script: string; readonly module: string; readonly model: string; readonly clips: readonly string[]; readonly values?: string; readonly timeoutMs?: number }): Promise<{ readonly results: TransformersResult[] } | { readonly fault: string }> {
  const words = [script, '--json', '--transformers', module, '--model', model, ...(values === undefined ? [] : ['--values', values]), ...clips];
  return new Promise((done) => {
    execFile(process.execPath, words, { maxBuffer: 1 << 26, timeout: timeoutMs, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
      if (error === null && lines.length === clips.length) return done({ results: lines.map((line) => JSON.parse(line) as TransformersResult) });
      const said = stderr.split('\n').find((line) => /^\w*Error\b/.test(line.trim())) ?? stderr.trim().split('\n').at(-1);
      done({ fault: error?.killed === true ? `it did not end within ${timeoutMs / 1000} s` : `it ended with ${String(error?.code ?? error?.signal ?? 0)} and said: ${said?.trim() || 'nothing'}` });
    });
  });
}
