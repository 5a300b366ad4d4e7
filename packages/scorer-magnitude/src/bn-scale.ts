import { defineScorer, type SlicePlace, type UnitInfo } from '@coppice/core';
import { l1 } from './norms.ts';
import type { NearestSums } from './nearness.ts';

/** The scale of a norm, or the multiplication that exporters write behind a norm without one. */
const isScale = ({ role, operator, operand }: SlicePlace): boolean =>
  role === 'along' && (operator === 'Mul' || (/Norm(alization)?$/.test(operator) && /^(scale|gamma)$/i.test(operand)));

interface Scales { readonly scales: Float64Array; readonly weights: NearestSums }

/**
 * |γ|, the scale that a batch norm (or another norm) gives to a unit; summed where it has several. Liu et al. 2017, "Learning efficient
 * convolutional networks through network slimming", section 3. Where γ tells the units of a group not apart, because they have no norm
 * (an exporter folded it into the convolution) or one without scale, the group is judged as `l1` does.
 */
export const bnScale = defineScorer({
  name: 'bn-scale',
  needs: ['weights'],
  start: (units, context): Scales => ({ scales: new Float64Array(units.length), weights: l1.start(units, context) }),
  add({ scales, weights: state }, slice) {
    l1.add(state, slice);
    if (isScale(slice)) for (let k = 0; k < slice.weights.length; k++) scales[slice.unit] += Math.abs(slice.weights[k]);
  },
  finish({ scales, weights }, units) {
    const scores = Float64Array.from(l1.finish(weights, units));
    for (const group of Map.groupBy(units, (unit) => unit.group).values()) if (differ(scales, group)) for (const { id } of group) scores[id] = scales[id];
    return scores;
  },
});

const differ = (scales: Float64Array, group: readonly UnitInfo[]): boolean => group.some(({ id }) => scales[id] !== scales[group[0].id]);
