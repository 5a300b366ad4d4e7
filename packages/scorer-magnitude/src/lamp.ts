import { defineScorer } from '@coppice/core';
import { counts, nearnessOf, startSums } from './nearness.ts';
import { sumOfSquares } from './norms.ts';

/**
 * ‖w‖² of a unit over that of all units of its group which are at least as large, itself included: the share of the layer that would be lost if
 * it went after all smaller ones. Scores of all layers can be compared, and the largest unit of each has 1, so that no layer goes altogether.
 * Lee et al. 2021, "Layer-adaptive sparsity for the magnitude-based pruning", eq. 1, with units in place of single weights.
 */
export const lamp = defineScorer({
  name: 'lamp',
  comparable: true,
  needs: ['weights'],
  start: startSums,
  add(state, slice) {
    if (counts(state, slice.unit, nearnessOf(slice))) state.sums[slice.unit] += sumOfSquares(slice.weights);
  },
  finish({ sums }, units) {
    const scores = new Float64Array(units.length);
    for (const group of Map.groupBy(units, (unit) => unit.group).values()) {
      let left = 0;
      for (const { id } of group.toSorted((a, b) => sums[b.id] - sums[a.id] || a.id - b.id)) {
        left += sums[id];
        scores[id] = left === 0 ? 0 : sums[id] / left;
      }
    }
    return scores;
  },
});
