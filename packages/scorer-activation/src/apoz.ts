import { defineScorer } from '@coppice/core';

/**
 * Share of activations that are not zero: 1 − APoZ, the average percentage of zeros. Hu et al. 2016, "Network trimming", eq. 1. Says
 * something only behind functions that give zeros, such as ReLU; elsewhere all units have 1.
 */
export const apoz = defineScorer({
  name: 'apoz',
  comparable: true,
  needs: ['activations'],
  start: (units) => ({ alive: new Float64Array(units.length), counts: new Float64Array(units.length) }),
  add({ alive, counts }, { unit, activations }) {
    let zeros = 0;
    for (let k = 0; k < activations.length; k++) if (activations[k] === 0) zeros++;
    alive[unit] += activations.length - zeros;
    counts[unit] += activations.length;
  },
  finish: ({ alive, counts }) => alive.map((count, unit) => (counts[unit] === 0 ? 0 : count / counts[unit])),
});
