import { describe, expect, it } from 'vitest';
import { formatBytes, formatCount, formatDifference, formatMs, formatRatio, formatShare } from './human-numbers.ts';

describe('numbers for people', () => {
  it.each([[0, '0'], [7, '7'], [950, '950'], [999.6, '1.00 k'], [5_150_000, '5.15 M'], [12_345_678, '12.3 M'], [133e9, '133 G'], [0.5, '0.50']])('counts %d as %s', (value, text) => {
    expect(formatCount(value)).toBe(text);
  });

  it('has a unit for every size', () => {
    expect([formatBytes(950), formatBytes(4_500_000), formatMs(0.53), formatMs(1500), formatShare(0.498), formatShare(0.0004)]).toEqual(['950 B', '4.50 MB', '0.53 ms', '1.50 s', '49.8 %', '0.04 %']);
  });

  it('says how many times faster', () => {
    expect([formatRatio(1.9), formatRatio(12.4), formatRatio(Infinity)]).toEqual(['×1.90', '×12', '–']);
  });

  it('writes differences as powers of ten', () => {
    expect([formatDifference(1.23e-6), formatDifference(0), formatDifference(Infinity)]).toEqual(['1.2e-6', '0', '∞']);
  });
});
