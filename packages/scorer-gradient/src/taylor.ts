import { defineScorer } from '@coppice/core';

/**
 * First-order Taylor: |Σ g·w| over a unit's slices and all batches, the loss that leaves with it when the loss is taken for linear.
 * Molchanov et al. 2019, "Importance estimation for neural network pruning", eq. 8, its square root.
 */
export const taylor = defineScorer({
  name: 'taylor',
  comparable: true,
  needs: ['weights', 'gradients'],
  start: (units) => new Float64Array(units.length),
  add(sums, { unit, weights, gradients }) {
    for (let k = 0; k < weights.length; k++) sums[unit] += weights[k] * gradients[k];
  },
  finish: (sums) => sums.map(Math.abs),
});
