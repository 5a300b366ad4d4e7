import type { NamedTensors } from '@coppice/core';
import { toFloat32, type Tensor } from '@coppice/graph';

/** How far a result may be from what is expected: |difference| ≤ absolute + relative · |expected|, for integers and truth values not at all. */
export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

/** A tolerance relative to the largest magnitude of a tensor, at least 1: small results of large terms are rounded like the terms. */
export function ofScale(expected: Tensor, tolerance: number): Tolerance {
  let scale = 1;
  const values = isFloating(expected) ? (numbersOf(expected) as ArrayLike<number>) : [];
  for (let k = 0; k < values.length; k++) if (Number.isFinite(values[k])) scale = Math.max(scale, Math.abs(values[k]));
  return { absolute: tolerance * scale, relative: 0 };
}

/** What is the first and the worst difference between two tensors, in words; undefined when there is none. NaN equals NaN. */
export function differenceOf(expected: Tensor, actual: Tensor | undefined, { absolute, relative }: Tolerance): string | undefined {
  if (actual === undefined) return 'is missing';
  if (actual.dtype !== expected.dtype) return `is ${actual.dtype} instead of ${expected.dtype}`;
  if (actual.dims.join() !== expected.dims.join()) return `has the shape [${actual.dims.join(', ')}] instead of [${expected.dims.join(', ')}]`;
  if (actual.data.length !== expected.data.length) return `holds ${actual.data.length} elements instead of ${expected.data.length}`;
  const [wanted, got] = [numbersOf(expected), numbersOf(actual)];
  const floating = isFloating(expected);
  let [worst, at, wrong] = [-1, -1, 0];
  for (let k = 0; k < wanted.length; k++) {
    if (Object.is(wanted[k], got[k]) || wanted[k] === got[k]) continue;
    const difference = floating ? Math.abs((wanted[k] as number) - (got[k] as number)) : Infinity;
    if (floating && difference <= absolute + relative * Math.abs(wanted[k] as number)) continue;
    wrong++;
    const rank = Number.isNaN(difference) ? Infinity : difference;
    if (rank > worst) [worst, at] = [rank, k];
  }
  if (wrong === 0) return undefined;
  return `is ${got[at]} instead of ${wanted[at]} at [${indexOf(expected.dims, at).join(', ')}], and differs in ${wrong} of ${wanted.length} elements`;
}

/** The first output that differs, in words. Outputs that are not expected are ignored. */
export function firstDifference(expected: NamedTensors, actual: NamedTensors, tolerance: (expected: Tensor) => Tolerance): string | undefined {
  for (const [name, tensor] of Object.entries(expected)) {
    const difference = differenceOf(tensor, actual[name], tolerance(tensor));
    if (difference !== undefined) return `output '${name}' ${difference}`;
  }
  return undefined;
}

/** Bit for bit the same. */
export const exact: Tolerance = { absolute: 0, relative: 0 };

const isFloating = ({ dtype }: Tensor): boolean => dtype.startsWith('float') || dtype === 'bfloat16' || dtype.startsWith('complex');

/** Elements as numbers, bigints or strings that can be compared. */
const numbersOf = (tensor: Tensor): ArrayLike<number | bigint | string> =>
  (isFloating(tensor) && tensor.dtype !== 'float32' && tensor.dtype !== 'float64' ? toFloat32(tensor) : tensor.data);

function indexOf(dims: readonly number[], place: number): number[] {
  const index = dims.map(() => 0);
  for (let axis = dims.length - 1, rest = place; axis >= 0; axis--) {
    index[axis] = rest % dims[axis];
    rest = Math.floor(rest / dims[axis]);
  }
  return index;
}
