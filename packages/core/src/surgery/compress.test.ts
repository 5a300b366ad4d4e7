import { describe, expect, it } from 'vitest';
import { compress, type AxisKept } from './compress.ts';

/** The slow, obvious way: one element at a time. */
function slowly(values: readonly number[], dims: readonly number[], cuts: readonly AxisKept[]): number[] {
  const result: number[] = [];
  values.forEach((value, flat) => {
    let rest = flat;
    const at = dims.map((_, a) => dims.slice(a + 1).reduce((p, n) => p * n, 1)).map((stride, a) => {
      const index = Math.floor(rest / stride) % dims[a];
      rest -= index * stride;
      return index;
    });
    const stays = cuts.every(({ axis, indices, by, block = 1 }) => indices[by === undefined || indices.length === 1 ? 0 : Math.floor(at[by] / block)].includes(at[axis]));
    if (stays) result.push(value);
  });
  return result;
}

const check = (dims: readonly number[], cuts: readonly AxisKept[], Words: typeof Float32Array | typeof Uint8Array | typeof Float64Array) => {
  const values = Array.from({ length: dims.reduce((p, n) => p * n, 1) }, (_, k) => k % 251);
  const data = Words.from(values);
  const result = compress(new Uint8Array(data.buffer), dims, Words.BYTES_PER_ELEMENT, cuts);
  expect([...new Words(result.buffer as ArrayBuffer)]).toEqual(slowly(values, dims, cuts));
};

describe('compress', () => {
  for (const Words of [Float32Array, Uint8Array, Float64Array]) {
    it(`cuts any axis of a tensor (${Words.name})`, () => {
      for (const axis of [0, 1, 2]) check([5, 4, 7], [{ axis, indices: [[0, 2, 3]] }], Words);
    });

    it(`cuts several axes at once (${Words.name})`, () => check([5, 4, 7], [{ axis: 0, indices: [[1, 4]] }, { axis: 2, indices: [[0, 1, 5, 6]] }], Words));

    it(`keeps other elements in each lane (${Words.name})`, () => check([2, 6, 5], [{ axis: 1, indices: [[0, 3, 4], [1, 2, 5]], by: 0, block: 1 }, { axis: 2, indices: [[0, 1], [3, 4]], by: 0, block: 1 }], Words));

    it(`finds lanes of several rows, and cuts the axis that names them afterwards (${Words.name})`, () =>
      check([6, 4, 3], [{ axis: 0, indices: [[0, 1, 3, 5]] }, { axis: 1, indices: [[0, 2], [1, 3]], by: 0, block: 3 }], Words));
  }

  it('finds lanes that a later axis names: the kept of each lane lie side by side', () => {
    const data = Uint8Array.from({ length: 10 }, (_, k) => k);
    expect([...compress(data, [5, 2], 1, [{ axis: 0, indices: [[0, 4], [1, 2]], by: 1, block: 1 }])]).toEqual([0, 3, 8, 5]);
  });

  it('takes contents that do not lie on a word border', () => {
    const odd = new Uint8Array(13).map((_, k) => k).subarray(1);
    expect([...compress(odd, [3], 4, [{ axis: 0, indices: [[2]] }])]).toEqual([9, 10, 11, 12]);
  });

  it('leaves nothing when nothing stays', () => expect(compress(new Uint8Array(12), [3], 4, [{ axis: 0, indices: [[]] }])).toHaveLength(0));
});
