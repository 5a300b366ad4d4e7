import { describe, expect, it } from 'vitest';
import { fromFloat32, numberToBfloat16, toFloat32 } from './float-formats.ts';

const everyCode = Uint16Array.from({ length: 65536 }, (_, code) => code);

describe('float16', () => {
  it('agrees with the engine on each of its values', () => {
    const reference = new Float16Array(everyCode.buffer);
    const values = toFloat32({ dtype: 'float16', dims: [65536], data: everyCode });
    for (const code of everyCode) expect(Object.is(values[code], reference[code])).toBe(true);
  });

  it('rounds to the nearest value, ties to even, also among subnormals and into infinity', () => {
    const values = toFloat32({ dtype: 'float16', dims: [65536], data: everyCode }).subarray(0, 0x7c00);
    const between = Float32Array.from(values.subarray(1), (value, k) => (value + values[k]) / 2);
    const nudged = [...between].flatMap((value) => [value, value * (1 + 2 ** -22), value * (1 - 2 ** -22), -value]);
    const samples = Float32Array.from([...nudged, 65519.99, 65520, 1e9, -1e-9, 0, -0, Infinity, -Infinity]);
    const reference = new Uint16Array(Float16Array.from(samples).buffer);
    expect(fromFloat32(samples, 'float16')).toEqual(reference);
  });
});

describe('bfloat16', () => {
  it('comes back unchanged from float32', () => {
    const numbersOnly = everyCode.filter((code) => (code & 0x7fff) <= 0x7f80);
    expect(fromFloat32(toFloat32({ dtype: 'bfloat16', dims: [numbersOnly.length], data: numbersOnly }), 'bfloat16')).toEqual(numbersOnly);
  });

  it.each([
    ['a tie down to even', 1 + 2 ** -8, 0x3f80],
    ['a tie up to even', 1 + 3 * 2 ** -8, 0x3f82],
    ['just above a tie up', 1 + 2 ** -8 + 2 ** -20, 0x3f81],
    ['the largest float32 to infinity', 3.4028234663852886e38, 0x7f80],
    ['a negative subnormal', -(2 ** -133), 0x8001],
  ])('rounds %s', (_, value, bits) => {
    expect(numberToBfloat16(value)).toBe(bits);
  });
});

describe('toFloat32', () => {
  it('keeps NaN in both 16-bit formats', () => {
    for (const dtype of ['float16', 'bfloat16'] as const) {
      expect(toFloat32({ dtype, dims: [1], data: fromFloat32(Float32Array.of(Number.NaN), dtype) })).toEqual(Float32Array.of(Number.NaN));
    }
  });

  it('takes integers and booleans', () => {
    expect(toFloat32({ dtype: 'int64', dims: [2], data: BigInt64Array.of(-3n, 4n) })).toEqual(Float32Array.of(-3, 4));
    expect(toFloat32({ dtype: 'bool', dims: [2], data: Uint8Array.of(0, 1) })).toEqual(Float32Array.of(0, 1));
  });

  it('refuses what float32 cannot stand for', () => {
    expect(() => toFloat32({ dtype: 'string', dims: [1], data: ['a'] })).toThrow(expect.objectContaining({ code: 'COPPICE_UNSUPPORTED_TYPE' }));
    expect(() => fromFloat32(Float32Array.of(1), 'int8')).toThrow(expect.objectContaining({ code: 'COPPICE_UNSUPPORTED_TYPE' }));
  });
});
