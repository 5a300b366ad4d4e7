import { createRandom, type Random } from '@coppice/core';
import { makeInitializer, makeModel, readTensor } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { activationScale, largest, quantizeWeight, roundHalfEven, scaleDimsOf, type Sharing } from './scales.ts';

/** By the definition: for each group of elements that share a scale, the largest size over the largest number. */
function slowly(values: Float32Array, dims: readonly number[], { keep, block }: Sharing, most: number): { q: number[]; scales: number[] } {
  const place = (k: number): number[] => dims.map((n, axis) => Math.floor(k / dims.slice(axis + 1).reduce((p, m) => p * m, 1)) % n);
  const group = (k: number): string => place(k).map((at, axis) => (block?.axis === axis ? Math.floor(at / block.size) : keep.includes(axis) ? at : 0)).join();
  const groups = new Map<string, number>();
  values.forEach((w, k) => groups.set(group(k), Math.max(groups.get(group(k)) ?? 0, Math.abs(w))));
  const scaleOf = (size: number): number => (size === 0 ? 1 : Math.fround(size / most));
  const even = (x: number): number => { const r = Math.round(x); return Math.abs(x - Math.trunc(x)) === 0.5 && r % 2 !== 0 ? r - 1 : r; };
  return { q: Array.from(values, (w, k) => even(w / scaleOf(groups.get(group(k))!)) + 0), scales: [...groups.values()].map(scaleOf) };
}

function randomCase(random: Random): { values: Float32Array; dims: number[]; sharing: Sharing } {
  const dims = Array.from({ length: 1 + random.integer(4) }, () => 1 + random.integer(6));
  const blocked = random.uniform() < 0.4;
  const axis = random.integer(dims.length);
  const size = 1 + random.integer(3);
  if (blocked) dims[axis] = size * (1 + random.integer(3));
  const keep = dims.flatMap((_, k) => (k !== axis && random.uniform() < 0.6 ? [k] : []));
  const count = dims.reduce((p, n) => p * n, 1);
  const values = Float32Array.from({ length: count }, () => (random.uniform() < 0.1 ? 0 : random.normal() * 10 ** (random.integer(5) - 2)));
  return { values, dims, sharing: blocked ? { keep, block: { axis, size } } : { keep } };
}

describe('weights in few bits', () => {
  it('are what the definition says, for any axes and blocks', () => {
    for (let seed = 0; seed < 300; seed++) {
      const { values, dims, sharing } = randomCase(createRandom(`weights/${seed}`));
      for (const most of [127, 63]) {
        const made = quantizeWeight(values, dims, sharing, most);
        const expected = slowly(values, dims, sharing, most);
        expect(Array.from(made.q), `seed ${seed}`).toEqual(expected.q);
        expect(Array.from(made.scales).toSorted()).toEqual(expected.scales.toSorted());
        expect(made.scales.length).toBe(scaleDimsOf(dims, sharing).reduce((p, n) => p * n, 1));
      }
    }
  });

  it('are off by at most half a step in 8 bits, and zero stays zero', () => {
    for (let seed = 0; seed < 100; seed++) {
      const { values, dims, sharing } = randomCase(createRandom(`half/${seed}`));
      const { q, scales } = quantizeWeight(values, dims, { keep: [] }, 127);
      values.forEach((w, k) => {
        expect(Math.abs(q[k] * scales[0] - w)).toBeLessThanOrEqual(scales[0] * 0.5001);
        if (w === 0) expect(q[k]).toBe(0);
      });
      expect(sharing.keep.length).toBeLessThan(dims.length);
    }
  });

  it('in 4 bits have no larger squared error than with the range of the largest weight', () => {
    const random = createRandom('int4');
    for (let trial = 0; trial < 30; trial++) {
      const values = Float32Array.from({ length: 96 }, () => random.normal() * (random.uniform() < 0.05 ? 6 : 1));
      const { q, scales } = quantizeWeight(values, [3, 32], { keep: [0] }, 7);
      for (let row = 0; row < 3; row++) {
        const own = values.subarray(row * 32, row * 32 + 32);
        const plain = own.reduce((most, w) => Math.max(most, Math.abs(w)), 0) / 7;
        const error = (quantised: (w: number, k: number) => number) => own.reduce((sum, w, k) => sum + (quantised(w, k) - w) ** 2, 0);
        expect(error((_, k) => q[row * 32 + k] * scales[row])).toBeLessThanOrEqual(error((w) => roundHalfEven(w / plain) * plain) * 1.0001);
      }
      expect(Math.max(...q.map(Math.abs))).toBeLessThanOrEqual(largest(4));
    }
  });

  it('survive the packing of int4 into bytes, odd counts too', () => {
    for (const count of [1, 2, 3, 7, 64, 129]) {
      const q = Int8Array.from({ length: count }, (_, k) => ((k * 5 + 3) % 15) - 7);
      const tensor = makeInitializer('w', 'int4', [count], q);
      expect(tensor.rawData.byteLength).toBe(Math.ceil(count / 2));
      expect(Array.from(readTensor(makeModel({ opset: 21, graph: { inputs: [], outputs: [], nodes: [] } }), tensor).data as Int8Array)).toEqual(Array.from(q));
    }
  });

  it('that are not finite are refused', () => {
    expect(() => quantizeWeight(Float32Array.of(1, Number.NaN), [2], { keep: [] }, 127)).toThrow(/NaN at element 1/);
    expect(() => quantizeWeight(Float32Array.of(Infinity), [1], { keep: [] }, 127)).toThrow(/Infinity/);
  });
});

describe('scales of activations', () => {
  it('hold zero exactly and the whole range to within one step', () => {
    const random = createRandom('activations');
    for (let trial = 0; trial < 500; trial++) {
      const [a, b] = [random.normal() * 10 ** (random.integer(9) - 4), random.normal() * 10 ** (random.integer(9) - 4)];
      for (const dtype of ['uint8', 'int8'] as const) {
        const { scale, zeroPoint } = activationScale(Math.min(a, b), Math.max(a, b), dtype);
        const lowest = dtype === 'uint8' ? 0 : -128;
        expect(Number.isInteger(zeroPoint) && zeroPoint >= lowest && zeroPoint <= lowest + 255).toBe(true);
        expect((lowest - zeroPoint) * scale).toBeLessThanOrEqual(Math.min(a, b, 0) + scale);
        expect((lowest + 255 - zeroPoint) * scale).toBeGreaterThanOrEqual(Math.max(a, b, 0) - scale);
      }
    }
  });

  it('behind a ReLU begin at zero', () => {
    expect(activationScale(0, 5.1, 'uint8')).toEqual({ dtype: 'uint8', scale: Math.fround(5.1 / 255), zeroPoint: 0 });
    expect(activationScale(0.3, 5.1, 'int8').zeroPoint).toBe(-128);
  });

  it('are refused for a range of nothing', () => {
    for (const [min, max] of [[0, 0], [Number.NaN, 1], [-Infinity, 1], [0, 1e-40]]) expect(() => activationScale(min, max, 'uint8')).toThrow(/gives no scale/);
  });

  it('round halves to even', () => {
    expect([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 2.4999, 2.5001].map((x) => roundHalfEven(x) + 0)).toEqual([0, 2, 2, 0, -2, -2, 2, 3]);
  });
});
