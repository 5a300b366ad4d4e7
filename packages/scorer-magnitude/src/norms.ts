import { defineScorer } from '@coppice/core';
import { counts, nearnessOf, startSums } from './nearness.ts';

/** Σ|w| over the weights that make a unit. Li et al. 2017, "Pruning filters for efficient convnets", section 3.1. */
export const l1 = defineScorer({
  name: 'l1',
  needs: ['weights'],
  start: startSums,
  add(state, slice) {
    const { unit, weights } = slice;
    if (!counts(state, unit, nearnessOf(slice))) return;
    let sum = 0;
    for (let k = 0; k < weights.length; k++) sum += Math.abs(weights[k]);
    state.sums[unit] += sum;
  },
  finish: ({ sums }) => sums,
});

/** √Σw² over the weights that make a unit. He et al. 2018, "Soft filter pruning", section 3.2, with p = 2. */
export const l2 = defineScorer({
  name: 'l2',
  needs: ['weights'],
  start: startSums,
  add(state, slice) {
    const { unit, weights } = slice;
    if (counts(state, unit, nearnessOf(slice))) state.sums[unit] += sumOfSquares(weights);
  },
  finish: ({ sums }) => sums.map(Math.sqrt),
});

/** Σw², in double precision. */
export function sumOfSquares(weights: Float32Array): number {
  let sum = 0;
  for (let k = 0; k < weights.length; k++) sum += weights[k] * weights[k];
  return sum;
}
