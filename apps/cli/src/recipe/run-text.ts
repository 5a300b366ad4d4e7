import { drawTradeOff } from '@coppice/report';
import { basename, join } from 'node:path';
import { formatBytes, formatCount, formatMs, formatRatio, formatShare } from '../human-numbers.ts';
import { writeText } from '../plan-document.ts';
import { differenceText, rateName } from '../speech/evaluation-text.ts';
import type { Terminal } from '../terminal.ts';
import { tableLines, wrapItems, wrapText } from '../text-table.ts';
import type { ModelFacts, RunReport } from './run-recipe.ts';

const LABEL = 10;

/** The table of a run: what the original and each round cost and how often they err. */
export function printRun({ original, rounds, latency }: RunReport, { folder, scorer, slim, terminal: { print, paint } }: { readonly folder: string; readonly scorer: string; readonly slim: string; readonly terminal: Terminal }): void {
  const unit = original.test.errors.unit;
  const last = rounds.at(-1)!;
  const row = (name: string, { cost, fileBytes, test: { errors, interval } }: ModelFacts): string[] => [
    name, formatShare(errors.rate), `${formatShare(interval.low)} – ${formatShare(interval.high)}`, formatCount(cost.macs), formatShare(cost.macs / original.cost.macs), formatCount(cost.params), formatBytes(fileBytes),
    ...(name === 'original' ? [formatMs(latency[0].before.medianMs)] : name === basename(last.file, '.onnx') ? [formatMs(latency[0].after.medianMs)] : ['']),
  ];
  const [head, ...lines] = tableLines({
    columns: [{ title: '' }, ...[rateName[unit], '95 % interval', 'MACs', 'of all', 'parameters', 'file', 'latency'].map((title) => ({ title, align: 'right' as const }))],
    rows: [row('original', original), ...rounds.map((round) => row(basename(round.file, '.onnx'), round))],
  });
  print(paint('bold', head));
  for (const line of lines) print(line);
  print('');
  const say = (title: string, text: string): void => {
    for (const line of wrapText(text, { first: title.padEnd(LABEL), indent: ' '.repeat(LABEL) })) print(line);
  };
  say('errors', differenceText(original.test, last.test, basename(last.file, '.onnx')));
  for (const [k, { backend, seconds, before, after }] of latency.entries()) {
    say(k === 0 ? 'latency' : '', `${formatRatio(before.medianMs / after.medianMs)} on ${backend}, ${formatMs(before.medianMs)} to ${formatMs(after.medianMs)} for ${seconds.toFixed(1)} s of speech, one thread, median of ${before.runs} runs${k === 0 ? `; the MACs say ${formatRatio(original.cost.macs / last.cost.macs)}` : ''}`);
  }
  say('proof', `every cut was equal to the masked model before fine-tuning, largest difference ${Math.max(...rounds.map(({ verdict }) => verdict.worst.relative)).toExponential(1)} of the scale`);
  say('scorer', scorer);
  for (const line of wrapItems(last.widths.filter(({ before, after }) => before !== after).map(({ group, after, lanes }) => `${group} ${lanes > 1 ? `${lanes}×` : ''}${after}`), { first: 'widths'.padEnd(LABEL), indent: ' '.repeat(LABEL), separator: ' · ' })) print(line);
  for (const note of new Set(rounds.flatMap(({ notes }) => notes))) say('note', note);
  print(`${'written'.padEnd(LABEL)}${[slim, ...['trade-off.svg', 'report.json'].map((name) => join(folder, name))].join(', ')}`);
}

/** Draws error rate against compute into the folder of a run. */
export async function writeTradeOff({ original, rounds }: RunReport, { folder, scorer }: { readonly folder: string; readonly scorer: string }): Promise<void> {
  const point = ({ cost, test: { errors, interval } }: ModelFacts) => ({ series: scorer, macs: cost.macs / original.cost.macs, errorRate: errors.rate, low: interval.low, high: interval.high });
  const svg = await drawTradeOff([original, ...rounds].map(point), {
    title: 'What pruning costs', subtitle: `${scorer}, fine-tuned after each round; 95 % intervals over ${original.test.errors.utterances.length} utterances`, measure: `${original.test.errors.unit} error rate`,
  });
  writeText(join(folder, 'trade-off.svg'), svg, true);
}
