import { costOf, findUnits, type Backend, type Cost, type Scorer, type Verdict } from '@coppice/core';
import type { Model } from '@coppice/graph';
import { readModel, writeModel } from '@coppice/graph/node';
import { compareSystems, makeBatch, writeDescription, type Comparison, type Dataset, type Example } from '@coppice/speech';
import type { TrainingRecord } from '@coppice/recovery';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { measureInTurns, type Timing } from '../measure.ts';
import { writeText } from '../plan-document.ts';
import { Checkpoints } from '../run/checkpoint.ts';
import type { RunDirectory } from '../run/run-directory.ts';
import { preparePart } from '../speech/corpus.ts';
import { evaluateRecogniser, type Evaluation } from '../speech/evaluate.ts';
import { descriptionPath, type Recogniser } from '../speech/recogniser.ts';
import { trainingData, type TrainingData } from '../speech/training-data.ts';
import { tuneInRun } from '../speech/tune-in-run.ts';
import type { TuneSettings } from '../speech/tune.ts';
import type { Terminal } from '../terminal.ts';
import { progressBar } from '../text-table.ts';
import { pruneRound, traceRecogniser } from './prune-round.ts';
import type { SettledRecipe } from './recipe.ts';
import { calibrationBatches } from './score-model.ts';

export interface RunRequest {
  readonly recogniser: Recogniser;
  readonly recipe: SettledRecipe;
  readonly dataset: Dataset;
  readonly scorer: Scorer;
  readonly backend: Backend;
  readonly threads: number;
  /** What latency is measured on, each with one thread. */
  readonly timed: readonly Backend[];
  readonly run: RunDirectory;
  readonly terminal: Terminal;
}

/** Errors on the test part, as a run keeps them. */
export type KeptEvaluation = Pick<Evaluation, 'interval' | 'errors'>;

/** What a model costs on disk and in time. */
export interface ModelFacts {
  readonly file: string;
  readonly cost: Cost;
  readonly fileBytes: number;
  readonly test: KeptEvaluation;
}

/** One round of a run. */
export interface RoundReport extends ModelFacts {
  readonly asked: number;
  readonly widths: readonly { readonly group: string; readonly before: number; readonly after: number; readonly lanes: number }[];
  readonly verdict: Verdict;
  readonly notes: readonly string[];
  /** On the held-out part: after the cut with what needs no training, and after fine-tuning. */
  readonly heldOut: { readonly cut: number; readonly tuned?: number };
  readonly history: readonly TrainingRecord[];
  readonly bestStep?: number;
  /** Of the units that are left, where the recipe scores only once. */
  readonly scores?: readonly number[];
}

/** What a run came to. */
export interface RunReport {
  readonly original: ModelFacts;
  readonly rounds: readonly RoundReport[];
  readonly comparison: Comparison;
  readonly latency: readonly Latency[];
}

/** How long an utterance of middle length takes on one thread, before and after. */
export interface Latency {
  readonly backend: string;
  /** Of speech. */
  readonly seconds: number;
  readonly before: Timing;
  readonly after: Timing;
}

/**
 * Prunes a recogniser round by round: score, plan, cut, prove, rebuild, fine-tune, evaluate. Every stage that is finished is kept in the run
 * directory, and fine-tuning leaves checkpoints, so that a run that was stopped goes on where it was and ends with the same bytes.
 * @throws CoppiceError what its stages throw
 */
export async function runRecipe(request: RunRequest): Promise<RunReport> {
  const { recogniser, recipe, dataset, run, terminal, backend, threads } = request;
  const { description } = recogniser;
  const part = async (split: string): Promise<readonly Example[]> => (await preparePart(dataset, { split, description, purpose: 'evaluation' }, terminal)).examples;
  const [heldOut, test] = [await part(recipe.splits.dev), await part(recipe.splits.test)];
  const { batchSize, augment, speeds } = recipe.tune || { batchSize: 16, augment: 'none', speeds: [1] } as const;
  const data = await trainingData({ dataset, split: recipe.splits.train, description, batchSize, seed: recipe.seed, augment, speeds, redraw: recipe.redraw }, terminal);
  const tested = async (model: Model, name: string): Promise<KeptEvaluation> => {
    const { interval, errors } = await evaluateRecogniser({ model, description }, test, { backend, threads, decoder: recipe.decoder, onProgress: (done, of) => terminal.progress(`${progressBar(done, of)} recognising the test part with ${name}`) });
    return { interval, errors };
  };

  const original = await run.stage('original', async (): Promise<ModelFacts> => {
    const file = writeModelOf(run, 'original.onnx', recogniser);
    const { cost } = await costAndUnits(recogniser.model, backend, recipe);
    return { file, cost, fileBytes: statSync(join(run.path, file)).size, test: await tested(recogniser.model, 'the original') };
  });
  const rounds: RoundReport[] = [];
  let current = recogniser.model;
  for (const [k, asked] of recipe.macs.entries()) {
    const name = `round-${k + 1}`;
    const last = k === recipe.macs.length - 1;
    const tune: TuneSettings | false = recipe.tune && { ...recipe.tune, steps: last ? recipe.tune.steps : recipe.roundSteps };
    const report = await run.stage(name, () => oneRound({ ...request, model: current, scores: rounds.at(-1)?.scores, name, title: `round ${k + 1} of ${recipe.macs.length}`, asked, tune, data, heldOut, targetMacs: asked * original.cost.macs, tested }));
    new Checkpoints(run, name).clear();
    rounds.push(report);
    current = readModel(run.file(report.file));
  }
  const comparison = compareSystems(original.test.errors.utterances, rounds.at(-1)!.test.errors.utterances, { seed: recipe.seed });
  const latency = await run.stage('latency', () => measureLatency([recogniser.model, current], { ...request, test }));
  return { original, rounds, comparison, latency };
}

