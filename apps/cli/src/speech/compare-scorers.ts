import { costOf, planCut, type PlanRequest, type Scorer, type Units } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import type { ErrorUnit } from '@coppice/speech';
import { scoreRecogniser } from '../recipe/score-model.ts';
import { evaluateRecogniser } from './evaluate.ts';
import { rankCorrelation } from './rank-correlation.ts';
import { provenCut, rebuiltCut } from './rebuilt-cut.ts';
import { accuracyOf, type Accuracy, type Study } from './study.ts';

export interface ComparisonRequest extends Study {
  readonly scorers: readonly Scorer[];
  /** What the others are compared with, unit by unit: the measured loss increase. Left out: no correlations. */
  readonly yardstick?: Scorer;
  /** Share of the multiply–accumulates to keep. */
  readonly macs: number;
  readonly ranking: NonNullable<PlanRequest['ranking']>;
  /** Least squares and new batch-norm statistics as well. */
  readonly rebuild: boolean;
  /** What is done now, with which scorer; `done` of `of` scorers are finished. */
  readonly onProgress?: (text: string, done: number, of: number) => void;
}

/** How the order of a scorer agrees with the measured loss increase. Spearman's ρ. */
export interface Agreement {
  /** Over all units that can be pruned; null where one side is constant. */
  readonly all: number | null;
  /** Mean over the groups whose measured increases differ; scores that are the same for a whole group count as 0. */
  readonly withinGroups: number | null;
  readonly groups: Readonly<Record<string, number>>;
}

/** What one scorer came to. */
export interface ScorerResult {
  readonly scorer: string;
  readonly needs: readonly string[];
  /** To score all units. */
  readonly seconds: number;
  readonly agreement?: Agreement;
  /** Share of the multiply–accumulates that its cut keeps. */
  readonly macs: number;
  /** One cut, nothing else. */
  readonly cut: Accuracy;
  /** The same cut, rebuilt without training. */
  readonly rebuilt?: Accuracy;
}

/** A scorer that could not be used on this model, and why. */
export interface FailedScorer {
  readonly scorer: string;
  readonly code: string;
  readonly reason: string;
}

/** Criteria side by side. */
export interface ScorerComparison {
  readonly unit: ErrorUnit;
  readonly utterances: number;
  /** Units that can be pruned. */
  readonly units: number;
  readonly batches: number;
  readonly asked: number;
  readonly ranking: string;
  readonly whole: Accuracy;
  /** In the order in which they were given, the yardstick first. */
  readonly scorers: readonly ScorerResult[];
  readonly failed: readonly FailedScorer[];
  readonly notes: readonly string[];
}

/**
 * Scores a recogniser with several criteria and measures each one-shot: the same share of compute is cut, each cut is proved, and the part
 * is recognised without any training. A criterion that this model does not allow (no gradient of some operator, say) is listed.
 * @throws CoppiceError when none of them works; `COPPICE_VERIFY_FAILED`, and what cutting and recognising throw
 */
export async function compareScorers(request: ComparisonRequest): Promise<ScorerComparison> {
  const { recogniser: { model, description }, units, scorers, yardstick, examples, batches, backend, threads, seed, macs, ranking, rebuild, onProgress } = request;
  const all = yardstick ? [yardstick, ...scorers.filter(({ name }) => name !== yardstick.name)] : scorers;
  const inputs = batches.map((batch) => ({ [description.input]: batch[description.input] }));
  const recognised = (slim: typeof model, what: string, done: number) =>
    evaluateRecogniser({ model: slim, description }, examples, { backend, threads, onProgress: (heard, of) => onProgress?.(`${what}: ${heard} of ${of} utterances`, done, all.length) });
  const whole = await recognised(model, 'the whole model', 0);
  const before = costOf(units).macs;
  const notes: string[] = [];
  const results: ScorerResult[] = [];
  const failed: FailedScorer[] = [];
  let measured: Float64Array | undefined;
  let firstError: unknown;
  for (const [k, scorer] of all.entries()) {
    const { name, needs, comparable } = scorer;
    const tell = (text: string): void => onProgress?.(`${name}: ${text}`, k, all.length);
    const start = performance.now();
    let scores: Float64Array;
    try {
      scores = await scoreRecogniser({ units, scorer, description, batches, backend, threads, seed, onProgress: (text) => onProgress?.(text, k, all.length), onNote: (note) => notes.push(note) });
    } catch (error) {
      if (!(error instanceof CoppiceError) || scorer === yardstick) throw error;
      firstError ??= error;
      failed.push({ scorer: name, code: error.code, reason: error.message });
      continue;
    }
    const seconds = (performance.now() - start) / 1000;
    if (scorer === yardstick) measured = scores;
    tell('cutting');
    const plan = planCut(units, scores, { macs, ranking, comparable });
    const cut = await recognised((await provenCut(units, plan.removed, { backend, threads })).slim, name, k);
    if (rebuild) tell('rebuilding by least squares');
    const rebuilt = rebuild ? await recognised(await rebuiltCut(units, plan.removed, { backend, threads, inputs, recalibrate: true }), `${name}, rebuilt`, k) : undefined;
    results.push({
      scorer: name, needs, seconds, macs: plan.after.macs / before, cut: accuracyOf(cut),
      ...(measured && { agreement: agreementOf(units, scores, measured) }), ...(rebuilt && { rebuilt: accuracyOf(rebuilt) }),
    });
  }
  if (results.length === 0) throw firstError;
  return { unit: whole.errors.unit, utterances: examples.length, units: prunable(units).length, batches: batches.length, asked: macs, ranking, whole: accuracyOf(whole), scorers: results, failed, notes };
}

const prunable = (units: Units): number[] => units.groups.flatMap(({ lanes }) => lanes.flat());

/**
 * How the order of scores agrees with that of measured loss increases.
 * @param scores by unit id
 * @param measured by unit id
 */
export function agreementOf(units: Units, scores: Float64Array, measured: Float64Array): Agreement {
  const over = (ids: readonly number[]): number => rankCorrelation(ids.map((id) => scores[id]), ids.map((id) => measured[id]));
  const telling = units.groups.map(({ name, lanes }) => ({ name, ids: lanes.flat() })).filter(({ ids }) => ids.some((id) => measured[id] !== measured[ids[0]]));
  const groups = telling.map(({ name, ids }) => [name, over(ids) || 0] as const);
  const all = over(prunable(units));
  return {
    all: Number.isNaN(all) ? null : all,
    withinGroups: groups.length === 0 ? null : groups.reduce((sum, [, rho]) => sum + rho, 0) / groups.length,
    groups: Object.fromEntries(groups),
  };
}
