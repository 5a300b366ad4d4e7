import type { Axis } from '../structure/signature.ts';
import { tokensOf, type AxisTable, type LaneSpec, type Occurrence } from './axis-table.ts';
import { isFrozen, type AnalysedStep } from './steps.ts';

/** How the elements of a label that has lanes meet the axes it occurs in. */
export interface LabelLanes {
  readonly lanes: number;
  /** For an occurrence: its local lanes as lanes of the label, and the axis of the value that names them (-1: a single lane, nothing names it). Absent: all lanes are one. */
  readonly lanesAt: ReadonlyMap<Occurrence, { readonly by: number; readonly lanes: readonly number[] }>;
  /** Occurrences in a product right after the label that names the lane: `(g o@g)`. Their elements are the label's, lane by lane. */
  readonly joint: ReadonlySet<Occurrence>;
}

export type StepLanes = ReadonlyMap<string, LabelLanes>;

/**
 * Finds which axes have lanes: those that a signature says so of (recurrent directions, convolution groups) and those that they reach
 * through operators which keep both axes. Where lanes are lost, their elements are tied together by whoever reads the result.
 */
export function findLanes(steps: readonly AnalysedStep[], table: AxisTable): Map<AnalysedStep, StepLanes> {
  const result = new Map<AnalysedStep, StepLanes>();
  if (!steps.some((s) => !isFrozen(s.signature) && s.signature.axes.includes('@'))) return result;
  const touching = new Map<number, AnalysedStep[]>();
  for (const step of steps) for (const { axis } of table.occurrences(step)) (touching.get(axis) ?? touching.set(axis, []).get(axis)!).push(step);
  const queue = new Set(steps.filter((s) => !isFrozen(s.signature) && s.signature.axes.includes('@')));
  for (const step of queue) {
    queue.delete(step);
    const { lanes, specs } = stepLanes(step, table);
    if (lanes.size > 0) result.set(step, lanes);
    for (const [axis, spec] of specs) {
      if (table.laneSpecs.has(axis)) continue;
      table.laneSpecs.set(axis, spec);
      for (const other of touching.get(axis) ?? []) queue.add(other);
    }
  }
  return result;
}

interface Universe { readonly root: string; readonly lane: (index: number) => number; readonly size: number }

function stepLanes(step: AnalysedStep, table: AxisTable): { lanes: StepLanes; specs: Map<number, LaneSpec> } {
  const occurrences = table.occurrences(step);
  const specs = new Map<number, LaneSpec>();
  const lanes = new Map<string, LabelLanes>();
  const universe = universes(step);
  const byLabel = new Map<string, Occurrence[]>();
  for (const o of occurrences) for (const { label } of o.factors) (byLabel.get(label) ?? byLabel.set(label, []).get(label)!).push(o);
  for (const [label, found] of byLabel) {
    const lane = laneOfLabel(step, label, found, table, universe);
    if (!lane) continue;
    const lanesAt = new Map<Occurrence, { by: number; lanes: readonly number[] }>();
    const joint = new Set<Occurrence>();
    for (const o of found) {
      const at = o.factors.findIndex((f) => f.label === label);
      if (at > 0 && o.factors[at - 1].label === lane.label) { joint.add(o); continue; }
      if (o.factors.length > 1 && !o.factors.every((f, k) => k === at || isUpper(f.label))) continue;
      const found = locate(step, o, lane, universe);
      if (!found) continue;
      lanesAt.set(o, found);
      if (found.by >= 0 && o.offset === 0) specs.set(o.axis, { by: found.by, block: found.block, lanes: found.lanes.length });
    }
    lanes.set(label, { lanes: lane.lanes, lanesAt, joint });
  }
  return { lanes, specs };
}

const isUpper = (label: string) => label[0] >= 'A' && label[0] <= 'Z';

interface Lane { /** The label that names the lane, or the key of a sum. */ readonly root: string; readonly label?: string; readonly block: number; readonly lanes: number }

