import type { Elements } from './elements.ts';

/** Sets of elements (by representative) in lanes: from each lane the same number must go. */
export interface Balance {
  /** The axis or label that demands it. */
  readonly axis: number;
  readonly lanes: readonly (readonly number[])[];
}

/**
 * The demands for equal numbers that laned axes make. Where an axis is divided into lanes in two ways, or a set of tied elements lies in
 * several lanes unequally, the lanes of the later demand are tied to one another, which fulfils it always.
 */
export function balance(elements: Elements): Balance[] {
  const { table } = elements;
  const demands = new Map<string, { axis: number; lanes: number }>();
  const demand = (axis: number, lanes: number) => {
    if (lanes > 1 && !elements.allFrozen(axis)) demands.set(`${elements.classOf(axis)}/${lanes}`, { axis, lanes });
  };
  for (const [axis, { lanes }] of table.laneSpecs) demand(axis, lanes);
  for (const step of table.analysed.steps) for (const [label, { lanes }] of elements.lanes.get(step) ?? []) demand(table.labelOf(step, label), lanes);
  for (;;) {
    const placeOf = new Map<number, Place>();
    const result: Balance[] = [];
    let collapsed = false;
    for (const { axis, lanes } of demands.values()) {
      const made = laneSets(elements, axis, lanes);
      if (made === undefined || !agrees(made, placeOf)) {
        elements.collapse(axis, elements.sizeOf(axis) / lanes);
        collapsed = true;
        break;
      }
      if (made.length === 0) continue;
      for (const sets of made) for (const set of sets) placeOf.set(set, sets);
      result.push({ axis, lanes: made });
    }
    if (!collapsed) return result;
  }
}

/** All sets that are in the same lane of a demand. */
type Place = readonly number[];

/** The prunable sets of each lane; an empty list when every set lies equally in all lanes; undefined when a set lies in some unequally. */
function laneSets(elements: Elements, axis: number, lanes: number): number[][] | undefined {
  const n = elements.sizeOf(axis) / lanes;
  const counts = new Map<number, number[]>();
  for (let lane = 0; lane < lanes; lane++) {
    for (let k = 0; k < n; k++) {
      if (elements.isFrozen(axis, lane * n + k)) continue;
      const set = elements.setOf(axis, lane * n + k);
      const count = counts.get(set) ?? Array.from({ length: lanes }, () => 0);
      count[lane]++;
      counts.set(set, count);
    }
  }
  const result: number[][] = Array.from({ length: lanes }, () => []);
  let equal = true;
  let weight: number | undefined;
  for (const [set, count] of counts) {
    if (count.every((c) => c === count[0])) continue;
    equal = false;
    const inhabited = count.flatMap((c, lane) => (c > 0 ? [lane] : []));
    if (inhabited.length !== 1) return undefined;
    weight ??= count[inhabited[0]];
    if (count[inhabited[0]] !== weight) return undefined;
    result[inhabited[0]].push(set);
  }
  return equal ? [] : result;
}

/**
 * A lane has the same sets as a lane of an earlier demand, or none that an earlier demand knows: equal numbers from wider lanes would not be
 * equal numbers from narrower ones.
 */
const agrees = (made: readonly (readonly number[])[], placeOf: ReadonlyMap<number, Place>): boolean => made.every((sets) => {
  const before = placeOf.get(sets[0]);
  return sets.every((set) => placeOf.get(set) === before) && (before === undefined || before.length === sets.length);
});
