import { CoppiceError } from '@coppice/graph';
import type { Group } from './analysis/groups.ts';
import type { Slice } from './analysis/collect.ts';
import type { Units } from './analysis/units.ts';
import { costOf, unitCosts, type Cost } from './cost.ts';
import { matchesGlob } from './glob.ts';

/** What to reach. Fractions are of the whole model and say what to keep: `macs: 0.5` keeps half. */
export interface PlanRequest {
  readonly macs?: number;
  readonly params?: number;
  readonly bytes?: number;
  /** Share of units to keep in groups whose name matches the glob; these groups are then no longer the budget's to choose. */
  readonly groups?: Readonly<Record<string, number>>;
  /** Kept widths are multiples of this, where a group is pruned at all. Default 1. */
  readonly roundTo?: number;
  /** No width goes below this. Default 1. */
  readonly minWidth?: number;
  /** Globs of groups that may be pruned; all when empty. */
  readonly only?: readonly string[];
  /** Globs of groups that may not. */
  readonly skip?: readonly string[];
  /** `uniform`: every group keeps the same share. `global`: the least important units for their cost go first, wherever they are. */
  readonly ranking?: 'uniform' | 'global';
  /** Scores of different groups can be compared as they are. Otherwise a global ranking divides each by the mean of its group. */
  readonly comparable?: boolean;
}

/** Which units go, and what that reaches. */
export interface Plan {
  readonly request: PlanRequest;
  /** Ids of removed units, ascending. */
  readonly removed: readonly number[];
  readonly scores: Float64Array;
  readonly before: Cost;
  readonly after: Cost;
  /** Widths of each group, a lane: before and after. */
  readonly widths: readonly { readonly group: string; readonly before: number; readonly after: number; readonly lanes: number }[];
  /** Why what was got is not what was asked, when it is more than one unit away. */
  readonly notes: readonly string[];
}

/** One removal that leaves every demand fulfilled: some units of one group, the same number from each lane. */
interface Stride { readonly group: number; readonly units: readonly number[]; readonly keeps: number; readonly importance: number }

type Measure = 'macs' | 'params' | 'bytes';
const MEASURES: readonly Measure[] = ['macs', 'params', 'bytes'];
const CALLED: Readonly<Record<Measure, string>> = { macs: 'MACs', params: 'parameters', bytes: 'bytes of weights' };

/**
 * Chooses which units go so that the budget is kept with the least importance lost. Removals are put into one order and the shortest
 * prefix that keeps the budget is taken, so the result is within one removal of what was asked. Ties are broken by unit order.
 * @throws CoppiceError `COPPICE_BUDGET_UNREACHABLE` with the least that can be reached, `COPPICE_BUDGET_INVALID` for a fraction outside 0…1
 */
export function planCut(units: Units, scores: ArrayLike<number>, request: PlanRequest): Plan {
  checkRequest(units, request);
  // Runtimes round differently in the sixth digit or so; units that differ by no more are equal, and their order decides.
  const rounded = Float64Array.from(scores, (s) => Number(s.toPrecision(5)));
  const spared = lastOnes(units, rounded);
  const eligible = eligibleGroups(units.groups, request);
  const fixed = fixedRemovals(units, rounded, request, eligible, spared);
  const free = units.groups.map((group, g) => (eligible[g] && !fixed.groups.has(g) ? strides(units, group, g, rounded, request, spared) : []));
  const before = costOf(units);
  const budgets = MEASURES.filter((m) => request[m] !== undefined).map((measure) => ({ measure, limit: before[measure] * request[measure]! }));
  const order = request.ranking === 'global' ? orderByImportance(units, free, budgets[0]?.measure ?? 'macs', request.comparable ? () => 1 : groupMeans(units, rounded)) : orderByShare(units, free);
  const removedBy = (count: number) => [...fixed.units, ...order.slice(0, count).flatMap((stride) => stride.units)];
  const fits = (count: number) => {
    const cost = costOf(units, removedBy(count));
    return budgets.every(({ measure, limit }) => cost[measure] <= limit * (1 + 1e-12));
  };
  if (!fits(order.length)) throw unreachable(units, costOf(units, removedBy(order.length)), before, budgets);
  let [low, high] = [0, order.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (fits(middle)) high = middle;
    else low = middle + 1;
  }
  const removed = removedBy(low).toSorted((a, b) => a - b);
  const after = costOf(units, removed);
  return { request, removed, scores: rounded, before, after, widths: widthsAfter(units, removed), notes: notesOn(units, order, low, before, after, budgets, request) };
}

