import { expect, it } from 'vitest';
import { drawScorers, drawSensitivity, drawTradeOff } from './index.ts';

const points = [
  { series: 'taylor', macs: 1, errorRate: 0.02, low: 0.015, high: 0.026 },
  { series: 'taylor', macs: 0.2, errorRate: 0.03 },
  { series: 'random', macs: 0.2, errorRate: 0.09, low: 0.08, high: 0.11 },
];

it('draws every point, names every line, and says what the axes are', async () => {
  const svg = await drawTradeOff(points, { title: 'digits', measure: 'word error rate' });
  expect(svg).toMatch(/^<svg /);
  for (const text of ['taylor', 'random', 'digits', 'word error rate', 'multiply–accumulates, of the original', '100%']) expect(svg).toContain(`>${text}<`);
  expect(svg.match(/aria-roledescription="point"/g)).toHaveLength(points.length);
});

it('tells variants of a series by their dashes and shapes', async () => {
  const twice = ['one cut', 'rounds'].flatMap((variant) => points.map((point) => ({ ...point, variant })));
  const [plain, told] = [await drawTradeOff(points, { title: 'x', measure: 'y' }), await drawTradeOff(twice, { title: 'x', measure: 'y' })];
  expect(plain).not.toContain('stroke-dasharray');
  expect(told).toContain('stroke-dasharray');
  for (const text of ['one cut', 'rounds']) expect(told).toContain(`>${text}<`);
});

it('gives the same text for the same points', async () => {
  const draw = () => drawTradeOff(points, { title: 'digits', measure: 'word error rate' });
  expect(await draw()).toBe(await draw());
});

it('escapes names that look like markup', async () => {
  const svg = await drawSensitivity([{ group: '<script>&', removed: 0.5, value: 0.1 }, { group: '<script>&', removed: 0.7, value: 0.2 }], { title: 'a', measure: 'b' });
  expect(svg).not.toContain('<script>');
  expect(svg).toContain('&lt;script&gt;&amp;');
});

it('draws every criterion of every series, the best of the first series at the top, and the whole model as a line', async () => {
  const svg = await drawScorers([
    { scorer: 'l2', series: 'cut', errorRate: 0.3, low: 0.25, high: 0.35 }, { scorer: 'l2', series: 'rebuilt', errorRate: 0.1 },
    { scorer: 'taylor', series: 'cut', errorRate: 0.2 }, { scorer: 'taylor', series: 'rebuilt', errorRate: 0.15 },
  ], { title: 'half', measure: 'word error rate', original: 0.05 });
  expect(svg.match(/aria-roledescription="point"/g)).toHaveLength(4);
  // The original's dashed line, and an interval for each point.
  expect(svg.match(/stroke-dasharray="4,4"/g)).toHaveLength(1);
  expect(svg.match(/aria-label="[^"]*low: /g)).toHaveLength(4);
  for (const text of ['cut', 'rebuilt', 'half', 'word error rate']) expect(svg).toContain(`>${text}<`);
  const heightOf = (name: string): number => Number(new RegExp(`translate\\([^,]+,([\\d.]+)\\)"[^>]*>${name}<`).exec(svg)?.[1]);
  expect(heightOf('taylor')).toBeLessThan(heightOf('l2'));
});
