import type { Balance } from './balance.ts';
import type { Elements } from './elements.ts';
import { isPosition } from '../structure/signature.ts';
import { isFrozen, type AnalysedStep } from './steps.ts';

/** Elements of one axis of one initializer, in the coordinates of the original file. `at` narrows the slice to one index of other axes. */
export interface Slice {
  readonly initializer: string;
  readonly axis: number;
  readonly indices: readonly number[];
  readonly at?: Readonly<Record<number, number>>;
}

/** The smallest set of parameter slices that can leave together. */
export interface Unit {
  readonly id: number;
  /** The elements that are this unit, by their representative. */
  readonly set: number;
  readonly slices: readonly Slice[];
  /** Names of the nodes that produce it, in the order of the graph. */
  readonly producers: readonly AnalysedStep[];
}

export const PRODUCED = 1;
export const CONSUMED = 2;

/**
 * Sets of tied elements that are units: something with parameters makes them, something reads them all, and none is frozen.
 * What only passes through (depthwise convolution, scale and bias) is neither.
 */
export function collectUnits(elements: Elements, lanes: readonly Balance[]): Unit[] {
  const { table } = elements;
  const { program } = table.analysed;
  const roles = new Uint8Array(elements.count);
  const producers = new Map<number, AnalysedStep[]>();
  for (const step of table.analysed.steps) {
    for (const [label, role] of rolesOf(elements, step)) {
      const id = table.labelOf(step, label);
      let last = -1;
      for (let k = 0; k < elements.sizeOf(id); k++) {
        const set = elements.setOf(id, k);
        if (set < 0 || set === last) continue;
        last = set;
        roles[set] |= role;
        if (role === PRODUCED && producers.get(set)?.at(-1) !== step) (producers.get(set) ?? producers.set(set, []).get(set)!).push(step);
      }
    }
  }
  const slices = new Map<number, Slice[]>();
  for (const { id, name, tensor } of program.values) {
    if (!tensor) continue;
    table.axesOf(id).forEach((axis, position) => {
      const length = table.lengths[axis];
      const spec = table.laneSpecs.get(axis);
      const bySet = new Map<string, { set: number; lane: number; indices: number[] }>();
      for (let k = 0; k < elements.sizeOf(axis); k++) {
        const set = elements.setOf(axis, k);
        if (set < 0 || roles[set] !== (PRODUCED | CONSUMED) || elements.isFrozen(axis, k)) continue;
        const lane = spec ? Math.floor(k / length) : 0;
        const key = `${set}/${lane}`;
        (bySet.get(key) ?? bySet.set(key, { set, lane, indices: [] }).get(key)!).indices.push(k % length);
      }
      for (const { set, lane, indices } of bySet.values()) {
        const list = slices.get(set) ?? slices.set(set, []).get(set)!;
        if (!spec || spec.lanes === 1) list.push({ initializer: name, axis: position, indices });
        else for (let r = 0; r < spec.block; r++) list.push({ initializer: name, axis: position, indices, at: { [spec.by]: lane * spec.block + r } });
      }
    });
  }
  const inLanes = new Set(lanes.flatMap(({ lanes: l }) => l.flat()));
  const units = [...slices].map(([set, list]) => ({ set, slices: list, producers: producers.get(set) ?? [] })).filter((u) => u.slices.length > 0 && (u.producers.length > 0 || inLanes.has(u.set)));
  return units.toSorted((a, b) => a.producers[0].step.index - b.producers[0].step.index || a.set - b.set).map((unit, id) => ({ ...unit, id }));
}

/** Which labels of a step are made from parameters, and which are read and gone. */
export function rolesOf(elements: Elements, step: AnalysedStep): Map<string, number> {
  const roles = new Map<string, number>();
  const { values } = elements.table.analysed.program;
  // Arithmetic on weights alone makes no units; whoever applies the result does.
  if (isFrozen(step.signature) || step.region || step.step.link || !step.outputs.some((id) => id >= 0 && values[id].tainted)) return roles;
  const seen = new Map<string, { data: boolean; parameter: boolean; out: boolean }>();
  const parameters = new Map<number, Set<string>>();
  for (const o of elements.table.occurrences(step)) {
    for (const { label } of o.factors) {
      const s = seen.get(label) ?? seen.set(label, { data: false, parameter: false, out: false }).get(label)!;
      if (o.entry >= step.inputs.length) s.out = true;
      else if (values[step.inputs[o.entry]].tainted) s.data = true;
      else {
        s.parameter = true;
        (parameters.get(o.entry) ?? parameters.set(o.entry, new Set()).get(o.entry)!).add(label);
      }
    }
  }
  const isRead = (label: string) => !isPosition(label) && seen.get(label)!.data && !seen.get(label)!.out;
  // A recurrent layer makes its hidden units although their initial state is data: some weight leads to them from what is read.
  const isMade = (label: string) => [...parameters.values()].some((labels) => labels.has(label) && [...labels].some(isRead));
  for (const [label, { data, parameter, out }] of seen) {
    if (out && parameter && (!data || isMade(label))) roles.set(label, PRODUCED);
    else if (isRead(label)) roles.set(label, CONSUMED);
  }
  return roles;
}
