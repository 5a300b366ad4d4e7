import { dataTypes } from '@coppice/graph';
import type { Occurrence } from '../analysis/axis-table.ts';
import { CONSUMED } from '../analysis/collect.ts';
import { isFrozen, type AnalysedStep } from '../analysis/steps.ts';
import type { Units } from '../analysis/units.ts';
import type { Part } from './gather.ts';
import { operandName, type Use, type Uses } from './uses.ts';

/** A slice of an initializer. */
export interface WeightPart extends Part {
  readonly unit: number;
  /** Id of the value that the initializer is. */
  readonly value: number;
  readonly use: Use | undefined;
}

/** An operator that reads units from an axis of a value and does not pass them on. */
export interface Reader {
  readonly operator: string;
  readonly operand: string;
  /** What it weighs each unit with, by unit id; nothing where the units meet another activation or are summed. */
  readonly weights: ReadonlyMap<number, readonly WeightPart[]>;
}

/** An axis of a value of the main graph in which a run shows units, and who reads them there. */
export interface Site {
  readonly value: number;
  /** Where each unit lies in it, by unit id. */
  readonly parts: ReadonlyMap<number, readonly Part[]>;
  readonly readers: readonly Reader[];
}

/** Types whose elements mean what they are; quantised activations have a zero that is not 0. */
const SHOWN: ReadonlySet<number> = new Set([dataTypes.float32, dataTypes.float16, dataTypes.float64]);

interface Shown { readonly value: number; readonly axis: number; readonly position: number }

/**
 * Where the activations of units can be seen: what their consumers read. In place of a value inside a body of If, Loop or Scan, and of a
 * quantised one, stands the nearest value of the main graph with the same elements; where no consumer's input can be seen, the last
 * value that holds the unit.
 */
export function findSites(units: Units, uses: Uses, weights: readonly WeightPart[]): Site[] {
  const { elements, analysed } = units;
  const shown = shownAxes(units);
  const byClass = Map.groupBy(shown, ({ axis }) => elements.classOf(axis));
  const unitOfSet = new Int32Array(elements.count).fill(-1);
  for (const { set, id } of units.units) unitOfSet[set] = id;
  const sites = new Map<number, { value: number; parts: Map<number, Part[]>; readers: Reader[] }>();
  const weighed = weightsByReader(weights);

  for (const step of analysed.steps) {
    for (const [o, label] of readsOf(units, uses, step)) {
      const value = step.inputs[o.entry];
      const candidates = byClass.get(elements.classOf(o.axis)) ?? [];
      const seen = candidates.find((c) => c.axis === o.axis) ?? candidates.findLast((c) => c.value < value) ?? candidates[0];
      if (!seen) continue;
      const site = sites.get(seen.axis) ?? sites.set(seen.axis, { value: seen.value, parts: partsOf(units, unitOfSet, seen), readers: [] }).get(seen.axis)!;
      site.readers.push({ ...operandName(step, o.entry), weights: weighed.get(step)?.get(label) ?? new Map() });
    }
  }

  const unseen = new Set(units.units.map(({ id }) => id));
  for (const { parts } of sites.values()) for (const unit of parts.keys()) unseen.delete(unit);
  for (const place of shown.toReversed()) {
    if (unseen.size === 0) break;
    if (sites.has(place.axis)) continue;
    const parts = new Map([...partsOf(units, unitOfSet, place)].filter(([unit]) => unseen.delete(unit)));
    if (parts.size > 0) sites.set(place.axis, { value: place.value, parts, readers: [{ operator: '', operand: '', weights: new Map() }] });
  }
  return [...sites.values()].filter(({ parts }) => parts.size > 0);
}

/** Axes of activations of the main graph that may hold units, in the order of the graph. */
const shownAxes = ({ analysed, elements }: Units): Shown[] =>
  analysed.program.values.filter(({ tainted, scope, elementType }) => tainted && scope.parent === undefined && SHOWN.has(elementType))
    .flatMap(({ id }) => elements.table.axesOf(id).map((axis, position) => ({ value: id, axis, position })))
    .filter(({ axis }) => !elements.allFrozen(axis));

/** The axes of data whose units a step reads and does not pass on. What Slice, Split and Gather leave out is not read. */
function readsOf({ elements, analysed }: Units, uses: Uses, step: AnalysedStep): (readonly [Occurrence, string])[] {
  const roles = uses.rolesIn(step);
  if (roles.size === 0 || isFrozen(step.signature)) return [];
  const picked = new Set(Object.values(step.signature.select ?? {}).map(({ of }) => of));
  return elements.table.occurrences(step).flatMap((o) => {
    const label = o.factors.find((f) => roles.get(f.label) === CONSUMED)?.label;
    if (label === undefined || picked.has(label) || o.entry >= step.inputs.length || o.size !== elements.table.lengths[o.axis]) return [];
    return analysed.program.values[step.inputs[o.entry]].tainted && !elements.allFrozen(o.axis) ? [[o, label] as const] : [];
  });
}

/** Where the units of an axis lie in its value. */
function partsOf({ elements }: Units, unitOfSet: Int32Array, { axis, position }: Shown): Map<number, Part[]> {
  const spec = elements.table.laneSpecs.get(axis);
  const length = elements.table.lengths[axis];
  const parts = new Map<number, Part[]>();
  for (let lane = 0; lane < (spec?.lanes ?? 1); lane++) {
    const indicesOf = new Map<number, number[]>();
    for (let k = 0; k < length; k++) {
      const set = elements.setOf(axis, lane * length + k);
      const unit = set < 0 ? -1 : unitOfSet[set];
      if (unit >= 0) (indicesOf.get(unit) ?? indicesOf.set(unit, []).get(unit)!).push(k);
    }
    const within = spec && spec.lanes > 1 ? new Map([[spec.by, [lane * spec.block, (lane + 1) * spec.block] as const]]) : undefined;
    for (const [unit, indices] of indicesOf) (parts.get(unit) ?? parts.set(unit, []).get(unit)!).push({ axis: position, indices, within });
  }
  return parts;
}

/** Slices that are columns, by the step that applies them, the label that they read, and the unit. */
function weightsByReader(weights: readonly WeightPart[]): Map<AnalysedStep, Map<string, Map<number, WeightPart[]>>> {
  const found = new Map<AnalysedStep, Map<string, Map<number, WeightPart[]>>>();
  for (const part of weights) {
    if (part.use?.role !== 'in') continue;
    const { step, label } = part.use;
    const byLabel = found.get(step) ?? found.set(step, new Map()).get(step)!;
    const byUnit = byLabel.get(label) ?? byLabel.set(label, new Map()).get(label)!;
    (byUnit.get(part.unit) ?? byUnit.set(part.unit, []).get(part.unit)!).push(part);
  }
  return found;
}
