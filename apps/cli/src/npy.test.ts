import { describe, expect, it } from 'vitest';
import { decodeNpy } from './npy.ts';
import { encodeNpy } from './testing/command-line.ts';

const cases = [
  ['<f4', 'float32', Float32Array.of(1.5, -2, 3, 4, 5, 6)],
  ['<f8', 'float64', Float64Array.of(1.5, -2, 3, 4, 5, 6)],
  ['<f2', 'float16', Uint16Array.of(0x3c00, 0, 1, 2, 3, 4)],
  ['<i8', 'int64', BigInt64Array.of(1n, -2n, 3n, 4n, 5n, 6n)],
  ['<i4', 'int32', Int32Array.of(1, -2, 3, 4, 5, 6)],
  ['|u1', 'uint8', Uint8Array.of(1, 2, 3, 4, 5, 255)],
  ['|i1', 'int8', Int8Array.of(1, -2, 3, 4, 5, 6)],
  ['|b1', 'bool', Uint8Array.of(1, 0, 1, 0, 0, 1)],
] as const;

describe('decodeNpy', () => {
  for (const version of [1, 2, 3]) {
    it.each(cases)(`reads %s in files of version ${version}`, (descr, dtype, data) => {
      expect(decodeNpy(encodeNpy(descr, [2, 3], data, { version }), 'x.npy')).toEqual({ dtype, dims: [2, 3], data });
    });
  }

  it('reads scalars, vectors and empty arrays', () => {
    expect(decodeNpy(encodeNpy('<f4', [], Float32Array.of(7)), 'x.npy')).toMatchObject({ dims: [], data: Float32Array.of(7) });
    expect(decodeNpy(encodeNpy('<f4', [2], Float32Array.of(7, 8)), 'x.npy')).toMatchObject({ dims: [2] });
    expect(decodeNpy(encodeNpy('<f4', [0, 3], new Float32Array(0)), 'x.npy')).toMatchObject({ dims: [0, 3] });
  });

  const good = encodeNpy('<f4', [2, 3], new Float32Array(6));
  const changed = (at: number, value: number): Uint8Array => Uint8Array.from(good, (byte, k) => (k === at ? value : byte));
  it.each([
    ['nothing', new Uint8Array(0), /first bytes/],
    ['another file', Buffer.from('RIFF....WAVEfmt '), /first bytes/],
    ['a version to come', changed(6, 4), /version 4/],
    ['a file that ends in its header', good.subarray(0, 40), /ends within its header/],
    ['a file that ends in its data', good.subarray(0, good.length - 1), /23 bytes of data, and float32\[2, 3\] needs 24/],
    ['data left over', Buffer.concat([good, Buffer.of(0)]), /25 bytes/],
    ['a broken header', changed(12, 0x21), /cannot be understood/],
    ['columns first', encodeNpy('<f4', [2, 3], new Float32Array(6), { order: 'True' }), /Fortran/],
    ['big-endian numbers', encodeNpy('>f4', [2, 3], new Float32Array(6)), /type '>f4'/],
    ['Python objects', encodeNpy('|O', [2], new Float32Array(2)), /type '\|O'/],
    ['strange booleans', encodeNpy('|b1', [2], Uint8Array.of(0, 2)), /neither 0 nor 1/],
  ])('refuses %s', (_, bytes, words) => {
    expect(() => decodeNpy(bytes, 'x.npy')).toThrow(expect.objectContaining({ code: 'COPPICE_INPUT_INVALID', message: expect.stringMatching(words) }));
  });
});
