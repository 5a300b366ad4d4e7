import { CoppiceError } from '@coppice/graph';
import type { Units } from './analysis/units.ts';
import type { Need, Scorer, UnitInfo } from './scorer.ts';
import { addActivations } from './scoring/activations.ts';
import { addGradients } from './scoring/gradients.ts';
import { addLosses } from './scoring/measured-loss.ts';
import type { ScoreOptions } from './scoring/options.ts';
import { Scoring } from './scoring/session.ts';
import { findSites } from './scoring/sites.ts';
import { addWeights, weightParts } from './scoring/slices.ts';
import { Uses } from './scoring/uses.ts';

export type { ScoreOptions, ScoreProgress, ScoreState } from './scoring/options.ts';

/**
 * Gives each unit its importance: one finite, non-negative number, by unit id; higher = keep. Weights are read initializer by
 * initializer, everything else batch by batch, and nothing of either is kept.
 *
 * A scorer that needs activations gets one `add` for each consumer of a unit and each batch; one that needs gradients, for each slice and
 * each batch; one that needs the loss, for each unit and each batch; otherwise one for each slice. Units of which no evidence can be had
 * (activations deep in a loop, gradients of integers) get the mean score of the others of their group, or of all where a group has no others.
 * @throws CoppiceError `COPPICE_SCORER_INVALID` when the scorer needs what does not go together or was not given, or gives something else
 * than such numbers; `COPPICE_BACKEND_MISSING`, `COPPICE_INPUT_INVALID`, `COPPICE_LOSS_INVALID`, `COPPICE_LOSS_NOT_FINITE` when there is
 * nothing to run, to run it on or to measure; `COPPICE_RUN_INVALID` when the state to go on from belongs elsewhere; what the backend throws
 */
export async function scoreUnits(units: Units, scorer: Scorer, options: ScoreOptions = {}): Promise<Float64Array> {
  const measured = measuredNeed(scorer);
  const infos = unitInfos(units);
  const session = new Scoring(scorer, infos, options);
  if (measured === 'loss') await addLosses(units, session, options);
  else if (scorer.needs.length > 0) {
    const uses = new Uses(units);
    const parts = weightParts(units, uses);
    if (measured === 'activations') await addActivations(units, session, findSites(units, uses, parts), options);
    else if (measured === 'gradients') await addGradients(units, session, parts, options);
    else addWeights(units, session, parts, options);
  }
  const scores = session.finish();
  if (measured !== undefined) fillUnseen(scores, infos, session.seen, UNSEEN[measured], options);
  return scores;
}

type Measured = Exclude<Need, 'weights'>;

/** Why there is no evidence of a unit. */
const UNSEEN: Readonly<Record<Measured, string>> = {
  activations: 'cannot be seen in a run',
  gradients: 'have no gradient in any of their slices',
  loss: 'were not measured',
};

/** What a scorer needs beside weights. Activations and gradients of a unit lie in different places, so nothing can hold both. */
function measuredNeed({ name, needs }: Scorer): Measured | undefined {
  const measured = needs.filter((need) => need !== 'weights');
  if (measured.length > 1 || (measured[0] === 'loss' && needs.length > 1)) {
    throw new CoppiceError('COPPICE_SCORER_INVALID', `The scorer '${name}' needs ${needs.join(' and ')}, which core does not lay side by side. It may need weights, with activations or with gradients, or the loss alone; score twice and combine the scores.`);
  }
  return measured[0];
}

/** What scorers know of units beforehand. A unit that is alone, and so cannot be pruned, is a group of its own. */
export function unitInfos(units: Units): UnitInfo[] {
  const infos: UnitInfo[] = units.units.map(({ id }) => ({ id, group: `unit ${id}`, kind: 'neurons', lane: 0 }));
  for (const { name, kind, lanes } of units.groups) lanes.forEach((lane, l) => lane.forEach((id) => (infos[id] = { id, group: name, kind, lane: l })));
  return infos;
}

/** Unseen is not unimportant: units without evidence get the mean of those of their group that have some. */
function fillUnseen(scores: Float64Array, infos: readonly UnitInfo[], seen: Uint8Array, why: string, { onNote }: ScoreOptions): void {
  const unseen = infos.filter(({ id }) => seen[id] === 0);
  if (unseen.length === 0) return;
  const meanOf = (ids: readonly UnitInfo[]) => (ids.length === 0 ? undefined : ids.reduce((sum, { id }) => sum + scores[id], 0) / ids.length);
  const known = infos.filter(({ id }) => seen[id] === 1);
  const means = new Map([...Map.groupBy(known, ({ group }) => group)].map(([group, list]) => [group, meanOf(list)]));
  const rest = meanOf(known) ?? 1;
  for (const { id, group } of unseen) scores[id] = means.get(group) ?? rest;
  const groups = [...new Set(unseen.map(({ group }) => group))];
  onNote?.(`${unseen.length} unit${unseen.length === 1 ? '' : 's'} of ${groups.join(', ')} ${why} and got the mean score of others.`);
}
