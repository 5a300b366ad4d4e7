import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { inspectReport } from '../inspect-report.ts';
import { printInspect } from '../inspect-text.ts';
import { addAnalysisOptions, openModel, type AnalysisOptions } from '../model-options.ts';

interface InspectOptions extends AnalysisOptions {
  readonly json?: boolean;
  readonly all?: boolean;
}

/** `coppice inspect`: what of a model can be pruned, what cannot, and why. */
export function defineInspect(program: Command, context: Context): void {
  const command = program.command('inspect').description('show what of a model can be pruned, what is frozen, and why').argument('<model>', 'an .onnx file');
  addAnalysisOptions(command)
    .option('--all', 'every group and every frozen place')
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nExample:\n  coppice inspect model.onnx --dim time=100')
    .action(async (path: string, options: InspectOptions) => {
      const report = inspectReport(await openModel(path, options, context));
      if (options.json) context.terminal.print(JSON.stringify(report, undefined, 2));
      else printInspect(report, context.terminal, options);
    });
}
