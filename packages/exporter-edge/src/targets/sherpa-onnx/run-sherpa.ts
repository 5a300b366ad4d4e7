import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What sherpa-onnx made of a clip. */
export interface SherpaResult {
  readonly text: string;
  readonly tokens: readonly string[];
  /** In seconds. */
  readonly timestamps: readonly number[];
  readonly milliseconds: number;
}

/** Where `sherpa-onnx-node` is imported from: beside a bundle, or here; undefined where it is installed nowhere. */
export function sherpaModule(folder?: string): { readonly path: string; readonly version: string; readonly borrowed: boolean } | undefined {
  for (const [base, borrowed] of [...(folder === undefined ? [] : [[join(folder, 'package.json'), false] as const]), [import.meta.url, true] as const]) {
    try {
      const require = createRequire(base);
      const path = require.resolve('sherpa-onnx-node');
      const manifest = join(dirname(path), 'package.json');
      return { path, version: existsSync(manifest) ? (require(manifest) as { version: string }).version : 'unknown', borrowed };
    } catch {
      // Not there; perhaps at the next place.
    }
  }
  return undefined;
}

/**
 * Runs the script of a bundle in a process of its own, because sherpa-onnx ends the process when a model does not suit it.
 * @param script `recognise.js` of a bundle
 * @returns a result for each clip, or what the process said before it ended
 */
export function runSherpa({ script, module, config, clips, timeoutMs = 60_000 }: { readonly script: string; readonly module: string; readonly config: string; readonly clips: readonly string[]; readonly timeoutMs?: number }): Promise<{ readonly results: SherpaResult[] } | { readonly fault: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [script, '--json', '--sherpa', module, '--config', config, ...clips], { maxBuffer: 1 << 28, timeout: timeoutMs, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
      if (error === null && lines.length === clips.length) return done({ results: lines.map((line) => JSON.parse(line) as SherpaResult) });
      done({ fault: error?.killed === true ? `it did not end within ${timeoutMs / 1000} s` : lastWords(stderr, stdout, error?.code ?? error?.signal ?? 0) });
    });
  });
}

/** The last thing that was said, without the paths and lines of the source that sherpa-onnx begins with. */
function lastWords(stderr: string, stdout: string, code: unknown): string {
  const lines = `${stdout}\n${stderr}`.split('\n').map((line) => line.replace(/^\/?[\w./-]+\.(?:cc|h):\w+:\d+ /, '').trim()).filter((line) => line !== '' && !line.startsWith('{') && !/^at |^Node\.js v/.test(line));
  return `it ended with ${String(code)} and said: ${lines.slice(-3).join(' / ') || 'nothing'}`;
}
