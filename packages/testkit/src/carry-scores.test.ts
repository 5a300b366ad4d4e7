import { nativeBackend } from '@coppice/backend-onnx';
import { carryScores, createRandom, cutModel, findUnits, traceModel, type Unit, type Units } from '@coppice/core';
import { describe, expect, it } from 'vitest';
import { randomPlan } from './prove.ts';
import { buildCase, randomRecipe } from './random-graph.ts';

const backend = nativeBackend();

/** Where the weights of a unit lie after a cut, by initializer and axis: an index moves down by the removed ones before it. Slices of single lanes are left out. */
function placesAfter(units: Units, { slices }: Unit, removed: readonly number[]): Map<string, Set<number>> {
  const plain = slices.filter(({ at }) => at === undefined);
  return new Map(plain.map(({ initializer, axis, indices }) => {
    const gone = new Set(removed.flatMap((id) => units.units[id].slices.filter((slice) => slice.initializer === initializer && slice.axis === axis).flatMap((slice) => slice.indices)));
    return [`${initializer}/${axis}`, new Set(indices.map((index) => index - [...gone].filter((other) => other < index).length))] as const;
  }));
}

describe('carryScores', () => {
  it('gives a unit of the slim model the score of the unit whose weights it has', async () => {
    let [compared, carriedOver, refused] = [0, 0, 0];
    for (let seed = 0; seed < 120; seed++) {
      const units = findUnits(await traceModel(buildCase(randomRecipe(seed)).model, backend, { seed }));
      const removed = randomPlan(units, createRandom(`carry/${seed}`));
      if (removed.length === 0) continue;
      const slim = findUnits(await traceModel(cutModel(units, removed), backend, { seed }));
      let carried: Float64Array;
      try {
        carried = carryScores(units, units.units.map(({ id }) => id + 1), removed, slim);
        carriedOver++;
      } catch (error) {
        // Which of two factors carries the units may depend on their sizes.
        expect(error).toMatchObject({ code: 'COPPICE_PLAN_INVALID' });
        refused++;
        continue;
      }
      for (const id of slim.groups.flatMap(({ lanes }) => lanes.flat())) {
        const there = placesAfter(units, units.units[carried[id] - 1], removed);
        for (const { initializer, axis, indices, at } of slim.units[id].slices) {
          const place = there.get(`${initializer}/${axis}`);
          if (at !== undefined || place === undefined) continue;
          // What tied a unit together may have gone, so it may be a part of what it was.
          expect(indices.filter((index) => !place.has(index)), `seed ${seed}, unit ${id}, ${initializer}`).toEqual([]);
          compared++;
        }
      }
    }
    expect(compared).toBeGreaterThan(1000);
    expect(refused).toBeLessThan(carriedOver / 4);
  });

  it('refuses a model that is not what the cut left', async () => {
    const units = findUnits(await traceModel(buildCase(randomRecipe(3)).model, backend));
    const removed = randomPlan(units, createRandom('other'));
    expect(removed.length).toBeGreaterThan(0);
    const other = findUnits(await traceModel(buildCase(randomRecipe(4)).model, backend));
    expect(() => carryScores(units, units.units.map(() => 1), removed, other)).toThrow(expect.objectContaining({ code: 'COPPICE_PLAN_INVALID' }));
  });
});
