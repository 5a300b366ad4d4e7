import { describe, expect, it } from 'vitest';
import { createRandom } from '../random.ts';
import { gather, scatter, type Part } from './gather.ts';

/** Element by element. */
function slowly(source: Float32Array, dims: readonly number[], { axis, indices, within }: Part): number[] {
  let offsets = [0];
  dims.forEach((n, a) => {
    const [from, to] = within?.get(a) ?? [0, n];
    const coordinates = a === axis ? indices : Array.from({ length: to - from }, (_, k) => from + k);
    offsets = offsets.flatMap((offset) => coordinates.map((k) => offset * n + k));
  });
  return offsets.map((offset) => source[offset]);
}

describe('gather', () => {
  it('copies what a walk over all coordinates finds, in the same order; scatter puts it back and touches nothing else', () => {
    const random = createRandom('gather');
    for (let round = 0; round < 3000; round++) {
      const dims = Array.from({ length: 1 + random.integer(5) }, () => random.integer(5) || 40 * random.integer(2) + 1);
      const source = Float32Array.from({ length: dims.reduce((p, n) => p * n, 1) }, (_, k) => k);
      const part = (): Part => {
        const axis = random.integer(dims.length);
        const all = Array.from({ length: dims[axis] }, (_, k) => k);
        const from = random.integer(dims[axis]);
        const indices = random.integer(2) ? random.shuffle(all).slice(0, 1 + random.integer(3)) : all.slice(from, from + 1 + random.integer(3));
        const within = new Map(dims.flatMap((n, a) => {
          const start = random.integer(n);
          return a === axis || random.integer(3) ? [] : [[a, [start, start + 1 + random.integer(n - start)]] as const];
        }));
        return { axis, indices, within };
      };
      const parts = Array.from({ length: 1 + random.integer(2) }, part);
      const copied = gather(source, dims, parts);
      expect(Array.from(copied)).toEqual(parts.flatMap((p) => slowly(source, dims, p)));
      const target = source.map((value) => -1 - value);
      scatter(copied, target, dims, parts);
      const touched = new Set(copied);
      expect(Array.from(target)).toEqual(Array.from(source, (value) => (touched.has(value) ? value : -1 - value)));
    }
  });

  it('gives a copy, which a scorer may keep', () => {
    const source = Float32Array.of(1, 2);
    const copy = gather(source, [2], [{ axis: 0, indices: [0, 1] }]);
    expect(copy.buffer).not.toBe(source.buffer);
  });
});
