import { defineScorer } from '@coppice/core';

/** What one consumer makes of a unit: Σ|W| of its columns, and Σx² of what it read so far. */
interface Consumer { readonly weighted: boolean; readonly mass: number; squares: number }

/**
 * |W|·‖X‖₂ over the columns that read a unit, summed over its consumers: Sun et al. 2024, "A simple and effective pruning approach for large
 * language models", eq. 1, added up over a unit as in An et al. 2024, "Fluctuation-based adaptive structured pruning" (Wanda-sp).
 * ‖X‖₂ is that of all elements of the unit together. Where no consumer has weights (queries and keys), it is ‖X‖₂ alone.
 */
export const wanda = defineScorer({
  name: 'wanda',
  needs: ['weights', 'activations'],
  start: (units): Map<string, Consumer>[] => units.map(() => new Map()),
  add(consumers, { unit, initializer, operator, operand, weights, activations }) {
    const key = `${initializer}/${operator}/${operand}`;
    let consumer = consumers[unit].get(key);
    if (!consumer) consumers[unit].set(key, (consumer = { weighted: initializer !== '', mass: sumOfMagnitudes(weights), squares: 0 }));
    let squares = 0;
    for (let k = 0; k < activations.length; k++) squares += activations[k] * activations[k];
    consumer.squares += squares;
  },
  finish: (consumers) => Float64Array.from(consumers, (sites) => {
    const weighted = [...sites.values()].filter((site) => site.weighted);
    if (weighted.length > 0) return weighted.reduce((sum, { mass, squares }) => sum + mass * Math.sqrt(squares), 0);
    return Math.sqrt([...sites.values()].reduce((sum, { squares }) => sum + squares, 0));
  }),
});

function sumOfMagnitudes(weights: Float32Array): number {
  let sum = 0;
  for (let k = 0; k < weights.length; k++) sum += Math.abs(weights[k]);
  return sum;
}