/** The lane axis of a label: stated by the signature (`x@y`), or carried in by an axis that has lanes already. */
function laneOfLabel(step: AnalysedStep, label: string, found: readonly Occurrence[], table: AxisTable, universe: (l: string) => Universe): Lane | undefined {
  for (const o of found) {
    const within = o.factors.find((f) => f.label === label)!.within;
    if (within !== undefined) return { root: universe(within).root, label: within, block: 1, lanes: universe(within).size };
  }
  for (const o of found) {
    const spec = table.laneSpecs.get(o.axis);
    if (!spec) continue;
    const token = tokensOf(step, o.entry)![spec.by];
    const key = axisKey(token);
    if (key === undefined) continue;
    const single = token.length === 1 ? token[0][0].label : undefined;
    const u = single === undefined ? { root: key, size: token.reduce((s, t) => s + step.sizes.get(t[0].label)!, 0) } : universe(single);
    if (spec.block > 1 && u.root !== single) continue;
    return { root: u.root, label: u.root === single ? single : undefined, block: spec.block, lanes: u.size / spec.block };
  }
  return undefined;
}

/** Where the lanes of a label are to be seen in the value of an occurrence: the axis that names them, and which they are. */
function locate(step: AnalysedStep, o: Occurrence, lane: Lane, universe: (l: string) => Universe): { by: number; block: number; lanes: number[] } | undefined {
  const tokens = tokensOf(step, o.entry)!;
  for (let by = 0; by < tokens.length; by++) {
    if (by === o.position) continue;
    const token = tokens[by];
    // `(g o@g)` names the lanes of an `i@g` elsewhere in the value by its outermost factor.
    if (token.length === 1 && token[0].length > 1 && token[0][0].label === lane.label && lane.block === 1) {
      return { by, block: token[0].slice(1).reduce((p, f) => p * step.sizes.get(f.label)!, 1), lanes: range(lane.lanes) };
    }
    const key = axisKey(token);
    if (key === undefined) continue;
    if (key === lane.root) return { by, block: lane.block, lanes: range(lane.lanes) };
    if (token.length !== 1 || lane.block !== 1) continue;
    const u = universe(token[0][0].label);
    if (u.root === lane.root) return { by, block: 1, lanes: range(step.sizes.get(token[0][0].label)!).map(u.lane) };
  }
  // An axis that was picked away (Gather with a single index) leaves one lane.
  const select = isFrozen(step.signature) ? {} : (step.signature.select ?? {});
  for (const [label, { at }] of Object.entries(select)) {
    const u = universe(label);
    if (at.length === 1 && u.root === lane.root && lane.block === 1 && o.entry >= step.inputs.length) return { by: -1, block: 1, lanes: [u.lane(0)] };
  }
  return undefined;
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/** `c` or `c0+c1` for an axis that is one label or a sum of them. */
const axisKey = (axis: Axis): string | undefined => (axis.length > 0 && axis.every((t) => t.length === 1) ? axis.map((t) => t[0].label).join('+') : undefined);

/** The widest axis that a label is a part of, and where in it the label's elements lie. */
function universes(step: AnalysedStep): (label: string) => Universe {
  const sums = new Map<string, { key: string; offset: number; total: number }>();
  for (let entry = 0; entry < step.inputs.length + step.outputs.length; entry++) {
    for (const axis of tokensOf(step, entry) ?? []) {
      const key = axisKey(axis);
      if (key === undefined || axis.length < 2) continue;
      let offset = 0;
      const total = axis.reduce((s, t) => s + step.sizes.get(t[0].label)!, 0);
      for (const [{ label }] of axis) {
        sums.set(label, { key, offset, total });
        offset += step.sizes.get(label)!;
      }
    }
  }
  const select = isFrozen(step.signature) ? undefined : step.signature.select;
  const of = (label: string): Universe => {
    const picked = select?.[label];
    if (picked) {
      const u = of(picked.of);
      return { root: u.root, size: u.size, lane: (i) => u.lane(picked.at[i]) };
    }
    const sum = sums.get(label);
    return sum ? { root: sum.key, size: sum.total, lane: (i) => i + sum.offset } : { root: label, size: step.sizes.get(label)!, lane: (i) => i };
  };
  return of;
}
