import { drawChart, style } from './chart.ts';

/** How a model errs when a share of one group alone is gone. */
export interface SensitivityPoint {
  readonly group: string;
  /** Share of the units of the group that are removed, 0 to 1. */
  readonly removed: number;
  /** Error rate or loss. */
  readonly value: number;
}

export interface SensitivityOptions {
  readonly title: string;
  readonly subtitle?: string;
  readonly measure: string;
  /** Whether values are shares that read best in per cent. */
  readonly percent?: boolean;
}

/** What each group can lose: value against removed share, a line for each group. An SVG document. */
export function drawSensitivity(points: readonly SensitivityPoint[], { title, subtitle, measure, percent = true }: SensitivityOptions): Promise<string> {
  return drawChart({
    ...style, width: 560, height: 320,
    title: { text: title, subtitle: subtitle ?? '' },
    data: { values: points.map((point) => ({ ...point })) },
    mark: { type: 'line', point: { size: 50 }, strokeWidth: 2 },
    encoding: {
      x: { field: 'removed', type: 'quantitative', axis: { format: '.0%', title: 'units removed from this group alone' }, scale: { domain: [0, 1] } },
      y: { field: 'value', type: 'quantitative', axis: { ...(percent && { format: '.0%' }), title: measure }, scale: { zero: true } },
      color: { field: 'group', type: 'nominal', legend: { title: null }, sort: null },
    },
  });
}