function checkRequest(units: Units, request: PlanRequest): void {
  for (const measure of MEASURES) {
    const value = request[measure];
    if (value !== undefined && !(value > 0 && value <= 1)) throw new CoppiceError('COPPICE_BUDGET_INVALID', `The budget for ${CALLED[measure]} is ${value}; it must be a fraction over 0 and up to 1 of what the model has now, e.g. 0.5.`);
  }
  for (const [glob, share] of Object.entries(request.groups ?? {})) {
    if (!(share > 0 && share <= 1)) throw new CoppiceError('COPPICE_BUDGET_INVALID', `The share to keep of '${glob}' is ${share}; it must be over 0 and up to 1.`);
  }
  const globs = [...(request.only ?? []), ...(request.skip ?? []), ...Object.keys(request.groups ?? {})];
  for (const glob of globs) {
    if (!units.groups.some((group) => matchesGlob(glob, group.name))) {
      throw new CoppiceError('COPPICE_GROUP_UNKNOWN', `No group matches '${glob}'. The groups are: ${units.groups.map((g) => g.name).join(', ') || 'none'}. \`coppice inspect\` lists them.`);
    }
  }
}

const eligibleGroups = (groups: readonly Group[], { only = [], skip = [] }: PlanRequest): boolean[] =>
  groups.map(({ name }) => (only.length === 0 || only.some((glob) => matchesGlob(glob, name))) && !skip.some((glob) => matchesGlob(glob, name)));

function fixedRemovals(units: Units, scores: Float64Array, request: PlanRequest, eligible: readonly boolean[], spared: ReadonlySet<number>): { units: number[]; groups: Set<number> } {
  const groups = new Set<number>();
  const removed: number[] = [];
  for (const [glob, share] of Object.entries(request.groups ?? {})) {
    units.groups.forEach((group, g) => {
      if (groups.has(g) || !eligible[g] || !matchesGlob(glob, group.name)) return;
      groups.add(g);
      const wanted = share * laneWidth(group);
      for (const stride of strides(units, group, g, scores, request, spared)) if (stride.keeps >= wanted - 1e-9) removed.push(...stride.units);
    });
  }
  return { units: removed, groups };
}

/**
 * Units that must stay although their group has others: an axis that holds parts of several groups (a slice across their border) would
 * otherwise be left with nothing when each group keeps a unit elsewhere. The most important unit of each such axis is spared.
 */
function lastOnes(units: Units, scores: Float64Array): Set<number> {
  const { elements, groups } = units;
  const unitOfSet = new Int32Array(elements.count).fill(-1);
  const groupOf = new Int32Array(units.units.length).fill(-1);
  groups.forEach(({ lanes }, g) => lanes.flat().forEach((id) => {
    groupOf[id] = g;
    unitOfSet[units.units[id].set] = id;
  }));
  const spared = new Set<number>();
  const seen = new Set<number>();
  for (let axis = 0; axis < elements.table.size; axis++) {
    const key = elements.classOf(axis);
    if (seen.has(key)) continue;
    seen.add(key);
    const found: number[] = [];
    const size = elements.sizeOf(axis);
    for (let k = 0; k < size; k++) {
      const set = elements.setOf(axis, k);
      if (set < 0 || unitOfSet[set] < 0) break;
      found.push(unitOfSet[set]);
    }
    if (found.length < size || size === 0) continue;
    const distinct = new Set(found);
    const group = groupOf[found[0]];
    // One group keeps a unit of its own axis anyway.
    const whole = distinct.size >= laneWidth(groups[group]) && found.every((id) => groupOf[id] === group);
    if (whole || found.some((id) => spared.has(id))) continue;
    spared.add(found.reduce((best, id) => (scores[id] > scores[best] ? id : best)));
  }
  return spared;
}

/** Units in each lane; lanes may differ where some of their elements are frozen. */
const laneWidth = (group: Group): number => Math.min(...group.lanes.map((lane) => lane.length));

/** The removals of one group, least important units first, in steps that keep widths multiples of `roundTo` and at least `minWidth`. */
function strides(units: Units, group: Group, index: number, scores: Float64Array, { roundTo = 1, minWidth = 1 }: PlanRequest, spared: ReadonlySet<number>): Stride[] {
  const lanes = group.lanes.map((lane) => lane.toSorted((a, b) => Number(spared.has(a)) - Number(spared.has(b)) || scores[a] - scores[b] || b - a));
  const least = Math.max(1, ...group.lanes.map((lane) => lane.filter((id) => spared.has(id)).length + Math.max(0, laneWidth(group) - lane.length)));
  const width = laneWidth(group);
  const each = elementsOfUnit(units, group);
  const allowed = (kept: number) => kept >= least && kept * each >= minWidth && (kept * each) % roundTo === 0;
  const result: Stride[] = [];
  let last = width;
  for (let kept = width - 1; kept >= 1; kept--) {
    if (!allowed(kept)) continue;
    const gone = lanes.flatMap((lane) => lane.slice(width - last, width - kept));
    result.push({ group: index, units: gone, keeps: kept, importance: gone.reduce((sum, unit) => sum + scores[unit], 0) });
    last = kept;
  }
  return result;
}

/**
 * How many elements the width of a layer changes by when each lane loses a unit: the width of a head, one for each group of a grouped
 * convolution (its channels lie in one axis), one for a recurrent layer (each direction has a hidden size of its own).
 */
