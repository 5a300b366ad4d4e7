/**
 * Puts the cells of one or several `run.ts curves` together: a table with a line for each criterion, schedule and budget, over all seeds, and a picture.
 * Usage: node tools/studies/curves-page.ts curves-1.json [curves-2.json …] --original 0.0025 --out docs/results/digits-curves
 * Writes OUT.json (all cells), OUT.svg (one cut and several rounds) and prints the table.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { drawTradeOff, type TradeOffPoint } from '@coppice/report';
import type { Cell } from './cells.ts';

type Row = Pick<Cell, 'scorer' | 'keep' | 'schedule' | 'seed' | 'recovery'> & {
  readonly macs: number;
  readonly errorRate: number;
  readonly interval: { readonly low: number; readonly high: number };
  readonly afterCut: number;
  readonly comparison: { readonly difference: number; readonly low: number; readonly high: number; readonly pValue: number };
};

const { positionals, values } = parseArgs({ allowPositionals: true, options: { original: { type: 'string' }, out: { type: 'string' }, unit: { type: 'string', default: 'WER' } } });
if (positionals.length === 0 || !values.out || !values.original) throw new Error('Say which cells, what the original has, and where to: curves.json --original 0.0025 --out docs/results/digits-curves');

const rows = positionals.flatMap((path) => JSON.parse(readFileSync(path, 'utf8')) as Row[]);
const groups = [...Map.groupBy(rows, ({ scorer, schedule, keep }) => `${scorer}/${schedule}/${keep}`).values()]
  .toSorted(([a], [b]) => b.keep - a.keep || (a.schedule < b.schedule ? 1 : a.schedule > b.schedule ? -1 : 0) || meanOf(a, b));

function meanOf(a: Row, b: Row): number {
  const rate = ({ scorer, schedule, keep }: Row): number => mean(rows.filter((row) => row.scorer === scorer && row.schedule === schedule && row.keep === keep).map(({ errorRate }) => errorRate));
  return rate(a) - rate(b);
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
}

const percent = (value: number, digits = 2): string => (100 * value).toFixed(digits);
console.log(`| MACs | schedule | criterion | after the cut % | ${values.unit} %: mean | of each seed | widest 95 % interval | significantly worse |\n|---|---|---|---|---|---|---|---|`);
for (const group of groups) {
  const [{ scorer, schedule, macs }] = group;
  const inOrder = group.toSorted((a, b) => a.seed - b.seed);
  const worse = group.filter(({ comparison: { pValue, difference } }) => pValue < 0.05 && difference > 0).length;
  const interval = `${percent(Math.min(...group.map(({ interval: { low } }) => low)), 1)}–${percent(Math.max(...group.map(({ interval: { high } }) => high)), 1)}`;
  console.log(`| ${[`${percent(macs, 1)} %`, schedule, scorer, percent(mean(group.map(({ afterCut }) => afterCut)), 1), `**${percent(mean(group.map(({ errorRate }) => errorRate)))}**`, inOrder.map(({ errorRate }) => percent(errorRate)).join(', '), interval, `${worse} of ${group.length}`].join(' | ')} |`);
}

const points = groups.map((group): TradeOffPoint => {
  const [{ scorer, schedule, macs }] = group;
  const rates = group.map(({ errorRate }) => errorRate);
  return { series: scorer, variant: schedule === 'one-shot' ? 'one cut' : 'several rounds', macs, errorRate: mean(rates), low: Math.min(...rates), high: Math.max(...rates) };
});
const seeds = Math.max(...groups.map((group) => group.length));
writeFileSync(`${values.out}.svg`, await drawTradeOff(points, { title: 'Error rate against compute, after fine-tuning', subtitle: `mean of ${seeds} seeds, from the best to the worst; the original has ${percent(Number(values.original))} %`, measure: values.unit === 'PER' ? 'phone error rate' : 'word error rate' }));
writeFileSync(`${values.out}.json`, `${JSON.stringify(rows, undefined, 1)}\n`);
