import { drawChart, style } from './chart.ts';

/** What one criterion came to. */
export interface ScorerPoint {
  readonly scorer: string;
  /** What was done after the cut, e.g. `cut`, `rebuilt`; a colour each. */
  readonly series: string;
  /** Error rate, 0 to 1. */
  readonly errorRate: number;
  /** Bounds of its confidence interval. */
  readonly low?: number;
  readonly high?: number;
}

export interface ScorersOptions {
  readonly title: string;
  readonly subtitle?: string;
  /** What the error rate is, e.g. `word error rate`. */
  readonly measure: string;
  /** Error rate of the whole model, drawn as a line. */
  readonly original: number;
}

/** Criteria by error rate, the best at the top, with confidence intervals: an SVG document. The first series decides the order. */
export function drawScorers(points: readonly ScorerPoint[], { title, subtitle, measure, original }: ScorersOptions): Promise<string> {
  const values = points.map(({ low, high, ...point }) => ({ ...point, low: low ?? point.errorRate, high: high ?? point.errorRate }));
  const series = [...new Set(points.map((point) => point.series))];
  const first = points.filter((point) => point.series === series[0]).toSorted((a, b) => a.errorRate - b.errorRate);
  const order = [...new Set([...first, ...points].map(({ scorer }) => scorer))];
  // A domain rather than a sort: layers with data of their own do not share a sort.
  const y = { field: 'scorer', type: 'nominal', axis: { title: null, grid: true }, scale: { domain: order } } as const;
  const yOffset = { field: 'series', type: 'nominal', scale: { domain: series } } as const;
  const color = { field: 'series', type: 'nominal', legend: series.length > 1 ? { title: null } : null, scale: { domain: series } } as const;
  return drawChart({
    ...style, width: 560, height: { step: series.length > 1 ? 14 : 24 },
    title: { text: title, subtitle: subtitle ?? '' },
    layer: [
      { data: { values: [{ original }] }, mark: { type: 'rule', strokeDash: [4, 4], color: '#555' }, encoding: { x: { field: 'original', type: 'quantitative' } } },
      { data: { values }, mark: { type: 'rule', opacity: 0.45, strokeWidth: 2 }, encoding: { y, yOffset, color, x: { field: 'low', type: 'quantitative' }, x2: { field: 'high' } } },
      { data: { values }, mark: { type: 'point', filled: true, size: 70, opacity: 1 }, encoding: { y, yOffset, color, x: { field: 'errorRate', type: 'quantitative', axis: { format: '.0%', title: measure }, scale: { zero: true } } } },
    ],
  });
}