const elementsOfUnit = (units: Units, group: Group): number =>
  (group.kind === 'heads' ? units.units[group.lanes[0][0]].slices[0].indices.length : 1) * (group.kind === 'hidden units' ? 1 : group.lanes.length);

/** Every group loses its units evenly: removals ordered by the share of its width that a group keeps after them. */
const orderByShare = (units: Units, free: readonly (readonly Stride[])[]): Stride[] =>
  free.flat().map((stride, k) => ({ stride, k, share: stride.keeps / laneWidth(units.groups[stride.group]) })).toSorted((a, b) => b.share - a.share || a.k - b.k).map(({ stride }) => stride);

/** Least importance lost for cost saved first; within a group the order stays. */
function orderByImportance(units: Units, free: readonly (readonly Stride[])[], measure: Measure, scaleOf: (group: number) => number): Stride[] {
  const costs = unitCosts(units)[measure];
  const price = (stride: Stride) => stride.importance / scaleOf(stride.group) / Math.max(1e-12, stride.units.reduce((sum, unit) => sum + costs[unit], 0));
  const prices = free.map((list) => list.map(price));
  // Prices along a group are made monotone: a cheap removal behind a dear one waits for it.
  for (const list of prices) for (let k = 1; k < list.length; k++) list[k] = Math.max(list[k], list[k - 1]);
  return free.flatMap((list, g) => list.map((stride, k) => ({ stride, price: prices[g][k] }))).toSorted((a, b) => a.price - b.price).map(({ stride }) => stride);
}

/** The mean score of each group, so that a layer of large weights is not worth more for that alone. */
function groupMeans(units: Units, scores: Float64Array): (group: number) => number {
  const means = units.groups.map(({ lanes }) => {
    const ids = lanes.flat();
    return ids.reduce((sum, id) => sum + scores[id], 0) / ids.length || 1;
  });
  return (group) => means[group];
}

function widthsAfter(units: Units, removed: readonly number[]): Plan['widths'] {
  const gone = new Set(removed);
  return units.groups.map((group) => ({ group: group.name, before: group.lanes[0].length, after: group.lanes[0].filter((id) => !gone.has(id)).length, lanes: group.lanes.length }));
}

interface Budget { readonly measure: Measure; readonly limit: number }

function unreachable(units: Units, least: Cost, before: Cost, budgets: readonly Budget[]): CoppiceError {
  const missed = budgets.filter(({ measure, limit }) => least[measure] > limit);
  const [{ measure, limit }] = missed;
  const floor = Math.ceil((least[measure] / before[measure]) * 1000) / 1000;
  return new CoppiceError(
    'COPPICE_BUDGET_UNREACHABLE',
    `Keeping ${percent(limit / before[measure])} of the ${CALLED[measure]} cannot be reached: with every group that may be pruned at its least width, ${percent(least[measure] / before[measure])} remain (${units.groups.length} groups). ` +
    `Ask for at least ${floor}, allow more groups (--only/--skip, --min-width), or see with \`coppice inspect\` what is frozen and why.`,
  );
}

const percent = (share: number) => `${(share * 100).toFixed(1)} %`;

function notesOn(units: Units, order: readonly Stride[], count: number, before: Cost, after: Cost, budgets: readonly Budget[], request: PlanRequest): string[] {
  if (count === 0 || budgets.length === 0) return [];
  const notes: string[] = [];
  const last = order[count - 1];
  for (const { measure, limit } of budgets) {
    const gap = (limit - after[measure]) / before[measure];
    if (gap < 0.01) continue;
    const group = units.groups[last.group];
    notes.push(
      budgets.length > 1 && budgets.some((b) => b.measure !== measure && (b.limit - after[b.measure]) / before[b.measure] < gap)
        ? `${CALLED[measure]}: ${percent(gap)} below what was asked, because another budget needed it`
        : `${CALLED[measure]}: ${percent(gap)} below what was asked; the last removal takes ${last.units.length} unit${last.units.length === 1 ? '' : 's'} of ${group.name} at once${(request.roundTo ?? 1) > 1 ? ` (widths are multiples of ${request.roundTo})` : ''}`,
    );
  }
  return notes;
}

/** One removed unit in a plan file: what it was, its score, and its slices in the coordinates of the original. */
export interface RemovedUnit { readonly group: string; readonly lane: number; readonly unit: number; readonly score: number; readonly slices: readonly Slice[] }

/** The removed units of a plan, as a plan file lists them; `unit` counts within the lane. */
export function removedUnits(units: Units, plan: Pick<Plan, 'removed' | 'scores'>): RemovedUnit[] {
  const gone = new Set(plan.removed);
  return units.groups.flatMap(({ name, lanes }) => lanes.flatMap((lane, l) => lane.flatMap((id, unit) =>
    (gone.has(id) ? [{ group: name, lane: l, unit, score: plan.scores[id], slices: units.units[id].slices }] : []))));
}
