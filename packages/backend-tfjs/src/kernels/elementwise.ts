import { dataTypeOf } from '@coppice/graph';
import { broadcast, broadcastDims, elements, isBig, isFloating, scalarOf, writable } from '../host/array.ts';
import { cast } from '../host/cast.ts';
import {
  add, arithmetic, binary, bits, compare, div, erf, floorMod, logic, map, max, min, mul, power, roundEven, sigmoid, softplus, sub, truncMod, unary, variadic, zip,
} from '../host/elementwise.ts';
import { ALL, BOOL, FLOAT, NUMBERS, type Computed, type DeviceCall, type Rows } from '../row.ts';
import { Value } from '../value.ts';
import { eachElement, fold, folded, lying, pairs, select, together } from './follow.ts';

/** A function of each element. */
const each = <A>(kernel: string, f: (x: number) => number, big?: (x: bigint) => bigint): Computed<A> => ({ host: unary(f, big), device: eachElement(kernel), kernels: [kernel] });

/** A comparison of each pair. */
const compared = <A>(kernel: string, f: (a: number | bigint | string, b: number | bigint | string) => boolean): Computed<A> =>
  ({ host: compare(f), device: pairs(kernel, 'bool'), kernels: [kernel], hostTakes: ALL });

const magnitude = (x: bigint): bigint => (x < 0n ? -x : x);
/** The sign of a product of 0 stays 0. */
const signOf = (x: bigint): bigint => (x > 0n ? 1n : x < 0n ? -1n : 0n);

/** A scalar operand that was read, as a number. */
const numberIn = (value: Value): number => scalarOf(value as Value & { data: Float32Array });

