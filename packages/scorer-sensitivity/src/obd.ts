import { defineScorer } from '@coppice/core';

/** Σ w²g² of each unit over all batches, and how many batches that were. */
interface Sums { batches: number; readonly sums: Float64Array }

/**
 * ½ Σ w²·E[g²] over the weights of a unit, E over batches: the rise in loss when the unit goes, with a diagonal Hessian. LeCun et al. 1990,
 * "Optimal brain damage", section 2 (h·u²/2), with the diagonal of the empirical Fisher matrix for that of the Hessian. Small batches come nearer to it.
 */
export const obd = defineScorer({
  name: 'obd',
  comparable: true,
  needs: ['weights', 'gradients'],
  start: (units): Sums => ({ batches: 0, sums: new Float64Array(units.length) }),
  add(state, { unit, batch, weights, gradients }) {
    let sum = 0;
    for (let k = 0; k < weights.length; k++) {
      const product = weights[k] * gradients[k];
      sum += product * product;
    }
    state.sums[unit] += sum;
    state.batches = Math.max(state.batches, batch + 1);
  },
  finish: ({ batches, sums }) => sums.map((sum) => sum / (2 * Math.max(1, batches))),
});
