import { describe, expect, it } from 'vitest';
import { constantRate, oneCycle } from './schedule.ts';

describe('oneCycle', () => {
  it('gives the rates of PyTorch', () => {
    // torch.optim.lr_scheduler.OneCycleLR(max_lr=0.01, total_steps=20, pct_start=0.25, div_factor=10, final_div_factor=100), its formula
    // with steps from 0: peak at 0.25 · 20 − 1 = 4, last step 19.
    const anneal = (from: number, to: number, share: number) => to + ((from - to) / 2) * (1 + Math.cos(Math.PI * share));
    const torch = (k: number) => (k <= 4 ? anneal(0.001, 0.01, k / 4) : anneal(0.01, 0.00001, (k - 4) / 15));
    const schedule = oneCycle({ peak: 0.01, steps: 20, rise: 0.25, start: 0.1, end: 0.001 });
    for (let step = 1; step <= 20; step++) expect(schedule(step)).toBeCloseTo(torch(step - 1), 12);
  });

  it('starts at its first rate, rises to the peak, falls to its last rate and stays there', () => {
    const schedule = oneCycle({ peak: 2, steps: 100 });
    const rates = Array.from({ length: 101 }, (_, k) => schedule(k + 1));
    expect(rates[0]).toBeCloseTo(0.08, 12);
    expect(rates[19]).toBe(2);
    expect(rates[99]).toBeCloseTo(2e-4, 12);
    expect(rates[100]).toBeCloseTo(2e-4, 12);
    for (let k = 1; k < 20; k++) expect(rates[k]).toBeGreaterThan(rates[k - 1]);
    for (let k = 20; k < 100; k++) expect(rates[k]).toBeLessThan(rates[k - 1]);
  });

  it('is finite and within the peak however few steps there are', () => {
    for (const rise of [0, 0.2, 1]) {
      for (let steps = 1; steps < 8; steps++) {
        const schedule = oneCycle({ peak: 1, steps, rise });
        for (let step = 1; step <= steps; step++) {
          expect(schedule(step)).toBeGreaterThan(0);
          expect(schedule(step)).toBeLessThanOrEqual(1);
        }
        expect(Math.max(...Array.from({ length: steps }, (_, k) => schedule(k + 1)))).toBe(1);
      }
    }
  });
});

it('constantRate never changes', () => expect([1, 10, 1000].map(constantRate(0.3))).toEqual([0.3, 0.3, 0.3]));
