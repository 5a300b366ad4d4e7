import { defineScorer } from '@coppice/core';

/** Σg² of each unit over all batches, and how many batches that were. */
interface Squares { batches: number; readonly squares: Float64Array }

/**
 * √E‖g‖², the length of the gradient over all slices of a unit, as the root mean square over batches: how much training still wants to
 * change it, whatever its weights are. A control for `taylor` and `fisher`, which multiply by the weights.
 */
export const gradientNorm = defineScorer({
  name: 'gradient-norm',
  needs: ['gradients'],
  start: (units): Squares => ({ batches: 0, squares: new Float64Array(units.length) }),
  add(state, { unit, batch, gradients }) {
    let sum = 0;
    for (let k = 0; k < gradients.length; k++) sum += gradients[k] * gradients[k];
    state.squares[unit] += sum;
    state.batches = Math.max(state.batches, batch + 1);
  },
  finish: ({ batches, squares }) => squares.map((sum) => Math.sqrt(sum / Math.max(1, batches))),
});
