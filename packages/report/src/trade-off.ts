import { drawChart, style } from './chart.ts';

/** One model: how much it costs and how often it errs. */
export interface TradeOffPoint {
  /** What the line is called, e.g. a scorer. */
  readonly series: string;
  /** A second distinction, shown by dashes and shapes, e.g. a schedule. */
  readonly variant?: string;
  /** Share of the original's multiply–accumulates, 0 to 1. */
  readonly macs: number;
  /** Error rate, 0 to 1. */
  readonly errorRate: number;
  /** Bounds of its confidence interval. */
  readonly low?: number;
  readonly high?: number;
}

export interface TradeOffOptions {
  readonly title: string;
  readonly subtitle?: string;
  /** What the error rate is, e.g. `word error rate`. */
  readonly measure: string;
}

/** Error rate against compute, a line for each series and variant, with confidence intervals: an SVG document. */
export function drawTradeOff(points: readonly TradeOffPoint[], { title, subtitle, measure }: TradeOffOptions): Promise<string> {
  const values = points.map(({ low, high, ...point }) => ({ ...point, low: low ?? point.errorRate, high: high ?? point.errorRate }));
  const several = new Set(points.map(({ series }) => series)).size > 1;
  const x = { field: 'macs', type: 'quantitative', axis: { format: '.0%', title: 'multiply–accumulates, of the original' }, scale: { domain: [0, 1] as number[] } } as const;
  const color = { field: 'series', type: 'nominal', legend: several ? { title: null, symbolOpacity: 1 } : null, sort: null } as const;
  const variants = [...new Set(points.flatMap(({ variant }) => variant ?? []))];
  const variant = { field: 'variant', type: 'nominal', scale: { domain: variants }, legend: { title: null, symbolOpacity: 1 } } as const;
  return drawChart({
    ...style, width: 560, height: 320,
    title: { text: title, subtitle: subtitle ?? '' },
    data: { values },
    encoding: { x, color },
    layer: [
      { mark: { type: 'rule', opacity: 0.45, strokeWidth: 2 }, encoding: { y: { field: 'low', type: 'quantitative' }, y2: { field: 'high' } } },
      { mark: { type: 'line', strokeWidth: 2 }, encoding: { ...(variants.length > 1 && { strokeDash: variant }), y: { field: 'errorRate', type: 'quantitative', axis: { format: '.0%', title: measure }, scale: { zero: true } }, order: { field: 'macs' } } },
      { mark: { type: 'point', filled: true, size: 70, opacity: 1 }, encoding: { ...(variants.length > 1 && { shape: variant }), y: { field: 'errorRate', type: 'quantitative' } } },
    ],
  });
}
