import { createRandom } from '@coppice/core';
import { describe, expect, it } from 'vitest';
import { specAugment, specAugmentPolicies, type SpecAugmentPolicy } from './spec-augment.ts';

const none: SpecAugmentPolicy = { frequencyMasks: 0, frequencyWidth: 0, timeMasks: 0, timeWidth: 0, timeShare: 1, value: 9 };
const ones = (lengths: readonly number[], time = Math.max(...lengths), width = 10): { data: Float32Array; time: number; width: number; lengths: readonly number[] } =>
  ({ data: new Float32Array(lengths.length * time * width).fill(1), time, width, lengths });

describe('specAugment', () => {
  it('masks one stretch of features over all frames of an item, and leaves padding alone', () => {
    const random = createRandom(1);
    const widths = new Set<number>();
    for (let round = 0; round < 300; round++) {
      const batch = ones([7, 4], 8);
      specAugment(batch, { ...none, frequencyMasks: 1, frequencyWidth: 3 }, random);
      for (const [item, length] of batch.lengths.entries()) {
        const frames = Array.from({ length: 8 }, (_, frame) => [...batch.data.subarray((item * 8 + frame) * 10, (item * 8 + frame + 1) * 10)].join(''));
        widths.add(frames[0].split('9').length - 1);
        expect(frames[0]).toMatch(/^1*9{0,3}1*$/);
        for (const [frame, row] of frames.entries()) expect(row).toBe(frame < length ? frames[0] : '1111111111');
      }
    }
    expect([...widths].sort()).toEqual([0, 1, 2, 3]);
  });

  it('masks one stretch of frames, never more than its share of the item', () => {
    const random = createRandom(2);
    const [widths, firsts] = [new Set<number>(), new Set<number>()];
    for (let round = 0; round < 500; round++) {
      const batch = ones([10, 4], 10);
      specAugment(batch, { ...none, timeMasks: 1, timeWidth: 5, timeShare: 0.3 }, random);
      const column = Array.from({ length: 20 }, (_, frame) => batch.data[frame * 10]).join('');
      expect(column.slice(0, 10)).toMatch(/^1*9{0,3}1*$/);
      expect(column.slice(10)).toMatch(/^1*9?1*$/);
      expect(column.slice(14)).toBe('111111');
      widths.add(column.slice(0, 10).split('9').length - 1);
      firsts.add(column.indexOf('9'));
    }
    expect([...widths].sort()).toEqual([0, 1, 2, 3]);
    for (let first = 0; first < 10; first++) expect(firsts).toContain(first);
  });

  it('draws every width equally often', () => {
    const random = createRandom(3);
    const counts = [0, 0, 0, 0, 0];
    for (let round = 0; round < 5000; round++) {
      const batch = ones([12]);
      specAugment(batch, { ...none, timeMasks: 1, timeWidth: 4 }, random);
      counts[batch.data.filter((value) => value === 9).length / 10]++;
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  it('does the same for the same seed, and another thing for each item', () => {
    const masked = (seed: number): Float32Array => {
      const batch = ones([200, 200], 200, 40);
      specAugment(batch, specAugmentPolicies.double, createRandom(seed));
      return batch.data;
    };
    expect(masked(1)).toEqual(masked(1));
    expect(masked(1)).not.toEqual(masked(2));
    expect(masked(1).subarray(0, 8000)).not.toEqual(masked(1).subarray(8000));
  });

  it('refuses a policy that makes no sense', () => {
    for (const change of [{ timeShare: 2 }, { frequencyWidth: -1 }, { timeMasks: 0.5 }, { value: NaN }]) {
      expect(() => specAugment(ones([3]), { ...none, ...change }, createRandom(1))).toThrow(expect.objectContaining({ code: 'COPPICE_CONFIG_INVALID', message: expect.stringContaining(Object.keys(change)[0]) }));
    }
  });
});