interface OneRound extends RunRequest {
  readonly model: Model;
  readonly scores?: readonly number[];
  readonly name: string;
  /** For people. */
  readonly title: string;
  readonly asked: number;
  readonly targetMacs: number;
  readonly tune: TuneSettings | false;
  readonly data: TrainingData;
  readonly heldOut: readonly Example[];
  readonly tested: (model: Model, name: string) => Promise<KeptEvaluation>;
}

async function oneRound({ recogniser, recipe, scorer, backend, threads, run, terminal, model, scores, name, title, asked, targetMacs, tune, data, heldOut, tested }: OneRound): Promise<RoundReport> {
  const { description } = recogniser;
  const cut = await run.stage(`${name}-cut`, async () => {
    const batches = await calibrationBatches(data, recipe.calibrationBatches);
    const round = await pruneRound({ recogniser: { model, description }, recipe, targetMacs, scorer, scores, batches, backend, threads, onProgress: (text) => terminal.progress(`${title}: ${text}`) });
    const { errors } = await evaluateRecogniser({ model: round.model, description }, heldOut, { backend, threads });
    return { file: writeModelOf(run, `${name}-cut.onnx`, { model: round.model, description }), cost: round.cost, widths: round.plan.widths, verdict: round.verdict, notes: round.notes, heldOut: errors.rate, scores: round.scores };
  });
  const slim = readModel(run.file(cut.file));
  const tuned = tune && tune.steps > 0 ? await tuneInRun({
    recogniser: { model: slim, description }, teacher: tune.distillation > 0 ? recogniser.model : undefined, data, heldOut, settings: tune, backend, threads, run, name, title: `${title}: `, terminal,
  }) : undefined;
  const final = tuned?.model ?? slim;
  const file = writeModelOf(run, `${name}.onnx`, { model: final, description });
  const after = tuned && (await evaluateRecogniser({ model: final, description }, heldOut, { backend, threads })).errors.rate;
  return {
    file, asked, cost: cut.cost, fileBytes: statSync(join(run.path, file)).size, widths: cut.widths, verdict: cut.verdict, notes: cut.notes,
    heldOut: { cut: cut.heldOut, ...(after !== undefined && { tuned: after }) }, history: tuned?.history ?? [], ...(tuned && { bestStep: tuned.bestStep }),
    test: await tested(final, name), ...(cut.scores && { scores: cut.scores }),
  };
}

/** Writes a model and its description into the run directory; gives the name of the file. */
function writeModelOf(run: RunDirectory, name: string, { model, description }: Recogniser): string {
  const path = run.file(name);
  writeModel(model, path, { force: true });
  writeText(descriptionPath(path), writeDescription(description), true);
  return name;
}

async function costAndUnits(model: Model, backend: Backend, { units: options }: SettledRecipe): Promise<{ cost: Cost }> {
  return { cost: costOf(findUnits(await traceRecogniser(model, backend), options)) };
}

/** One by one, as a device would hear them. */
async function measureLatency(models: readonly Model[], { recogniser: { description }, timed, test, terminal }: RunRequest & { readonly test: readonly Example[] }): Promise<Latency[]> {
  const example = test.toSorted((a, b) => a.frames - b.frames)[Math.floor(test.length / 2)];
  const inputs = { [description.input]: makeBatch([example], description).tensors[description.input] };
  const measured: Latency[] = [];
  for (const backend of timed) {
    terminal.progress(`measuring the latency on ${backend.name}`);
    const [before, after] = await measureInTurns(backend, models.map((model) => ({ model, inputs })), { runs: 40, limitMs: 6000 });
    measured.push({ backend: backend.name, seconds: (example.frames * description.features.hopMs) / 1000, before, after });
  }
  return measured;
}
