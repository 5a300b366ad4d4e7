import { findUnits, matchesGlob, traceModel, type Backend, type NamedTensors, type PreparedTrace, type UnitOptions, type Units } from '@coppice/core';
import { CoppiceError, graphOf, type Model } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { Option, type Command } from 'commander';
import { dimension, namedFile, repeated, wholeNumber } from './arguments.ts';
import { backendNamed } from './container.ts';
import type { Context } from './context.ts';
import { readInputs, type NamedFile } from './input-files.ts';
import { addPluginOptions, type PluginOptions } from './plugins.ts';

/** Options of every command that runs a model. */
export interface RunOptions extends PluginOptions {
  readonly backend: string;
  readonly threads?: number;
  readonly input?: readonly NamedFile[];
  readonly dim?: Readonly<Record<string, number>>;
}

/** Options of every command that looks for units. */
export interface AnalysisOptions extends RunOptions {
  readonly norm: NonNullable<UnitOptions['norm']>;
  readonly factors: NonNullable<UnitOptions['factors']>;
  readonly release?: readonly string[];
}

export const addRunOptions = (command: Command, { backend }: { readonly backend?: string } = { backend: 'onnx' }): Command => addPluginOptions(command)
  .option('--backend <name>', 'what runs the model: onnx (WebAssembly), onnx:native, tfjs; `coppice doctor` lists them', backend)
  .option('--threads <n>', 'threads of the backend (default: 1)', wholeNumber(1))
  .option('--input <name=file.npy>', 'use this tensor instead of a made-up one; repeatable', namedFile)
  .option('--dim <name=n>', 'size of an open input dimension, e.g. time=100; repeatable', dimension);

export const addAnalysisOptions = (command: Command, defaults?: { readonly backend?: string }): Command => addRunOptions(command, defaults)
  .addOption(new Option('--norm <policy>', 'norms over a pruned axis: exact, run on the kept width, or no pruning there').choices(['exact', 'shrink', 'freeze']).default('exact'))
  .addOption(new Option('--factors <policy>', 'what goes where an axis is heads × width').choices(['heads', 'head-dim']).default('heads'))
  .option('--release <name>', 'a state among the inputs or outputs may become narrower (a glob); repeatable', repeated);

/** The backend of a command, on the number of threads that was asked for. */
export function chosenBackend(context: Context, { backend: name, threads }: Pick<RunOptions, 'backend' | 'threads'>): Backend {
  const backend = backendNamed(context.container, name);
  if (threads === undefined) return backend;
  return { name: backend.name, info: () => backend.info(), compile: (model, options) => backend.compile(model, { threads, ...options }) };
}

/** A model that was read, run and analysed. */
export interface OpenedModel {
  readonly path: string;
  readonly model: Model;
  readonly backend: Backend;
  readonly trace: PreparedTrace;
  readonly units: Units;
  /** Tensors that the user gave. */
  readonly given: NamedTensors;
  readonly milliseconds: { readonly read: number; readonly trace: number; readonly units: number };
}

/**
 * Reads a model, runs it for its shapes and finds its units.
 * @param readBefore the model, where it was read already
 */
export async function openModel(path: string, options: AnalysisOptions, context: Context, readBefore?: Model): Promise<OpenedModel> {
  const backend = chosenBackend(context, options);
  const start = performance.now();
  context.terminal.progress(`reading ${path}`);
  const model = readBefore ?? readModel(path);
  const given = readInputs(model, options.input ?? []);
  const release = releasedNames(model, options.release ?? []);
  const read = performance.now();
  context.terminal.progress(`running ${path} for its shapes`);
  const trace = await traceModel(model, backend, { inputs: given, dims: options.dim });
  const traced = performance.now();
  const units = findUnits(trace, { norm: options.norm, factors: options.factors, release });
  const milliseconds = { read: read - start, trace: traced - read, units: performance.now() - traced };
  return { path, model, backend, trace, units, given, milliseconds };
}

/** Names of graph inputs and outputs that patterns match. */
function releasedNames(model: Model, patterns: readonly string[]): string[] {
  const { input, output } = graphOf(model);
  const names = [...new Set([...input, ...output].map(({ name }) => name))];
  return patterns.flatMap((pattern) => {
    const matches = names.filter((name) => name === pattern || matchesGlob(pattern, name));
    if (matches.length === 0) throw new CoppiceError('COPPICE_INPUT_MISMATCH', `--release ${pattern}: the model has no such input or output. It has ${names.map((name) => `'${name}'`).join(', ')}.`);
    return matches;
  });
}
