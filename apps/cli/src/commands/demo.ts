import { CoppiceError } from '@coppice/graph';
import type { Command } from 'commander';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { shares, wholeNumber } from '../arguments.ts';
import type { Context } from '../context.ts';
import { formatMs } from '../human-numbers.ts';
import { pruneWithSpeech, type FinishedRun } from '../recipe/prune-with-speech.ts';
import { printRun } from '../recipe/run-text.ts';

interface DemoOptions {
  readonly folder?: string;
  readonly backend?: string;
  readonly threads?: number;
  readonly macs: readonly number[];
  readonly steps: number;
  readonly json?: boolean;
}

/** Where the repository keeps the trained recogniser and the speech of the demo. */
const EXAMPLES = fileURLToPath(new URL('../../../../examples/', import.meta.url));

/** `coppice demo`: the whole chain once, on the recogniser and the synthetic speech that come with the repository; no download. */
export function defineDemo(program: Command, context: Context): void {
  program.command('demo').description('prune the trained recogniser that comes along to a fifth of its compute, round by round, and evaluate it')
    .option('--folder <folder>', 'where the files go; a demo that was stopped goes on there (default: ./runs/demo, or the next free number)')
    .option('--backend <name>', 'auto (native where it is installed), onnx (WebAssembly), onnx:native, tfjs; `coppice doctor` lists them', 'auto')
    .option('--threads <n>', 'threads of the backend (default: all cores, up to 4)', wholeNumber(1))
    .option('--macs <shares>', 'shares of the multiply–accumulates to keep, round by round', shares, [0.6, 0.35, 0.19])
    .option('--steps <n>', 'fine-tuning steps after the last round; half as many after the others', wholeNumber(1), 400)
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nExample:\n  coppice demo')
    .action((options: DemoOptions) => demoCommand(options, context));
}

async function demoCommand({ folder: wanted, backend, threads, macs, steps, json }: DemoOptions, context: Context): Promise<void> {
  const { terminal } = context;
  const start = performance.now();
  const model = join(EXAMPLES, 'demo', 'digits.onnx');
  if (!existsSync(model)) throw new CoppiceError('COPPICE_FILE_NOT_FOUND', `The demo needs ${model}, which comes with the repository. Clone it, and run the demo there.`);
  if (!json) {
    terminal.print('A CNN+RNN recogniser of spoken digits (two convolutions, two bidirectional GRUs, CTC), trained with Coppice on synthetic speech:');
    terminal.print('espeak-ng and flite said it, so it is easier than people. Voices of the test part were heard by nobody before.\n');
  }
  const { folder, run } = await inFreeFolder(context.folder, wanted, (free) => pruneWithSpeech(model, {
    out: join(free, 'slim.onnx'), dataset: `digits:${join(EXAMPLES, 'digits')}`, datasetOption: { strings: 'true', uses: '3' }, backend: backend ?? 'auto', threads,
    macs, scorer: 'taylor', steps, roundTo: 4, roundSteps: Math.max(1, Math.round(steps / 2)), distillation: 0.5, rescore: false, run: free, seed: 0,
  }, context));
  const seconds = (performance.now() - start) / 1000;
  if (json) terminal.print(JSON.stringify({ run: near(folder), slim: join(near(folder), 'slim.onnx'), seconds, ...run.report }, undefined, 2));
  else printDemo(run, { folder: near(folder), seconds }, context);
}

/** Runs in the folder that was asked for; else in the first of `runs/demo`, `runs/demo-2`, … in which no other demo was, so that one that was stopped goes on. */
async function inFreeFolder(base: string, wanted: string | undefined, work: (folder: string) => Promise<FinishedRun>): Promise<{ folder: string; run: FinishedRun }> {
  for (let k = 1; ; k++) {
    const folder = resolve(base, wanted ?? join('runs', k === 1 ? 'demo' : `demo-${k}`));
    if (wanted === undefined && existsSync(join(folder, 'slim.onnx'))) continue;
    const made = mkdirSync(folder, { recursive: true });
    try {
      return { folder, run: await work(folder) };
    } catch (error) {
      if (made !== undefined && readdirSync(folder).length === 0) rmSync(made, { recursive: true });
      if (wanted !== undefined || !(error instanceof CoppiceError) || error.code !== 'COPPICE_RUN_INVALID') throw error;
    }
  }
}

/** A path as a person would type it. */
function near(folder: string): string {
  const path = relative(process.cwd(), folder);
  return path.startsWith('..') ? folder : path;
}

function printDemo(run: FinishedRun, { folder, seconds }: { readonly folder: string; readonly seconds: number }, { terminal }: Context): void {
  printRun(run.report, { ...run, folder, slim: join(folder, 'slim.onnx'), terminal });
  terminal.print('');
  terminal.print(`All of it took ${formatMs(seconds * 1000)}. Open ${join(folder, 'trade-off.svg')}; try \`npm run -s coppice -- inspect ${join(folder, 'slim.onnx')}\`.`);
}
