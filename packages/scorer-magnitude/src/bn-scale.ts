import { defineScorer, type SlicePlace } from '@coppice/core';
import { counts, nearnessOf, startSums } from './nearness.ts';

const isNormScale = ({ operator, operand }: SlicePlace): boolean => /Norm(alization)?$/.test(operator) && /^(scale|gamma)$/i.test(operand);

/**
 * |γ|, the scale that a batch norm (or another norm) gives to a unit; summed where it has several. Liu et al. 2017, "Learning efficient
 * convolutional networks through network slimming", section 3. Units without a norm, e.g. because an exporter folded it into the
 * convolution, are judged as `l1` does; a group has norms for all its units or for none.
 */
export const bnScale = defineScorer({
  name: 'bn-scale',
  needs: ['weights'],
  start: startSums,
  add(state, slice) {
    const { unit, weights } = slice;
    if (!counts(state, unit, isNormScale(slice) ? 0 : 1 + nearnessOf(slice))) return;
    let sum = 0;
    for (let k = 0; k < weights.length; k++) sum += Math.abs(weights[k]);
    state.sums[unit] += sum;
  },
  finish: ({ sums }) => sums,
});
