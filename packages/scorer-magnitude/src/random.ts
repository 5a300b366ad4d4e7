import { createRandom, defineScorer } from '@coppice/core';

/**
 * A uniform random number in [0, 1) for each unit, the same for the same seed: the baseline that a criterion must beat
 * (Mittal et al. 2018, "Recovering from random pruning", find that few do by much).
 */
export const random = defineScorer({
  name: 'random',
  comparable: true,
  needs: [],
  start(units, { seed }) {
    const numbers = createRandom(`${seed}/scorer/random`);
    return Float64Array.from(units, () => numbers.uniform());
  },
  add() {},
  finish: (scores) => scores,
});
