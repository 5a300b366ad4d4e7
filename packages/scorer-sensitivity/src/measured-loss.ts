import { defineScorer } from '@coppice/core';

/** The rise in loss of each unit over all batches, and how many batches that were. */
interface Sums { batches: number; readonly sums: Float64Array }

/**
 * How much the loss rises when a unit alone is masked, the mean over batches: measured, not estimated, and so the yardstick for the
 * other criteria. It takes a run of the model for each unit and batch. Where masking some unit makes the model better, all scores are
 * counted from the best of these, so that none is negative and the order stays.
 */
export const measuredLoss = defineScorer({
  name: 'measured-loss',
  comparable: true,
  needs: ['loss'],
  start: (units): Sums => ({ batches: 0, sums: new Float64Array(units.length) }),
  add(state, { unit, batch, loss }) {
    state.sums[unit] += loss;
    state.batches = Math.max(state.batches, batch + 1);
  },
  finish({ batches, sums }) {
    const least = sums.reduce((least, sum) => Math.min(least, sum), 0);
    return sums.map((sum) => (sum - least) / Math.max(1, batches));
  },
});
