import { createRandom } from '@coppice/core';
import { describe, expect, it } from 'vitest';
import { planArena, type Lifetime } from './arena.ts';

const random = createRandom('arena');
const pieces = (): Lifetime[] => Array.from({ length: 1 + random.integer(30) }, () => {
  const from = random.integer(20) - 1;
  return { bytes: 1 + random.integer(random.uniform() < 0.2 ? 5000 : 100), from, to: from + random.integer(6) };
});

describe('planArena', () => {
  it('never lets two pieces overlap that live at the same time, keeps all within the arena, and begins at whole floats', () => {
    for (let round = 0; round < 500; round++) {
      const all = pieces();
      const { offsets, bytes } = planArena(all);
      all.forEach((a, k) => {
        expect(offsets[k] % 4).toBe(0);
        expect(offsets[k] + a.bytes).toBeLessThanOrEqual(bytes);
        for (let other = 0; other < k; other++) {
          const b = all[other];
          if (a.from > b.to || b.from > a.to) continue;
          expect(offsets[k] + a.bytes <= offsets[other] || offsets[other] + b.bytes <= offsets[k], `${k} and ${other}`).toBe(true);
        }
      });
    }
  });

  it('needs no more than all pieces together, and no less than those that live at one time', () => {
    for (let round = 0; round < 200; round++) {
      const all = pieces();
      const { bytes } = planArena(all);
      const aligned = (n: number): number => Math.ceil(n / 4) * 4;
      const most = Math.max(...Array.from({ length: 30 }, (_, at) => all.filter(({ from, to }) => from <= at - 1 && at - 1 <= to).reduce((sum, piece) => sum + piece.bytes, 0)));
      expect(bytes).toBeGreaterThanOrEqual(most);
      expect(bytes).toBeLessThanOrEqual(all.reduce((sum, piece) => sum + aligned(piece.bytes), 0));
    }
  });

  it('uses the memory of what is gone again: a chain of equal pieces needs two', () => {
    expect(planArena(Array.from({ length: 10 }, (_, k) => ({ bytes: 100, from: k, to: k + 1 }))).bytes).toBe(200);
  });
});