export const elementwise = {
  Abs: each('Abs', Math.abs, magnitude),
  Acos: each('Acos', Math.acos),
  Acosh: each('Acosh', Math.acosh),
  Asin: each('Asin', Math.asin),
  Asinh: each('Asinh', Math.asinh),
  Atan: each('Atan', Math.atan),
  Atanh: each('Atanh', Math.atanh),
  Ceil: each('Ceil', Math.ceil, (x) => x),
  Cos: each('Cos', Math.cos),
  Cosh: each('Cosh', Math.cosh),
  Erf: each('Erf', erf),
  Exp: each('Exp', Math.exp),
  Floor: each('Floor', Math.floor, (x) => x),
  Log: each('Log', Math.log),
  Neg: each('Neg', (x) => -x, (x) => -x),
  Reciprocal: each('Reciprocal', (x) => 1 / x),
  Relu: each('Relu', (x) => (x < 0 ? 0 : x), (x) => (x < 0n ? 0n : x)),
  Round: each('Round', roundEven),
  Sigmoid: each('Sigmoid', sigmoid),
  Sign: each('Sign', Math.sign, signOf),
  Sin: each('Sin', Math.sin),
  Sinh: each('Sinh', Math.sinh),
  Softplus: each('Softplus', softplus),
  Sqrt: each('Sqrt', Math.sqrt),
  Tan: each('Tan', Math.tan),
  Tanh: each('Tanh', Math.tanh),

  LeakyRelu: {
    host: ({ inputs: [x], attributes: { alpha } }) => [map(x, (a) => (a < 0 ? alpha * a : a))],
    device: eachElement('LeakyRelu', ({ alpha }) => ({ alpha })),
    kernels: ['LeakyRelu'],
  },
  Elu: {
    host: ({ inputs: [x], attributes: { alpha } }) => [map(x, (a) => (a < 0 ? alpha * Math.expm1(a) : a))],
    device: eachElement('Elu'),
    kernels: ['Elu'],
    deviceWhen: ({ attributes: { alpha } }) => alpha === 1,
  },
  /** x < 0 → slope·x, the slope broadcast from the last axis. Spec: PRelu-16. */
  PRelu: { host: ({ inputs: [x, slope] }) => [isBig(x.dtype) ? zip<bigint>(x, slope, x.dtype, (a, s) => (a < 0n ? a * s : a)) : zip<number>(x, slope, x.dtype, (a, s) => (a < 0 ? a * s : a))], device: prelu, kernels: ['Relu', 'Neg'] },
  IsNaN: { host: ({ inputs: [x] }) => [map(x, (a) => (Number.isNaN(a) ? 1 : 0), undefined, 'bool')], device: eachElement('IsNan', undefined, 'bool'), kernels: ['IsNan'] },
  IsInf: {
    host: ({ inputs: [x], attributes: { detect_negative, detect_positive } }) => [map(x, (a) => ((a === Infinity && detect_positive === 1) || (a === -Infinity && detect_negative === 1) ? 1 : 0), undefined, 'bool')],
    device: eachElement('IsInf', undefined, 'bool'),
    kernels: ['IsInf'],
    deviceWhen: ({ attributes: { detect_negative, detect_positive } }) => detect_negative === 1 && detect_positive === 1,
  },

  Add: { host: binary(add), device: pairs('Add'), kernels: ['Add'] },
  Sub: { host: binary(sub), device: pairs('Sub'), kernels: ['Sub'] },
  Mul: { host: binary(mul), device: pairs('Multiply'), kernels: ['Multiply'] },
  Div: { host: binary(div), device: pairs('RealDiv'), kernels: ['RealDiv'] },
  Pow: {
    host: ({ inputs: [a, b] }) => [power(a, b)],
    device: pow,
    kernels: ['Pow'],
    takes: [...FLOAT, 'int32', 'int64'],
    deviceWhen: ({ types: [base] }) => base === 'float32' || base === 'float16',
  },
  /** Floats only with `fmod`, integers with either sign. Spec: Mod-13. */
  Mod: { host: ({ inputs: [a, b], attributes: { fmod } }) => [arithmetic(a, b, fmod === 1 ? truncMod : floorMod)] },
  Max: { host: variadic(max), device: folded('Maximum'), kernels: ['Maximum'] },
  Min: { host: variadic(min), device: folded('Minimum'), kernels: ['Minimum'] },
  Sum: { host: variadic(add), device: folded('Add'), kernels: ['Add'] },
  Mean: {
    host: ({ inputs }) => [map(inputs.reduce((sum, x) => arithmetic(sum, x, add)), (x) => x / inputs.length)],
    device({ inputs, device }) {
      const sum = fold(device, 'Add', inputs);
      const mean = together(device, 'Multiply', sum, Value.host({ dtype: 'float32', dims: [], data: Float32Array.of(1 / inputs.length) }));
      sum.release();
      return [mean];
    },
    kernels: ['Add', 'Multiply'],
  },

  Equal: compared('Equal', (a, b) => a === b),
  Greater: compared('Greater', (a, b) => a > b),
  GreaterOrEqual: compared('GreaterEqual', (a, b) => a >= b),
  Less: compared('Less', (a, b) => a < b),
  LessOrEqual: compared('LessEqual', (a, b) => a <= b),
  And: { host: logic((a, b) => a & b), device: pairs('LogicalAnd'), kernels: ['LogicalAnd'], takes: BOOL },
  Or: { host: logic((a, b) => a | b), device: pairs('LogicalOr'), kernels: ['LogicalOr'], takes: BOOL },
  Xor: { host: logic((a, b) => a ^ b), takes: BOOL },
  Not: { host: ({ inputs: [x] }) => [map(x, (a) => 1 - a)], device: eachElement('LogicalNot'), kernels: ['LogicalNot'], takes: BOOL },
  BitwiseAnd: { host: bits((a, b) => a & b) },
  BitwiseOr: { host: bits((a, b) => a | b) },
  BitwiseXor: { host: bits((a, b) => a ^ b) },
  BitwiseNot: { host: ({ inputs: [x] }) => [map(x, (a) => ~a, (a) => ~a)] },
  BitShift: {
    host: ({ inputs: [a, b], attributes: { direction } }) => {
      const width = (a.data as Uint8Array).BYTES_PER_ELEMENT * 8;
      // A shift beyond the width leaves nothing, or the sign.
      const shift = (x: bigint, by: bigint): bigint => {
        const beyond = by < 0n || by >= BigInt(width);
        if (direction === 'LEFT') return beyond ? 0n : BigInt.asUintN(width, x << by);
        return x >> (beyond ? BigInt(width) : by);
      };
      return bits(shift)({ inputs: [a, b], attributes: {}, outputs: 1, wanted: [true] });
    },
  },

  Where: {
    host({ inputs: [condition, a, b] }) {
      const dims = broadcastDims(condition.dims, a.dims, b.dims);
      const [chosen, yes, no] = [condition, a, b].map((x) => broadcast(x, dims));
      const out = elements(a.dtype, chosen.data.length);
      const to = writable(out);
      for (let k = 0; k < chosen.data.length; k++) to[k] = (chosen.data[k] ? yes : no).data[k];
      return [{ dtype: a.dtype, dims, data: out }];
    },
    device: ({ inputs: [condition, a, b], device }) => [select(device, condition, a, b)],
    kernels: ['Select', 'Tile'],
    takes: [...FLOAT, ...BOOL],
    hostTakes: ALL,
  },

  /** A limit may be left out; where they contradict each other the upper one wins. Spec: Clip-13. */
  Clip: {
    host({ inputs: [x, low, high] }) {
      let result = x;
      if (low) result = arithmetic(result, low, max);
      if (high) result = arithmetic(result, high, min);
      return [result];
    },
    device({ inputs: [x, low, high], device }) {
      if (!low || !high) return [together(device, low ? 'Maximum' : 'Minimum', x, low ?? high)];
      const [from, to] = [numberIn(low), numberIn(high)];
      // The kernel of WebAssembly leaves its result uninitialised where the limits are equal or contradict each other.
      if (from >= to) {
        const above = together(device, 'Maximum', x, low);
        const result = together(device, 'Minimum', above, high);
        above.release();
        return [result];
      }
      return [Value.ordered(x.dtype, device.run('ClipByValue', { x: lying(x, device) }, { clipValueMin: from, clipValueMax: to }), x.order)];
    },
    kernels: ['ClipByValue'],
    reads: [1, 2],
    deviceWhen: ({ present }) => present[1] === true || present[2] === true,
  },

  Cast: {
    host: ({ inputs: [x], attributes: { to } }) => [cast(x, dataTypeOf(to))],
    device: ({ inputs: [x], attributes: { to }, device }) => [converted(x, dataTypeOf(to), device)],
    kernels: ['Cast', 'NotEqual'],
    takes: [...FLOAT, ...BOOL, 'int32', 'uint8', 'int8'],
    hostTakes: ALL,
    // Rounding to half floats and integers is exact in JavaScript only.
    deviceWhen: ({ attributes: { to }, types: [from] }) => ['float32', 'bool'].includes(dataTypeOf(to)) || (from === 'float16' && to === 10),
    refuse: ({ attributes: { to } }) => (NUMBERS.includes(dataTypeOf(to)) || dataTypeOf(to) === 'string' ? undefined : `there is no ${dataTypeOf(to)} here`),
  },
  CastLike: {
    host: ({ inputs: [x, like] }) => [cast(x, like.dtype)],
    device: ({ inputs: [x, like], device }) => [converted(x, like.dtype, device)],
    kernels: ['Cast', 'NotEqual'],
    takes: [...FLOAT, ...BOOL],
    hostTakes: ALL,
    deviceWhen: ({ types: [, to] }) => to === 'float32' || to === 'bool',
  },
} satisfies Rows;

