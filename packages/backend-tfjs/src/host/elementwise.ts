import type { DataType } from '@coppice/graph';
import type { HostRow } from '../row.ts';
import type { Host } from '../value.ts';
import { broadcastDims, broadcastStrides, elements, isBig, isFloating, sizeOf, strided, writable } from './array.ts';

type Numeric = Float32Array;
type Big = BigInt64Array;

/** f of every element. `big` is for 64-bit integers; without it they are refused. */
export function map(x: Host, f: (a: number) => number, big?: (a: bigint) => bigint, dtype: DataType = x.dtype): Host {
  const out = elements(dtype, x.data.length);
  if (isBig(x.dtype)) {
    if (!big) throw new Error(`it is not computed for ${x.dtype}`);
    const [from, to] = [x.data as Big, out as Big];
    for (let k = 0; k < from.length; k++) to[k] = big(from[k]);
  } else {
    const [from, to] = [x.data as Numeric, out as Numeric];
    for (let k = 0; k < from.length; k++) to[k] = f(from[k]);
  }
  return { dtype, dims: x.dims, data: out };
}

/** f of every pair of elements that broadcasting makes; elements are numbers, bigints or text, whatever the operands hold. */
export function zip<T extends number | bigint | string>(a: Host, b: Host, dtype: DataType, f: (a: T, b: T) => number | bigint | boolean): Host {
  const same = a.dims.length === b.dims.length && a.dims.every((size, k) => size === b.dims[k]);
  const dims = same ? a.dims : broadcastDims(a.dims, b.dims);
  const [from, with_] = same ? [a, b] : [strided(a, dims, broadcastStrides(a.dims, dims)), strided(b, dims, broadcastStrides(b.dims, dims))];
  const count = sizeOf(dims);
  const out = elements(dtype, count);
  const [x, y, to] = [from.data as unknown as ArrayLike<T>, with_.data as unknown as ArrayLike<T>, writable(out)];
  for (let k = 0; k < count; k++) to[k] = f(x[k], y[k]) as number;
  return { dtype, dims, data: out };
}

/** Arithmetic on the common type of two operands. */
interface Arithmetic {
  readonly float: (a: number, b: number) => number;
  /** Integers of up to 32 bits; what does not fit wraps round when it is stored. Default: as floats. */
  readonly int?: (a: number, b: number) => number;
  readonly big: (a: bigint, b: bigint) => bigint;
}

export const arithmetic = (a: Host, b: Host, { float, int = float, big }: Arithmetic): Host =>
  (isBig(a.dtype) ? zip<bigint>(a, b, a.dtype, big) : zip<number>(a, b, a.dtype, isFloating(a.dtype) ? float : int));

export const add: Arithmetic = { float: (a, b) => a + b, big: (a, b) => a + b };
export const sub: Arithmetic = { float: (a, b) => a - b, big: (a, b) => a - b };
export const mul: Arithmetic = { float: (a, b) => a * b, int: Math.imul, big: (a, b) => a * b };
/** Integers are cut towards zero; a division by zero gives 0. Spec: Div-14. */
export const div: Arithmetic = { float: (a, b) => a / b, int: (a, b) => (b === 0 ? 0 : Math.trunc(a / b)), big: (a, b) => (b === 0n ? 0n : a / b) };
export const max: Arithmetic = { float: (a, b) => Math.max(a, b), big: (a, b) => (a > b ? a : b) };
export const min: Arithmetic = { float: (a, b) => Math.min(a, b), big: (a, b) => (a < b ? a : b) };
/** The sign of the divisor. Spec: Mod-13, fmod = 0. */
export const floorMod: Arithmetic = {
  float: (a, b) => {
    const rest = a % b;
    return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
  },
  int: (a, b) => (b === 0 ? 0 : ((a % b) + b) % b),
  big: (a, b) => (b === 0n ? 0n : ((a % b) + b) % b),
};
/** The sign of the dividend. Spec: Mod-13, fmod = 1. */
export const truncMod: Arithmetic = { float: (a, b) => a % b, int: (a, b) => (b === 0 ? 0 : a % b), big: (a, b) => (b === 0n ? 0n : a % b) };
/** uint32 products do not fit a double. */
const unsignedMul = (a: number, b: number): number => Math.imul(a, b) >>> 0;

/** The row of arithmetic on two operands. */
export const binary = <A>(rule: Arithmetic): HostRow<A> => ({ inputs: [a, b] }) => [arithmetic(a, b, a.dtype === 'uint32' && rule === mul ? { ...rule, int: unsignedMul } : rule)];
/** The same from the left over any number of operands. */
export const variadic = <A>(rule: Arithmetic): HostRow<A> => ({ inputs }) => [inputs.reduce((sum, x) => arithmetic(sum, x, rule))];

export const unary = <A>(f: (x: number) => number, big?: (x: bigint) => bigint): HostRow<A> => ({ inputs: [x] }) => [map(x, f, big)];
export const compare = <A>(f: (a: number | bigint | string, b: number | bigint | string) => boolean): HostRow<A> => ({ inputs: [a, b] }) => [zip(a, b, 'bool', f)];
export const logic = <A>(f: (a: number, b: number) => number): HostRow<A> => ({ inputs: [a, b] }) => [zip<number>(a, b, 'bool', f)];
/** Bits of integers of any width. */
export const bits = <A>(f: (a: bigint, b: bigint) => bigint): HostRow<A> => ({ inputs: [a, b] }) =>
  [isBig(a.dtype) ? zip<bigint>(a, b, a.dtype, f) : zip<number>(a, b, a.dtype, (x, y) => Number(f(BigInt(x), BigInt(y))))];

/** The result has the type of the base, the exponent may have another. Spec: Pow-15. */
export function power(base: Host, exponent: Host): Host {
  if (!isBig(base.dtype)) {
    const powers: Host = isBig(exponent.dtype) ? { dtype: 'float64', dims: exponent.dims, data: Float64Array.from(exponent.data as Big, Number) } : exponent;
    return zip<number>(base, powers, base.dtype, (a, b) => a ** b);
  }
  if (isBig(exponent.dtype)) return zip<bigint>(base, exponent, base.dtype, (a, b) => (b < 0n ? (a === 1n ? 1n : a === -1n ? (b % 2n ? -1n : 1n) : 0n) : a ** b));
  const bases: Host = { dtype: 'float64', dims: base.dims, data: Float64Array.from(base.data as Big, Number) };
  const result = zip<number>(bases, exponent, 'float64', (a, b) => a ** b);
  return { ...result, dtype: base.dtype, data: BigInt64Array.from(result.data as Float64Array, (x) => BigInt(Math.trunc(x))) };
}

/** To nearest, halves to even. */
export function roundEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest < 0.5) return floor;
  if (rest > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The error function to double precision: a Taylor series within ±2, a continued fraction beyond. Abramowitz & Stegun 1964, 7.1.5 and 7.1.14. */
export function erf(x: number): number {
  const z = Math.abs(x);
  if (Number.isNaN(x)) return x;
  if (z > 6) return Math.sign(x);
  if (z < 2) {
    let [sum, term] = [z, z];
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum) && n < 200; n++) {
      term *= -(z * z) / n;
      sum += term / (2 * n + 1);
    }
    return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n >= 1; n--) fraction = (n / 2) / (z + fraction);
  return Math.sign(x) * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + fraction));
}

/** log(1 + e^x) without overflow. */
export const softplus = (x: number): number => (x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x)));
export const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
