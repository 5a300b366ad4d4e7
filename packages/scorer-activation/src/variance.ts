import { defineScorer } from '@coppice/core';

/** Number, mean and sum of squared distances from the mean, of all activations so far. */
interface Moments { count: number; mean: number; squares: number }

/**
 * Variance of what a consumer of a unit reads, over all elements, frames and items; the mean of that over its consumers. A unit that hardly varies
 * can be replaced by a bias. Polyak & Wolf 2015, "Channel-level acceleration of deep face representations", section III-A ("inbound pruning").
 */
export const variance = defineScorer({
  name: 'variance',
  needs: ['activations'],
  start: (units): Map<string, Moments>[] => units.map(() => new Map()),
  add(consumers, { unit, operator, operand, initializer, activations }) {
    if (activations.length === 0) return;
    const key = `${initializer}/${operator}/${operand}`;
    const moments = consumers[unit].get(key);
    if (moments) merge(moments, momentsOf(activations));
    else consumers[unit].set(key, momentsOf(activations));
  },
  finish: (consumers) => Float64Array.from(consumers, (sites) => [...sites.values()].reduce((sum, { squares, count }) => sum + squares / count, 0) / Math.max(1, sites.size)),
});

function momentsOf(values: Float32Array): Moments {
  let sum = 0;
  for (let k = 0; k < values.length; k++) sum += values[k];
  const mean = sum / values.length;
  let squares = 0;
  for (let k = 0; k < values.length; k++) squares += (values[k] - mean) * (values[k] - mean);
  return { count: values.length, mean, squares };
}

/** Chan, Golub & LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances": no cancellation, in any order. */
function merge(into: Moments, other: Moments): void {
  const count = into.count + other.count;
  const apart = other.mean - into.mean;
  into.squares += other.squares + (apart * apart * into.count * other.count) / count;
  into.mean += (apart * other.count) / count;
  into.count = count;
}
