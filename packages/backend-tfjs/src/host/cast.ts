import { bfloat16ToNumber, float16ToNumber, numberToBfloat16, numberToFloat16, type DataType } from '@coppice/graph';
import type { Host } from '../value.ts';
import { elements, isBig, isFloating } from './array.ts';

/** To the nearest number that a float type has; half floats are kept as such numbers. */
export function rounding(dtype: DataType): ((x: number) => number) | undefined {
  if (dtype === 'float16') return (x) => float16ToNumber(numberToFloat16(x));
  if (dtype === 'bfloat16') return (x) => bfloat16ToNumber(numberToBfloat16(x));
  return undefined;
}

/** Elements as another type: floats are cut towards zero, integers wrap round, anything but 0 is true, text is read and written. Spec: Cast-21. */
export function cast(x: Host, dtype: DataType): Host {
  if (x.dtype === dtype) return x;
  const { dims } = x;
  if (dtype === 'string') return { dtype, dims, data: Array.from(x.data as Float32Array, (value) => printed(value, x.dtype)) };
  if (x.dtype === 'string') return cast({ dtype: 'float64', dims, data: Float64Array.from(x.data as string[], readNumber) }, dtype);
  const count = x.data.length;
  const out = elements(dtype, count);
  if (isBig(dtype)) {
    const to = out as BigInt64Array;
    if (isBig(x.dtype)) for (let k = 0; k < count; k++) to[k] = x.data[k] as bigint;
    else for (let k = 0; k < count; k++) to[k] = whole(x.data[k] as number, dtype);
    return { dtype, dims, data: out };
  }
  const to = out as Float32Array;
  const from = isBig(x.dtype) && !isFloating(dtype) && dtype !== 'bool' ? BigInt64Array.from(x.data as BigInt64Array, (value) => BigInt.asIntN(32, value)) : x.data;
  const round = rounding(dtype);
  if (dtype === 'bool') for (let k = 0; k < count; k++) to[k] = Number(from[k]) === 0 ? 0 : 1;
  else if (round) for (let k = 0; k < count; k++) to[k] = round(Number(from[k]));
  else for (let k = 0; k < count; k++) to[k] = Number(from[k]);
  return { dtype, dims, data: out };
}

/** A float as a 64-bit integer; what does not fit becomes the limit, NaN the lowest, as processors do it. */
function whole(x: number, dtype: DataType): bigint {
  if (Number.isNaN(x)) return dtype === 'int64' ? -(2n ** 63n) : 0n;
  if (x >= 2 ** 63) return dtype === 'int64' ? 2n ** 63n - 1n : 2n ** 64n - 1n;
  return x <= -(2 ** 63) ? -(2n ** 63n) : BigInt(Math.trunc(x));
}

function printed(value: number | bigint, dtype: DataType): string {
  if (dtype === 'bool') return value ? '1' : '0';
  if (typeof value === 'bigint') return String(value);
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'INF' : '-INF';
  // The shortest digits that give the number back in its own precision.
  if (dtype === 'float32') for (let digits = 1; digits < 10; digits++) if (Math.fround(Number(value.toPrecision(digits))) === value) return String(Number(value.toPrecision(digits)));
  return String(value);
}

function readNumber(text: string): number {
  const word = text.trim().toLowerCase();
  if (/^[+-]?inf(inity)?$/.test(word)) return word.startsWith('-') ? -Infinity : Infinity;
  return Number(word);
}
