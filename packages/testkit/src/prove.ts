import { createRandom, cutModel, findUnits, traceModel, verifyCut, type Backend, type FactorPolicy, type Random, type Units } from '@coppice/core';
import { CoppiceError, type Model } from '@coppice/graph';

/** What became of one case. */
export type Outcome =
  | { readonly kind: 'equal'; readonly removed: number; readonly units: number; readonly groups: number; readonly relative: number }
  | { readonly kind: 'wrong'; readonly removed: number; readonly relative: number; readonly message: string }
  /** Nothing of it may go. */
  | { readonly kind: 'frozen' }
  /** The runtime does not take the case itself: the fault of who made it. */
  | { readonly kind: 'refused'; readonly message: string }
  /** The analysis, the cut or the runtime failed on what is a legal model. */
  | { readonly kind: 'failed'; readonly message: string };

export interface ProveOptions {
  /** Sizes of the two tracing runs by the name of a dimension. */
  readonly dims?: Readonly<Record<string, readonly [number, number]>>;
  /** Plans to try for one analysis. Default 1. */
  readonly plans?: number;
  /** Graph inputs and outputs whose widths may shrink. */
  readonly release?: readonly string[];
  /** Which factor of heads × width carries the units. */
  readonly factors?: FactorPolicy;
}

/**
 * Removes random units of a model and compares the slim model with the masked original, which is built without any cutting code, on the
 * inputs of the trace: two sizes, two sets of values.
 */
export async function proveCase(model: Model, seed: number | string, backend: Backend, options: ProveOptions = {}): Promise<Outcome> {
  let trace;
  try {
    trace = await traceModel(model, backend, { dims: options.dims, seed });
  } catch (error) {
    return { kind: error instanceof CoppiceError ? 'refused' : 'failed', message: messageOf(error) };
  }
  let worst: Outcome = { kind: 'frozen' };
  try {
    const units = findUnits(trace, { release: options.release, factors: options.factors });
    for (let plan = 0; plan < (options.plans ?? 1); plan++) {
      const removed = randomPlan(units, createRandom(`${seed}/plan/${plan}`));
      if (removed.length === 0) return { kind: 'frozen' };
      const verdict = await verifyCut(units, removed, cutModel(units, removed), backend);
      const { relative, finite, output } = verdict.worst;
      if (!verdict.equal) return { kind: 'wrong', removed: removed.length, relative, message: `'${output}' differs by ${finite ? relative.toExponential(1) : 'its shape, or is not finite'}` };
      if (worst.kind !== 'equal' || relative > worst.relative) worst = { kind: 'equal', removed: removed.length, units: units.units.length, groups: units.groups.length, relative };
    }
  } catch (error) {
    return { kind: 'failed', message: messageOf(error) };
  }
  return worst;
}

/** Random units of random groups, the same number from each lane, at least one of a lane kept. Written without the planner. */
export function randomPlan(units: Units, random: Random): number[] {
  const removed: number[] = [];
  const everywhere = random.uniform() < 0.3;
  for (const { lanes } of units.groups) {
    if (!everywhere && random.uniform() < 0.25) continue;
    const most = Math.min(...lanes.map((lane) => lane.length)) - 1;
    const count = random.uniform() < 0.15 ? most : 1 + random.integer(most);
    for (const lane of lanes) removed.push(...random.shuffle(lane).slice(0, count));
  }
  if (removed.length === 0 && units.groups.length > 0) return units.groups[0].lanes.map(([first]) => first);
  return removed;
}

const messageOf = (error: unknown): string => (error instanceof CoppiceError ? `${error.code} ${error.message}` : error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 4).join(' ⏎ ') : String(error));


