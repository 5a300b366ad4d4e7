import { toFloat32, type Constant, type Tensor } from '@coppice/graph';

/** Whole numbers up to this size are exact. */
const exact = BigInt(Number.MAX_SAFE_INTEGER);
/** What exporters write for "to the end" or "from the start": the largest and smallest int64, and the latter plus one. */
const [most, least] = [2n ** 63n - 1n, -(2n ** 63n) + 1n];

/**
 * The elements of a small tensor as numbers, float16 as the numbers their bits mean. The ends of int64, which mean "as far as there is"
 * in bounds of slices, become ±(2⁵³ − 1).
 * @returns undefined for other integers beyond ±(2⁵³ − 1), which a number does not hold exactly, and for strings and complex numbers
 */
export function numbersOf(tensor: Tensor): number[] | undefined {
  const { dtype, data } = tensor;
  if (dtype === 'float16' || dtype === 'bfloat16') return Array.from(toFloat32(tensor));
  if (dtype === 'string' || dtype.startsWith('complex') || /^float[468]e|^float6e|^float4e/.test(dtype)) return undefined;
  if (!(data instanceof BigInt64Array || data instanceof BigUint64Array)) return Array.from(data as ArrayLike<number>);
  const numbers: number[] = [];
  for (const element of data) {
    const end = element === most || element <= least;
    if (!end && (element > exact || element < -exact)) return undefined;
    numbers.push(end ? Math.sign(Number(element)) * Number.MAX_SAFE_INTEGER : Number(element));
  }
  return numbers;
}

/** Whether two constants are the same, NaN being equal to NaN. */
export const sameConstant = (a: Constant, b: Constant): boolean => sameNumbers(a.dims, b.dims) && sameNumbers(a.values, b.values);

export const sameNumbers = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((x, k) => x === b[k] || (Number.isNaN(x) && Number.isNaN(b[k])));
