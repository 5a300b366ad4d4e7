import { frozenLines } from './frozen-text.ts';
import { countOf, formatCount, formatDims, formatShare } from './human-numbers.ts';
import type { InspectReport } from './inspect-report.ts';
import type { Terminal } from './terminal.ts';
import { tableLines, wrapItems, wrapText } from './text-table.ts';

export interface InspectTextOptions {
  /** Every frozen place, and every group. */
  readonly all?: boolean;
}

/** So many groups fit on a screen. */
const ROWS = 40;

/** A report for people. */
export function printInspect(report: InspectReport, { paint, print }: Terminal, { all = false }: InspectTextOptions = {}): void {
  const { model, cost, inputs, groups, prunable, least, frozen, notes, baked } = report;
  const facts = [`${formatCount(cost.params)} parameters`, `${formatCount(cost.macs)} MACs`, `opset ${model.opset}`, model.producer].filter(Boolean);
  print(`${paint('bold', model.path)}  ${facts.join(' · ')}`);
  for (const line of wrapItems(inputs.map(({ name, traced }) => `${name} ${formatDims(traced)}`), { first: 'MACs are those of one run on ', indent: '  ' })) print(paint('dim', line));
  print('');
  if (groups.length === 0) print('Nothing can be pruned.');
  else printGroups(report, { paint, print }, all);
  print('');
  print(`${paint('bold', 'can be pruned')}  ${formatShare(prunable.macs)} of the MACs, ${formatShare(prunable.params)} of the parameters are in layers with a prunable width;`);
  print(`               the least that remains is ${formatShare(least.macs / Math.max(1, cost.macs))} of the MACs, ${formatShare(least.params / Math.max(1, cost.params))} of the parameters`);
  if (frozen.length > 0) {
    print(`\n${paint('bold', 'frozen')}  ${countOf(frozen.length, 'width')} in layers with weights`);
    for (const line of frozenLines(frozen, all)) print(line);
  }
  for (const note of notes) for (const line of wrapText(note, { first: `${paint('yellow', 'note')}  `, indent: '      ' })) print(line);
  if (baked.length > 0) for (const line of wrapItems(baked, { first: `${paint('yellow', 'note')}  weights that the model computes from others become initializers when pruned: `, indent: '      ' })) print(line);
}

function printGroups({ groups, cost }: InspectReport, { paint, print }: Pick<Terminal, 'paint' | 'print'>, all: boolean): void {
  const shown = all ? groups : groups.slice(0, ROWS);
  const [head, ...lines] = tableLines({
    columns: [
      { title: 'group', atMost: 38 }, { title: 'kind' }, { title: 'units', align: 'right' }, { title: 'MACs/unit', align: 'right' },
      { title: 'params/unit', align: 'right' }, { title: 'MACs', align: 'right' }, { title: 'params', align: 'right' },
    ],
    rows: shown.map(({ name, kind, lanes, units, unit, whole }) => [
      name, kind, lanes > 1 ? `${lanes} × ${units}` : String(units), formatCount(Math.round(unit.macs)), formatCount(Math.round(unit.params)),
      formatShare(whole.macs / Math.max(1, cost.macs)), formatShare(whole.params / Math.max(1, cost.params)),
    ]),
  });
  print(paint('dim', head));
  for (const line of lines) print(line);
  if (shown.length < groups.length) print(`and ${groups.length - shown.length} more groups: --all`);
}
