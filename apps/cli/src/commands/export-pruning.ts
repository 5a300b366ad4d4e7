import type { PruningRecord } from '@coppice/exporter-edge';
import { CoppiceError } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesOf, identifyFiles } from '../model-hash.ts';
import { readPlan } from '../plan-document.ts';
import type { RunReport } from '../recipe/run-recipe.ts';

/**
 * What a plan says was pruned.
 * @throws CoppiceError `COPPICE_PLAN_INVALID` when it is of another slim model
 */
export function recordOfPlan(plan: string, model: string): PruningRecord {
  const { original, slim, request, got, removed } = readPlan(plan);
  const own = identify(model);
  if (own.sha256 !== slim.sha256) throw new CoppiceError('COPPICE_PLAN_INVALID', `The plan ${plan} is of another slim model: ${slim.name} with SHA-256 ${slim.sha256.slice(0, 12)}…, and ${own.name} has ${own.sha256.slice(0, 12)}…. Give the plan that was written with it, or leave out --plan.`);
  const units = new Map<string, number>();
  for (const { group } of removed) units.set(group, (units.get(group) ?? 0) + 1);
  return { original, scorer: request.scorer, macs: got.macs, parameters: got.params, removed: [...units].map(([group, count]) => ({ group, units: count })) };
}

/**
 * What a run of `coppice prune` with a corpus pruned, up to the round that the model is from.
 * @throws CoppiceError `COPPICE_RUN_INVALID` when the folder is no such run, or the model is of none of its rounds
 */
export function recordOfRun(run: string, model: string): PruningRecord {
  const [report, recipe] = ['report.json', 'recipe.json'].map((name) => readJson(join(run, name)));
  const { original, rounds } = report as Partial<Pick<RunReport, 'original' | 'rounds'>>;
  const scorer = (recipe as { readonly recipe?: { readonly scorer?: unknown } }).recipe?.scorer ?? (recipe as { readonly scorer?: unknown }).scorer;
  if (original === undefined || rounds === undefined) throw new CoppiceError('COPPICE_RUN_INVALID', `${run} is no run that pruned: its report.json has no rounds. Give the folder that coppice prune named at its end.`);
  const own = identify(model);
  const at = rounds.findIndex(({ file }) => existsSync(join(run, file)) && identify(join(run, file)).sha256 === own.sha256);
  if (at < 0) throw new CoppiceError('COPPICE_RUN_INVALID', `${own.name} is of none of the rounds of ${run}. Give the folder of the run that made it, or leave out --run.`);
  const [first, last] = [rounds[0], rounds[at]];
  const after = new Map(last.widths.map((width) => [width.group, width.after]));
  return {
    original: identify(join(run, original.file)), scorer: typeof scorer === 'string' ? scorer : 'a plugin of the user',
    macs: { before: original.cost.macs, after: last.cost.macs }, parameters: { before: original.cost.params, after: last.cost.params },
    removed: first.widths.map(({ group, before, lanes }) => ({ group, units: lanes * (before - (after.get(group) ?? before)) })).filter(({ units }) => units > 0),
  };
}

const identify = (path: string): PruningRecord['original'] => identifyFiles(filesOf(readModel(path), path));

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new CoppiceError('COPPICE_RUN_INVALID', `${path} cannot be read: ${(cause as Error).message}. Give the folder of a run of coppice prune with a corpus.`, { cause });
  }
}
