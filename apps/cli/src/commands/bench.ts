import type { Command } from 'commander';
import { wholeNumber } from '../arguments.ts';
import { benchModels, type BenchOptions, type BenchReport } from '../bench-models.ts';
import type { Context } from '../context.ts';
import { countOf, formatBytes, formatDims, formatMs, formatRatio } from '../human-numbers.ts';
import { addRunOptions } from '../model-options.ts';
import type { Terminal } from '../terminal.ts';
import { tableLines, wrapItems } from '../text-table.ts';

/** `coppice bench`: how long models take, side by side. */
export function defineBench(program: Command, context: Context): void {
  const command = program.command('bench').description('time models in turns, in one process')
    .argument('<models...>', '.onnx files; the first is what the others are compared with')
    .option('--runs <n>', 'timed runs of each model', wholeNumber(1), 50);
  addRunOptions(command)
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nExample:\n  coppice bench model.onnx slim.onnx --backend onnx:native --dim time=400')
    .action(async (paths: string[], options: BenchOptions & { readonly json?: boolean }) => {
      const report = await benchModels(paths, options, context);
      if (options.json) context.terminal.print(JSON.stringify(report, undefined, 2));
      else printBench(report, context.terminal);
    });
}

/** A report for people. */
export function printBench({ backend, models }: BenchReport, { paint, print }: Terminal): void {
  const [head, ...lines] = tableLines({
    columns: [{ title: 'model', atMost: 44 }, { title: 'file', align: 'right' }, { title: 'median', align: 'right' }, { title: 'p10', align: 'right' }, { title: 'p90', align: 'right' }, { title: 'speed', align: 'right' }],
    rows: models.map(({ path, fileBytes, medianMs, p10Ms, p90Ms, speed }, k) => [path, formatBytes(fileBytes), formatMs(medianMs), formatMs(p10Ms), formatMs(p90Ms), k === 0 ? '' : formatRatio(speed)]),
  });
  print(paint('dim', head));
  for (const line of lines) print(line);
  const sizes = Object.entries(models[0].inputs).map(([name, dims]) => `${name} ${formatDims(dims)}`);
  const facts = [countOf(models[0].runs, 'run'), `${backend.name} ${backend.version}`, countOf(backend.threads, 'thread'), ...sizes];
  print('');
  for (const line of wrapItems(facts)) print(paint('dim', line));
}
