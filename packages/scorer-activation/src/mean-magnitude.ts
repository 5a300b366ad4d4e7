import { defineScorer } from '@coppice/core';

/**
 * Mean |a| of what the consumers of a unit read, over all elements, frames and items. Molchanov et al. 2017, "Pruning convolutional
 * neural networks for resource efficient inference", section 2.2 ("activation").
 */
export const meanMagnitude = defineScorer({
  name: 'mean-magnitude',
  needs: ['activations'],
  start: (units) => ({ sums: new Float64Array(units.length), counts: new Float64Array(units.length) }),
  add({ sums, counts }, { unit, activations }) {
    let sum = 0;
    for (let k = 0; k < activations.length; k++) sum += Math.abs(activations[k]);
    sums[unit] += sum;
    counts[unit] += activations.length;
  },
  finish: ({ sums, counts }) => sums.map((sum, unit) => (counts[unit] === 0 ? 0 : sum / counts[unit])),
});