/** relu(x) − slope·relu(−x): exact, as one of the two is 0. */
function prelu({ inputs: [x, slope], device }: DeviceCall<unknown>): Value[] {
  const here = lying(x, device);
  const positive = Value.ordered(x.dtype, device.run('Relu', { x: here }), x.order);
  const mirrored = device.run('Neg', { x: here });
  const negative = Value.ordered(x.dtype, device.consume(mirrored, (tensor) => device.run('Relu', { x: tensor })), x.order);
  const scaled = together(device, 'Multiply', negative, slope);
  const result = together(device, 'Sub', positive, scaled);
  for (const value of [positive, negative, scaled]) value.release();
  return [result];
}

/** Squares and roots are exact and fast; for everything else there is a kernel. */
function pow({ inputs: [x, exponent], device }: DeviceCall<unknown>): Value[] {
  if (exponent.data?.length === 1 && exponent.dims.length <= x.dims.length) {
    const power = Number(exponent.data[0]);
    if (power === 2) return [together(device, 'Multiply', x, x)];
    if (power === 0.5) return [Value.ordered(x.dtype, device.run('Sqrt', { x: lying(x, device) }), x.order)];
    if (power === 1) return [x.share()];
  }
  if (isFloating(exponent.dtype)) return [together(device, 'Pow', x, exponent)];
  const powers = Value.host(cast(exponent as Value & { data: Float32Array }, 'float32'));
  const result = together(device, 'Pow', x, powers);
  powers.release();
  return [result];
}

/** Bool from the comparison with 0: the cast of WebAssembly keeps raw bytes. */
function converted(x: Value, to: Value['dtype'], device: DeviceCall<unknown>['device']): Value {
  if (x.dtype === to) return x.share();
  const here = lying(x, device);
  if (to === 'bool') {
    const zero = here.dtype === 'int32' ? device.ints([0], []) : device.floats([0], []);
    return Value.ordered('bool', device.consume(zero, (tensor) => device.run('NotEqual', { a: here, b: tensor })), x.order);
  }
  if (here.dtype === 'float32') return Value.ordered(to, device.run('Identity', { x: here }), x.order);
  return Value.ordered(to, device.run('Cast', { x: here }, { dtype: 'float32' }), x.order);
}
