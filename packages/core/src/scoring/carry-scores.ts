import { CoppiceError } from '@coppice/graph';
import type { Slice } from '../analysis/collect.ts';
import type { Units } from '../analysis/units.ts';

/**
 * Scores of the units that a cut has left, by their ids in the slim model: those that they had before. A unit is known again by its
 * weights: what a cut leaves of an axis moves together and keeps its order. Units that are alone in the slim model cannot be pruned and get 0.
 * @param removed ids in `units`
 * @throws CoppiceError `COPPICE_PLAN_INVALID` when `slim` is not the model of `units` without `removed`, and where the cut changed which of two factors of
 * an axis carries the units
 */
export function carryScores(units: Units, scores: ArrayLike<number>, removed: Iterable<number>, slim: Units): Float64Array {
  const gone = new Set(removed);
  const lines = new Map<string, Map<number, number>>();
  for (const { id, slices } of units.units) {
    for (const slice of slices) {
      const line = lines.get(keyOf(slice)) ?? new Map<number, number>();
      for (const index of slice.indices) line.set(index, id);
      lines.set(keyOf(slice), line);
    }
  }
  /** Unit of the original at each index that a line has in the slim model; undefined where no unit is. */
  const left = new Map([...lines].map(([key, line]) => {
    const kept = Array.from({ length: Math.max(...line.keys()) + 1 }, (_, index) => line.get(index)).filter((id) => id === undefined || !gone.has(id));
    return [key, kept] as const;
  }));
  const carried = new Float64Array(slim.units.length);
  for (const { name, lanes } of slim.groups) {
    for (const id of lanes.flat()) {
      // A slice that says at which index of another axis it lies is the last choice: that axis may have become shorter too.
      const plain = slim.units[id].slices.filter(({ at }) => at === undefined);
      const owners = new Set((plain.length > 0 ? plain : slim.units[id].slices).flatMap((slice) => slice.indices.map((index) => left.get(keyOf(slice))?.[index])));
      owners.delete(undefined);
      const [owner, ...others] = owners;
      if (owner === undefined || others.length > 0) {
        throw new CoppiceError('COPPICE_PLAN_INVALID', `The scores cannot be carried over: '${name}' of the slim model has units that are not parts of the original's. Score the slim model itself.`);
      }
      carried[id] = scores[owner];
    }
  }
  return carried;
}

/** What one mask cuts: an axis of an initializer, as a whole or at one place of other axes. */
const keyOf = ({ initializer, axis, at }: Slice): string => `${initializer}\n${axis}\n${JSON.stringify(at ?? {})}`;
