import type { Balance } from './balance.ts';
import type { Unit } from './collect.ts';
import type { Elements } from './elements.ts';
import { nameOf } from './names.ts';
import type { AnalysedStep } from './steps.ts';

export type GroupKind = 'channels' | 'hidden units' | 'heads' | 'neurons' | 'embedding';

/** All units of one structural kind: what a person calls the width of a layer. */
export interface Group {
  readonly name: string;
  readonly kind: GroupKind;
  /** Ids of its units, by lane; from each lane the same number goes. */
  readonly lanes: readonly (readonly number[])[];
  /** Elements of the widest axis that the group is the width of, e.g. 32 channels. */
  readonly producers: readonly string[];
}

/** Units whose slices look alike (same initializers, axes, counts), and those bound by lanes, form a group. Single units make none. */
export function formGroups(elements: Elements, units: readonly Unit[], balances: readonly Balance[]): Group[] {
  const parent = new Map<string, string>();
  const find = (key: string): string => {
    const up = parent.get(key);
    return up === undefined || up === key ? key : find(up);
  };
  const keys = units.map((unit) => unit.slices.map((s) => `${s.initializer}/${s.axis}/${s.indices.length}`).join(' '));
  const unitOfSet = new Map(units.map((u) => [u.set, u.id]));
  const laneOf = new Map<number, number>();
  for (const { lanes } of balances) {
    let first: string | undefined;
    lanes.forEach((sets, lane) => sets.forEach((set) => {
      const unit = unitOfSet.get(set);
      if (unit === undefined) return;
      laneOf.set(unit, lane);
      first ??= find(keys[unit]);
      parent.set(find(keys[unit]), find(first));
    }));
  }
  const members = new Map<string, number[]>();
  units.forEach((unit, k) => (members.get(find(keys[k])) ?? members.set(find(keys[k]), []).get(find(keys[k]))!).push(unit.id));
  const taken = new Map<string, number>();
  const groups: Group[] = [];
  for (const ids of members.values()) {
    const lanes = new Map<number, number[]>();
    for (const id of ids) (lanes.get(laneOf.get(id) ?? 0) ?? lanes.set(laneOf.get(id) ?? 0, []).get(laneOf.get(id) ?? 0)!).push(id);
    const laneCount = Math.max(...balances.filter((b) => b.lanes.some((sets) => sets.some((set) => ids.includes(unitOfSet.get(set) ?? -1)))).map((b) => b.lanes.length), 1);
    const usable = [...lanes.values()].every((l) => l.length > 1) && lanes.size === laneCount;
    if (!usable) continue;
    const steps = producersOf(units, ids);
    const base = nameOf(steps[0], elements.table.analysed.program.values);
    const count = taken.get(base) ?? 0;
    taken.set(base, count + 1);
    groups.push({
      name: count === 0 ? base : `${base}#${count + 1}`,
      kind: kindOf(elements, units[ids[0]], steps[0]),
      lanes: [...lanes].toSorted(([a], [b]) => a - b).map(([, l]) => l),
      producers: steps.map((s) => nameOf(s, elements.table.analysed.program.values)),
    });
  }
  return groups;
}

function producersOf(units: readonly Unit[], ids: readonly number[]): AnalysedStep[] {
  const steps = new Set(units[ids[0]].producers);
  return [...steps];
}

function kindOf(elements: Elements, unit: Unit, step: AnalysedStep): GroupKind {
  const { op } = step.step.node;
  if (/Conv/.test(op)) return 'channels';
  if (/LSTM|GRU|RNN/.test(op)) return 'hidden units';
  if (/Gather|Embed/.test(op)) return 'embedding';
  return unit.slices.some((s) => s.indices.length > 1 && consecutive(s.indices)) && readByProduct(elements, unit) ? 'heads' : 'neurons';
}

const consecutive = (indices: readonly number[]) => indices.every((v, k) => k === 0 || v === indices[k - 1] + 1);

/** Whether the unit is an index of a product of two activations. */
function readByProduct(elements: Elements, unit: Unit): boolean {
  const { table } = elements;
  return table.analysed.steps.some((step) => {
    const { values } = table.analysed.program;
    if (!('macs' in step.signature) || step.signature.macs === undefined || step.inputs.filter((id) => id >= 0 && values[id].tainted).length < 2) return false;
    return table.occurrences(step).some((o) => o.entry >= step.inputs.length && o.factors.length === 1 && elements.sizeOf(o.axis) <= 4096 && hasSet(elements, o.axis, unit.set));
  });
}

function hasSet(elements: Elements, axis: number, set: number): boolean {
  for (let k = 0; k < elements.sizeOf(axis); k++) if (elements.setOf(axis, k) === set) return true;
  return false;
}
