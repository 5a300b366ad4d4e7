import type { Command } from 'commander';
import { dirname, join } from 'node:path';
import { positive, wholeNumber } from '../arguments.ts';
import { exitCodes, type Context } from '../context.ts';
import { formatDifference } from '../human-numbers.ts';
import { addRunOptions } from '../model-options.ts';
import { verdictText } from '../prune-text.ts';
import type { Terminal } from '../terminal.ts';
import { tableLines, wrapText } from '../text-table.ts';
import { verifyModel, type VerifyModelOptions, type VerifyReport } from '../verify-model.ts';

/** `coppice verify`: whether a slim model is what its plan says. */
export function defineVerify(program: Command, context: Context): void {
  const command = program.command('verify').description('compare a slim model with the masked original; exit code 1 when they differ')
    .argument('<model>', 'the original')
    .argument('<slim>', 'the slim model')
    .option('--plan <file>', 'the plan (default: plan.json beside the slim model)')
    .option('--runs <n>', 'random inputs to compare on', wholeNumber(1), 6)
    .option('--tolerance <x>', 'largest relative difference (default: from the element types)', positive)
    .option('--write-masked <file>', 'keep the masked original, for other tools');
  addRunOptions(command)
    .option('--force', 'replace an existing file')
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nExample:\n  coppice verify model.onnx slim.onnx --plan plan.json')
    .action(async (path: string, slim: string, options: Omit<VerifyModelOptions, 'plan'> & { readonly plan?: string; readonly json?: boolean }) => {
      const report = await verifyModel(path, slim, { ...options, plan: options.plan ?? join(dirname(slim), 'plan.json') }, context);
      if (options.json) context.terminal.print(JSON.stringify(report, undefined, 2));
      else printVerify(report, context.terminal);
      if (!report.verdict.equal) context.fail(exitCodes.wrong);
    });
}

function printVerify({ verdict, warnings, removedUnits, masked }: VerifyReport, { paint, print, log }: Terminal): void {
  for (const warning of warnings) for (const line of wrapText(warning, { first: `${paint('yellow', 'warning')} `, indent: '        ' })) log(line);
  const [head, ...lines] = tableLines({
    columns: [{ title: 'output', atMost: 40 }, { title: 'type' }, { title: 'largest difference', align: 'right' }, { title: 'of its scale', align: 'right' }, { title: 'tolerance', align: 'right' }, { title: '' }],
    rows: verdict.differences.map(({ output, dtype, absolute, relative, tolerance, finite }) =>
      [output, dtype, formatDifference(absolute), formatDifference(relative), formatDifference(tolerance), !finite ? 'not comparable' : relative <= tolerance ? '' : 'too large']),
  });
  print(paint('dim', head));
  for (const line of lines) print(line);
  print('');
  for (const line of wrapText(`${verdictText(verdict)}; ${removedUnits} units removed`)) print(line.replace(/^(equal|NOT EQUAL)/, (word) => paint(verdict.equal ? 'green' : 'red', word)));
  if (masked !== null) print(`written ${masked}`);
}
