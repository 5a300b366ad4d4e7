import { costOf, planCut, type Scorer } from '@coppice/core';
import type { ErrorUnit } from '@coppice/speech';
import { scoreRecogniser } from '../recipe/score-model.ts';
import { evaluateRecogniser } from './evaluate.ts';
import { provenCut, rebuiltCut } from './rebuilt-cut.ts';
import { accuracyOf, timeLeft, type Accuracy, type Study } from './study.ts';

export interface SensitivityRequest extends Study {
  readonly scorer: Scorer;
  /** Shares of the units of a group to remove, above 0 and below 1. */
  readonly shares: readonly number[];
  /** Least-squares reconstruction after each cut. */
  readonly reconstruct: boolean;
  /** A sentence on what is done now; `done` of `of` utterances are recognised, all cuts together. */
  readonly onProgress?: (text: string, done: number, of: number) => void;
}

/** What a recogniser does without some units of one group. */
export interface GroupLoss extends Accuracy {
  /** Shares that were asked for and come to this number of units. */
  readonly asked: readonly number[];
  /** Units removed, of all lanes. */
  readonly removed: number;
  /** Of the units of the group. */
  readonly share: number;
}

/** One group of units. */
export interface GroupSensitivity {
  readonly group: string;
  readonly kind: string;
  readonly lanes: number;
  /** In each lane. */
  readonly units: number;
  /** Share of the model's multiply–accumulates that goes with the whole group. */
  readonly macsShare: number;
  /** By rising share; a share too small for the group to lose a unit is not there. */
  readonly points: readonly GroupLoss[];
}

/** What each group of a recogniser can lose. */
export interface SensitivityReport {
  readonly scorer: string;
  readonly reconstructed: boolean;
  readonly unit: ErrorUnit;
  readonly utterances: number;
  /** The model with all units. */
  readonly whole: Accuracy;
  readonly groups: readonly GroupSensitivity[];
  readonly notes: readonly string[];
}

/**
 * Removes shares of the least important units of one group at a time and measures what that costs. Every cut is proved before it is
 * measured; nothing is trained.
 * @throws CoppiceError `COPPICE_VERIFY_FAILED`, and what scoring, cutting and recognising throw
 */
export async function measureSensitivity({ recogniser: { model, description }, units, scorer, shares, reconstruct, examples, batches, backend, threads, seed, onProgress }: SensitivityRequest): Promise<SensitivityReport> {
  const notes: string[] = [];
  const scores = await scoreRecogniser({ units, scorer, description, batches, backend, threads, seed, onProgress: (text) => onProgress?.(text, 0, 1), onNote: (note) => notes.push(note) });
  const cuts = units.groups.map(({ name, lanes }) => {
    const own = new Set(lanes.flat());
    // A pattern may match the names of other groups as well.
    const removals = shares.map((share) => ({ share, removed: planCut(units, scores, { groups: { [name]: 1 - share } }).removed.filter((id) => own.has(id)) }));
    return [...Map.groupBy(removals.filter(({ removed }) => removed.length > 0), ({ removed }) => removed.length).values()];
  });
  const total = (1 + cuts.reduce((sum, { length }) => sum + length, 0)) * examples.length;
  const start = performance.now();
  let before = 0;
  const measure = async (slim: typeof model, what: string) => {
    const evaluation = await evaluateRecogniser({ model: slim, description }, examples, { backend, threads, onProgress: (done) => onProgress?.(`${what}: ${done} of ${examples.length} utterances${timeLeft(start, before + done, total)}`, before + done, total) });
    before += examples.length;
    return evaluation;
  };
  const whole = await measure(model, 'the whole model');
  const { macs } = costOf(units);
  const inputs = batches.map((batch) => ({ [description.input]: batch[description.input] }));
  const groups: GroupSensitivity[] = [];
  for (const [g, { name, kind, lanes }] of units.groups.entries()) {
    const points: GroupLoss[] = [];
    for (const same of cuts[g]) {
      const [{ share, removed }] = same;
      const what = `${name} less ${Math.round(100 * share)} %`;
      onProgress?.(`${what}: proving the cut${timeLeft(start, before, total)}`, before, total);
      let { slim } = await provenCut(units, removed, { backend, threads });
      if (reconstruct) slim = await rebuiltCut(units, removed, { backend, threads, inputs, recalibrate: false });
      points.push({ asked: same.map((entry) => entry.share), removed: removed.length, share: removed.length / lanes.flat().length, ...accuracyOf(await measure(slim, what)) });
    }
    groups.push({ group: name, kind, lanes: lanes.length, units: Math.min(...lanes.map((lane) => lane.length)), macsShare: (macs - costOf(units, lanes.flat()).macs) / macs, points: points.sort((a, b) => a.share - b.share) });
  }
  return { scorer: scorer.name, reconstructed: reconstruct, unit: whole.errors.unit, utterances: examples.length, whole: accuracyOf(whole), groups, notes };
}
