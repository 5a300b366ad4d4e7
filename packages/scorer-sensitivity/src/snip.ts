import { defineScorer } from '@coppice/core';

/** Σ|g·w| of each unit over all batches, and how many batches that were. */
interface Sums { batches: number; readonly sums: Float64Array }

/**
 * Σ|g·w| over the weights of a unit, the mean over batches: connection sensitivity, how fast the loss would change if each weight alone
 * were turned down. Lee et al. 2019, "SNIP: single-shot network pruning based on connection sensitivity", section 4.1, summed over a unit
 * and not divided by the total, which changes no order. Unlike `taylor`, weights that pull in opposite ways do not cancel.
 */
export const snip = defineScorer({
  name: 'snip',
  comparable: true,
  needs: ['weights', 'gradients'],
  start: (units): Sums => ({ batches: 0, sums: new Float64Array(units.length) }),
  add(state, { unit, batch, weights, gradients }) {
    let sum = 0;
    for (let k = 0; k < weights.length; k++) sum += Math.abs(weights[k] * gradients[k]);
    state.sums[unit] += sum;
    state.batches = Math.max(state.batches, batch + 1);
  },
  finish: ({ batches, sums }) => sums.map((sum) => sum / Math.max(1, batches)),
});
