import { at, axisOf, build, type Array64 } from './array64.ts';
import type { EagerRows } from './row.ts';

/** The element of a scale or zero point that belongs to an index: one for all, or one for each place of an axis. */
const shared = (v: Array64, index: readonly number[], axis: number): number => (v.data.length === 1 ? v.data[0] : at(v, [index[axisOf(axis, index.length)]]));

export const quantise = {
  DequantizeLinear([x, scale, zero], { axis, block_size }) {
    if (block_size !== 0) throw new Error('the eager DequantizeLinear has no blocks');
    return [build(x.shape, (index) => (at(x, index) - (zero ? shared(zero, index, axis) : 0)) * shared(scale, index, axis))];
  },
} satisfies EagerRows;
