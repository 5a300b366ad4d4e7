import { writeModel } from '@coppice/graph/node';
import { buildReferenceModel } from '@coppice/speech';
import type { Command } from 'commander';
import { existsSync, mkdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { benchModels, type BenchReport } from '../bench-models.ts';
import type { Context } from '../context.ts';
import { formatCount, formatMs, formatShare } from '../human-numbers.ts';
import { inspectReport, type InspectReport } from '../inspect-report.ts';
import { openModel, type AnalysisOptions } from '../model-options.ts';
import { pruneModel, type PruneReport } from '../prune-model.ts';
import { printPrune, verdictText } from '../prune-text.ts';
import { wrapText } from '../text-table.ts';
import { verifyModel, type VerifyReport } from '../verify-model.ts';

interface DemoOptions {
  readonly folder?: string;
  readonly backend: string;
  readonly json?: boolean;
}

interface DemoReport {
  readonly folder: string;
  readonly inspect: InspectReport;
  readonly prune: PruneReport;
  readonly verify: VerifyReport;
  readonly bench: BenchReport;
  readonly seconds: number;
}

/** `coppice demo`: everything once, on a model made here; no download, under a minute. */
export function defineDemo(program: Command, context: Context): void {
  program.command('demo').description('make the reference model, prune it to half of its multiply–accumulates, verify and time it')
    .option('--folder <folder>', 'a new folder for the files (default: ./runs/demo, or the next free number)')
    .option('--backend <name>', 'what runs the model: onnx (WebAssembly), onnx:native', 'onnx')
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nExample:\n  coppice demo')
    .action(async (options: DemoOptions) => {
      const report = await runDemo(options, context);
      if (options.json) context.terminal.print(JSON.stringify(report, undefined, 2));
      else printDemo(report, context);
    });
}

/** One second of speech, in frames of 10 ms. */
const FRAMES = 100;

async function runDemo({ folder: wanted, backend }: DemoOptions, context: Context): Promise<DemoReport> {
  const start = performance.now();
  const folder = newFolder(context.folder, wanted);
  const [model, slim, plan] = ['model.onnx', 'slim.onnx', 'plan.json'].map((name) => join(folder, name));
  context.terminal.progress('making the reference model');
  writeModel(buildReferenceModel(), model, {});
  const analysis: AnalysisOptions = { backend, norm: 'exact', factors: 'heads', dim: { time: FRAMES } };
  const inspect = inspectReport(await openModel(model, analysis, context));
  const prune = await pruneModel(model, { ...analysis, out: slim, plan, macs: 0.5, scorer: 'l2', seed: 0 }, context);
  const verify = await verifyModel(model, slim, { backend, plan, runs: 6 }, context);
  const bench = await benchModels([model, slim], { backend, runs: 30, dim: { time: FRAMES } }, context);
  return { folder, inspect, prune, verify, bench, seconds: (performance.now() - start) / 1000 };
}

/** A folder that does not exist yet, made. */
function newFolder(base: string, wanted: string | undefined): string {
  let folder = resolve(base, wanted ?? join('runs', 'demo'));
  if (wanted === undefined) for (let k = 2; existsSync(folder); k++) folder = resolve(base, join('runs', `demo-${k}`));
  mkdirSync(folder, { recursive: true });
  const near = relative(process.cwd(), folder);
  return near.startsWith('..') ? folder : near;
}

function printDemo({ folder, inspect, prune, verify, bench, seconds }: DemoReport, { terminal }: Context): void {
  const { paint, print } = terminal;
  const [before, after] = bench.models;
  print(`${paint('bold', 'the model')}  two convolutions with batch norm, three bidirectional GRU layers, dense: ${formatCount(inspect.cost.params)} parameters.`);
  print(`           ${inspect.groups.length} groups of units; ${formatShare(inspect.prunable.macs)} of the MACs are in layers that can be pruned.`);
  print('');
  // The longer measurement replaces the short one that pruning makes.
  printPrune({ ...prune, latency: prune.latency && { ...prune.latency, before, after } }, terminal);
  const again = wrapText(verdictText(verify.verdict), { first: 'again     from the files: ', indent: ' '.repeat(10) });
  for (const line of again) print(line);
  print('');
  print(`All of it took ${formatMs(seconds * 1000)}. The files are in ${folder}; try \`coppice inspect ${join(folder, 'slim.onnx')}\`.`);
}
