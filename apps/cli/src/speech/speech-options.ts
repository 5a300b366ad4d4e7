import type { Backend } from '@coppice/core';
import { specAugmentPolicies } from '@coppice/speech';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { positive, wholeNumber } from '../arguments.ts';
import { backendNamed } from '../container.ts';
import type { Context } from '../context.ts';
import { addPluginOptions, type PluginOptions } from '../plugins.ts';
import { defaultTuning } from '../recipe/recipe.ts';
import { fingerprint, RunDirectory } from '../run/run-directory.ts';
import type { TuneSettings } from './tune.ts';

/** Options of every command that hears speech. */
export interface SpeechOptions extends PluginOptions {
  readonly dataset: string;
  readonly datasetOption?: Readonly<Record<string, string>>;
  readonly backend: string;
  readonly threads?: number;
}

export const addSpeechOptions = (command: Command): Command => addPluginOptions(addCorpusOptions(command.requiredOption('--dataset <format:folder>', 'the corpus, e.g. digits:/data/fsdd')))
  .option('--backend <name>', 'auto (native where it is installed), onnx (WebAssembly), onnx:native, tfjs; `coppice doctor` lists them', 'auto')
  .option('--threads <n>', 'threads of the backend (default: all cores, up to 4)', wholeNumber(1));

/** What says more about a corpus. */
export const addCorpusOptions = (command: Command): Command => command
  .option('--dataset-option <name=value>', 'an option of the corpus, e.g. strings=true; repeatable', keyValue);

/** How a model is to be tuned, as flags. */
export type TuneOptions = Partial<TuneSettings>;

/** The share of the loss where a teacher was named and nothing else was said. */
export const taughtShare = 0.5;

/** @param taught what `--distillation` is where it is not given; `never` where there can be no teacher, and so no such flag */
export const addTuneOptions = (command: Command, defaults: TuneSettings = defaultTuning, taught: number | 'never' = defaults.distillation): Command => {
  if (taught !== 'never') command.option('--distillation <share>', `share of the loss that is distance from the teacher, 0 to 1 (default: ${taught})`, shareOrNone);
  return command
    .option('--steps <n>', `training steps (default: ${defaults.steps})`, wholeNumber(1))
    .option('--peak <rate>', `highest learning rate (default: ${defaults.peak})`, positive)
    .option('--batch-size <n>', `utterances in a step (default: ${defaults.batchSize})`, wholeNumber(1))
    .option('--weight-decay <rate>', `of matrices and kernels (default: ${defaults.weightDecay})`, zeroOrMore)
    .option('--clip-norm <length>', `longest gradient (default: ${defaults.clipNorm})`, positive)
    .addOption(new Option('--augment <policy>', `SpecAugment (default: ${defaults.augment})`).choices(['none', ...Object.keys(specAugmentPolicies)]))
    .option('--speeds <f,f>', `factors that the speed of a training recording is drawn from, e.g. 0.9,1,1.1 (default: ${defaults.speeds.join()})`, factors)
    .option('--evaluate-every <n>', `steps between looks at the held-out part (default: ${defaults.evaluateEvery})`, wholeNumber(1))
    .option('--patience <n>', 'stop after so many looks without a better one (default: never)', wholeNumber(1));
};

/** Options of the commands that train. */
export interface FitOptions extends SpeechOptions, TuneOptions {
  readonly out: string;
  readonly run?: string;
  readonly seed: number;
  readonly train: string;
  readonly dev: string;
  readonly test: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** @param seedOf what the seed decides */
export const addFitOptions = (command: Command, seedOf: string): Command => command
  .option('--train <split>', 'part to learn from', 'train')
  .option('--dev <split>', 'part that chooses the weights', 'dev')
  .option('--test <split>', 'part that is evaluated at the end', 'test')
  .option('--seed <n>', `of ${seedOf}`, wholeNumber(0), 0)
  .option('--run <folder>', `where checkpoints are kept; the same command goes on there (default: ./runs/${command.name()}-…)`)
  .option('--force', 'replace existing files')
  .option('--json', 'one JSON document on stdout');

/** The settings that flags give. */
export const givenTuning = (options: TuneOptions): Partial<TuneSettings> =>
  Object.fromEntries((Object.keys(defaultTuning) as (keyof TuneSettings)[]).flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])));

/** The same, with the rest from defaults. */
export const tuneSettings = (options: TuneOptions, defaults: TuneSettings = defaultTuning): TuneSettings => ({ ...defaults, ...givenTuning(options) });

/** `strings=true`. */
export function keyValue(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at <= 0) throw new InvalidArgumentError('It must look like strings=true.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

function shareOrNone(text: string): number {
  if (zeroOrMore(text) > 1) throw new InvalidArgumentError('It must be a share from 0 to 1.');
  return Number(text);
}

/** `0.9,1,1.1`. */
const factors = (text: string): number[] => text.split(',').map((part) => positive(part));

function zeroOrMore(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value < Infinity)) throw new InvalidArgumentError('It must be a number from 0.');
  return value;
}

/**
 * The backend and the number of threads; both decide the last bits of a result, so both are written into a run. What the backend compiles
 * without a word about threads gets that number: WebAssembly cannot change it within a process.
 */
export async function speechBackend({ container, terminal }: Pick<Context, 'container' | 'terminal'>, { backend: name = 'auto', threads = Math.min(4, availableParallelism()) }: Partial<Pick<SpeechOptions, 'backend' | 'threads'>>): Promise<{ backend: Backend; threads: number }> {
  const chosen = (backend: Backend) => ({ threads, backend: { name: backend.name, info: () => backend.info(), compile: (model, options) => backend.compile(model, { threads, ...options }) } satisfies Backend });
  if (name !== 'auto') return chosen(backendNamed(container, name));
  try {
    const native = backendNamed(container, 'onnx:native');
    await native.info();
    return chosen(native);
  } catch {
    terminal.log('the native runtime is not installed here; training runs in WebAssembly, two to five times slower');
    return chosen(backendNamed(container, 'onnx'));
  }
}

/** The folder of a run: the one that was asked for, or one whose name says what it depends on, so that the same command finds it again. */
export const openRun = (context: Context, kind: string, wanted: string | undefined, recipe: unknown): RunDirectory =>
  new RunDirectory(resolve(context.folder, wanted ?? join('runs', `${kind}-${fingerprint(recipe)}`)), recipe);
