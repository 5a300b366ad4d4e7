import type { BeforeAfter, Verdict } from '@coppice/core';
import { basename } from 'node:path';
import { formatBytes, formatCount, formatDifference, formatDims, formatMs, formatRatio, formatShare } from './human-numbers.ts';
import type { PruneReport } from './prune-model.ts';
import type { Terminal } from './terminal.ts';
import { tableLines, wrapItems, wrapText } from './text-table.ts';

/** A report for people. */
export function printPrune(report: PruneReport, { paint, print }: Terminal): void {
  const { got, request, fileBytes, latency, verdict, released, notes } = report;
  const row = (name: string, format: (value: number) => string, { before, after }: BeforeAfter, asked?: number): string[] =>
    [name, format(before), format(after), formatShare(after / Math.max(1, before)), asked === undefined ? '' : formatShare(asked)];
  const rows = [
    row('MACs', formatCount, got.macs, request.macs),
    row('parameters', formatCount, got.params, request.params),
    row('weights', formatBytes, got.bytes, request.bytes),
    row('file', formatBytes, fileBytes),
    ...(latency ? [['latency', formatMs(latency.before.medianMs), formatMs(latency.after.medianMs), formatRatio(latency.before.medianMs / latency.after.medianMs), '']] : []),
  ];
  const [head, ...lines] = tableLines({
    columns: [{ title: '' }, { title: basename(report.original), align: 'right', atMost: 24 }, { title: basename(report.slim), align: 'right', atMost: 24 }, { title: 'got', align: 'right' }, { title: 'asked', align: 'right' }],
    rows,
  });
  print(paint('bold', head));
  for (const line of lines) print(line);
  const show = (title: string, items: readonly string[], separator?: string): void => {
    for (const line of wrapItems(items, { first: title.padEnd(LABEL), indent: ' '.repeat(LABEL), separator })) print(line);
  };
  print('');
  if (latency) show('measured', [`median of ${latency.before.runs} runs on ${latency.backend}`, ...Object.entries(latency.inputs).map(([name, dims]) => `${name} ${formatDims(dims)}`)]);
  show('widths', report.widths.filter(({ before, after }) => before !== after).map(({ group, before, after, lanes }) => `${group} ${lanes > 1 ? `${lanes}×` : ''}${before}→${after}`), ' · ');
  if (Object.keys(released).length > 0) show('states', Object.entries(released).map(([name, dims]) => `${name} is now ${formatDims(dims)}`));
  for (const line of wrapText(verdictText(verdict), { first: 'verdict'.padEnd(LABEL), indent: ' '.repeat(LABEL) })) print(line.replace(/^(verdict\s+)(\S+)/, (_, label: string, word: string) => label + paint(verdict.equal ? 'green' : 'red', word)));
  for (const note of notes) for (const line of wrapText(note, { first: 'note'.padEnd(LABEL), indent: ' '.repeat(LABEL) })) print(line);
  show('written', [report.slim, report.plan]);
}

const LABEL = 10;

/** One sentence about a comparison. */
export function verdictText({ equal, kind, runs, worst }: Verdict): string {
  const by = worst.finite ? `the largest difference is ${formatDifference(worst.relative)} of the scale of '${worst.output}'` : `'${worst.output}' has another shape or values that are not finite`;
  const exactness = kind === 'to a norm' ? ', up to the norms that now run on the kept width' : '';
  return `${equal ? 'equal' : 'NOT EQUAL'} to the masked original${exactness}: ${by} (tolerance ${formatDifference(worst.tolerance)}, ${runs} runs)`;
}
