import { isolated } from '@coppice/backend-onnx';
import type { Backend, UnitOptions } from '@coppice/core';
import { readModel } from '@coppice/graph/node';
import { join } from 'node:path';
import { backendNamed, scorerNamed } from '../container.ts';
import type { Context } from '../context.ts';
import { identifyFiles } from '../model-hash.ts';
import { checkOutputs } from '../output-files.ts';
import { writeText } from '../plan-document.ts';
import { corpusOf } from '../speech/corpus.ts';
import { descriptionPath, readRecogniser, writeRecogniser } from '../speech/recogniser.ts';
import { givenTuning, openRun, speechBackend, type SpeechOptions, type TuneOptions } from '../speech/speech-options.ts';
import { readRecipe } from './recipe-file.ts';
import { settleRecipe, type Recipe, type SettledRecipe } from './recipe.ts';
import { runRecipe, type RunReport } from './run-recipe.ts';
import { writeTradeOff } from './run-text.ts';

/** Flags of `coppice prune` where a corpus or a recipe is named. */
export interface PruneWithSpeechOptions extends Omit<SpeechOptions, 'dataset'>, TuneOptions {
  readonly out: string;
  readonly dataset?: string;
  readonly recipe?: string;
  readonly macs?: readonly number[];
  readonly scorer?: string;
  readonly ranking?: 'uniform' | 'global';
  readonly roundTo?: number;
  readonly minWidth?: number;
  readonly only?: readonly string[];
  readonly skip?: readonly string[];
  readonly norm?: UnitOptions['norm'];
  readonly factors?: UnitOptions['factors'];
  readonly roundSteps?: number;
  readonly calibrationBatches?: number;
  readonly tune?: boolean;
  readonly rescore?: boolean;
  readonly reconstruct?: boolean;
  readonly recalibrate?: boolean;
  readonly seed?: number;
  readonly description?: string;
  readonly run?: string;
  readonly force?: boolean;
}

/** A finished run, and where it lies. */
export interface FinishedRun {
  readonly folder: string;
  readonly scorer: string;
  readonly report: RunReport;
}

/**
 * The whole chain on a recogniser and a corpus, round by round: score, cut, prove, rebuild, fine-tune, evaluate. The last model goes to
 * `out`; everything else stays in the run directory, in which the same command goes on after a stop.
 */
export async function pruneWithSpeech(path: string, options: PruneWithSpeechOptions, context: Context): Promise<FinishedRun> {
  const { terminal } = context;
  const { out, force = false } = options;
  checkOutputs([out, descriptionPath(out)], { force, inputs: [path] });
  const recipe = await recipeOf(options);
  const { backend, threads } = await speechBackend(context, options);
  const recogniser = readRecogniser(path, options.description);
  const scorer = scorerNamed(context.container, recipe.scorer);
  const dataset = await corpusOf(context, { dataset: recipe.dataset, options: recipe.datasetOptions });
  const run = openRun(context, 'prune', options.run, { command: 'prune', model: identifyFiles([path]).sha256, description: recogniser.description, recipe, backend: backend.name, threads });
  const report = await runRecipe({ recogniser, recipe, dataset, scorer, backend, threads, timed: timedBackends(context, backend, threads), run, terminal });
  await writeTradeOff(report, { folder: run.path, scorer: recipe.scorer });
  writeText(run.file('report.json'), `${JSON.stringify(report, undefined, 2)}\n`, true);
  await writeRecogniser({ model: readModel(join(run.path, report.rounds.at(-1)!.file)), description: recogniser.description }, out, force);
  return { folder: run.path, scorer: recipe.scorer, report };
}

/**
 * Latency is measured on one thread: where the edge is, in WebAssembly, and on what the run used. WebAssembly that has more threads keeps
 * them, so it is measured in another process then.
 * @param threads of the run
 */
export function timedBackends({ container }: Pick<Context, 'container'>, own: Backend, threads: number): Backend[] {
  const wasm = backendNamed(container, 'onnx');
  const timed = own.name !== wasm.name ? [wasm, own] : [threads === 1 ? wasm : isolated('onnx:wasm')];
  return timed.map((backend) => ({ name: backend.name, info: () => backend.info(), compile: (model, options) => backend.compile(model, { ...options, threads: 1 }) }));
}

/** The recipe of the file, with what flags say instead. */
async function recipeOf({ recipe: file, dataset, datasetOption, macs, scorer, ranking, roundTo, minWidth, only, skip, norm, factors, roundSteps, calibrationBatches, tune, rescore, reconstruct, recalibrate, seed, ...options }: PruneWithSpeechOptions): Promise<SettledRecipe> {
  const base: Partial<Recipe> = file === undefined ? {} : await readRecipe(file);
  const tuning = givenTuning(options);
  const untuned = tune === false || (base.tune === false && Object.keys(tuning).length === 0);
  const flags: Partial<Recipe> = {
    dataset, macs, scorer, roundSteps, calibrationBatches, seed, datasetOptions: datasetOption,
    plan: { ...base.plan, ...given({ ranking, roundTo, minWidth, only, skip }) },
    units: { ...base.units, ...given({ norm, factors }) },
    tune: untuned ? false : { ...base.tune, ...tuning },
    // Commander says true where nothing was said.
    ...(rescore === false && { rescore }), ...(reconstruct === false && { reconstruct }), ...(recalibrate === false && { recalibrate }),
  };
  return settleRecipe({ ...base, ...given(flags) } as Recipe, file ?? 'The recipe that the flags make');
}

const given = <T extends object>(flags: T): Partial<T> => Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) as Partial<T>;
