import type { Emit, Size, Value } from '../emit.ts';
import { from } from './axes.ts';

/** Places 0, 1, … along an axis, int64 [size]. */
export function places(emit: Emit, size: Size): Value {
  if (typeof size === 'number') return emit.ints(from(0, size));
  const scalar = (n: number) => emit.ints([n], []);
  return emit.op('Range', [scalar(0), emit.squeeze(size, [0]), scalar(1)]);
}

/**
 * Zeros of some sizes, to which the parts of a value along one axis are added where `ids` says; equal ids add up.
 * @param sizes of the result
 * @param axis from the front
 * @param ids int64 [parts], whose negative elements count from the end
 * @param parts as the result, along `axis` of the length of `ids`
 */
export function scatterParts(emit: Emit, sizes: readonly Size[], axis: number, ids: Value, parts: Value): Value {
  const rank = sizes.length;
  const toFront = [axis, ...from(0, rank).filter((a) => a !== axis)];
  const back = from(0, rank).map((a) => toFront.indexOf(a));
  const zeros = emit.expand(emit.scalar(0), toFront.map((a) => sizes[a]));
  const scattered = emit.op('ScatterND', [zeros, emit.unsqueeze(ids, [1]), axis === 0 ? parts : emit.transpose(parts, toFront)], { reduction: 'add' });
  return axis === 0 ? scattered : emit.transpose(scattered, back);
}
