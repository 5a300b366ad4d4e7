import { carryScores, costOf, findUnits, planCut, traceModel, type Backend, type Cost, type NamedTensors, type Plan, type PreparedTrace, type Scorer, type Verdict } from '@coppice/core';
import type { Model } from '@coppice/graph';
import { provenCut, rebuiltCut, recalibrated } from '../speech/rebuilt-cut.ts';
import type { Recogniser } from '../speech/recogniser.ts';
import { batchLoss } from '../speech/batch-loss.ts';
import type { SettledRecipe } from './recipe.ts';
import { scoreRecogniser } from './score-model.ts';

export interface RoundRequest {
  readonly recogniser: Recogniser;
  readonly recipe: SettledRecipe;
  /** Multiply–accumulates to reach, at the sizes of the trace. */
  readonly targetMacs: number;
  readonly scorer: Scorer;
  /** Of the units of the model, where they are not to be measured anew. */
  readonly scores?: readonly number[];
  readonly batches: readonly NamedTensors[];
  readonly backend: Backend;
  readonly threads: number;
  readonly onProgress: (text: string) => void;
}

/** A model after one round of pruning, before fine-tuning. */
export interface Round {
  readonly model: Model;
  readonly plan: Plan;
  readonly verdict: Verdict;
  readonly cost: Cost;
  readonly notes: readonly string[];
  /** Of the units of the slim model as the next round finds them, where the recipe scores only once. */
  readonly scores?: readonly number[];
}

/** What a model is traced with, so that costs of several models can be compared. */
export const traceRecogniser = (model: Model, backend: Backend): Promise<PreparedTrace> => traceModel(model, backend);

/**
 * One round: score, plan, cut, prove the cut, then what needs no training: least-squares reconstruction and new batch-norm statistics, each
 * kept where it lowers the loss on the calibration batches. The proof comes first, because those two change what the model computes.
 * @throws CoppiceError `COPPICE_VERIFY_FAILED` when the cut is not equal to the masked model, and what the stages throw
 */
export async function pruneRound({ recogniser, recipe, targetMacs, scorer, scores: known, batches, backend, threads, onProgress }: RoundRequest): Promise<Round> {
  const { model, description } = recogniser;
  const notes: string[] = [];
  const units = findUnits(await traceRecogniser(model, backend), recipe.units);
  const scores = known ?? await scoreRecogniser({ units, scorer, description, batches, backend, threads, seed: recipe.seed, onProgress, onNote: (note) => notes.push(note) });
  const share = Math.min(1, targetMacs / costOf(units).macs);
  const plan = planCut(units, scores, { ...recipe.plan, macs: share, comparable: scorer.comparable });
  notes.push(...plan.notes);
  onProgress('proving the cut');
  const proven = await provenCut(units, plan.removed, { backend, threads });
  const inputs = batches.map((batch) => ({ [description.input]: batch[description.input] }));
  const lossOf = (slim: Model): Promise<number> => batchLoss({ model: slim, description }, batches, { backend, threads });
  let best = { model: proven.slim, loss: recipe.reconstruct || recipe.recalibrate ? await lossOf(proven.slim) : 0 };
  const takeWhereBetter = async (what: string, slim: Model): Promise<void> => {
    const loss = await lossOf(slim);
    if (loss <= best.loss) best = { model: slim, loss };
    else notes.push(`${what} would have raised the loss of a label on the calibration batches from ${best.loss.toPrecision(3)} to ${loss.toPrecision(3)} nats, so the weights stayed as they were.`);
  };
  if (recipe.reconstruct) {
    onProgress('rebuilding what consumers read, by least squares');
    await takeWhereBetter('Least squares', await rebuiltCut(units, plan.removed, { backend, threads, inputs, recalibrate: false }));
  }
  if (recipe.recalibrate) {
    const progress = (done: number, total: number): void => onProgress(`new statistics for batch norms: ${done} of ${total}`);
    await takeWhereBetter('New statistics for batch norms', await recalibrated(best.model, { backend, threads, inputs, onProgress: progress }));
  }
  const left = recipe.rescore ? undefined : [...carryScores(units, scores, plan.removed, findUnits(await traceRecogniser(best.model, backend), recipe.units))];
  return { model: best.model, plan, verdict: proven.verdict, cost: plan.after, notes, ...(left && { scores: left }) };
}
