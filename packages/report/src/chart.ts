import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';

/** Draws a Vega-Lite specification. The same specification gives the same text. */
export async function drawChart(specification: TopLevelSpec): Promise<string> {
  const view = new View(parse(compile(specification).spec), { renderer: 'none' });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

/** What all pictures have in common. */
export const style = {
  $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
  background: 'white',
  config: {
    font: 'system-ui, sans-serif',
    axis: { labelFontSize: 12, titleFontSize: 13, gridColor: '#e8e8e8' },
    legend: { labelFontSize: 12, titleFontSize: 12 },
    title: { fontSize: 15, anchor: 'start', subtitleFontSize: 12, subtitleColor: '#555' },
    range: { category: ['#1b6ca8', '#d1495b', '#2e933c', '#8d6a9f', '#edae49', '#30638e', '#00798c', '#66666e'] },
  },
} satisfies Partial<TopLevelSpec>;
