import { Option, type Command } from 'commander';
import { groupShare, namedFile, repeated, share, wholeNumber } from '../arguments.ts';
import type { Context } from '../context.ts';
import { addAnalysisOptions } from '../model-options.ts';
import { pruneModel, type PruneOptions } from '../prune-model.ts';
import { printPrune } from '../prune-text.ts';

/** `coppice prune`: a smaller model that provably computes the same minus the removed units. */
export function definePrune(program: Command, context: Context): void {
  const command = program.command('prune').description('remove the least important units, prove the cut, write the slim model and its plan')
    .argument('<model>', 'an .onnx file')
    .requiredOption('--out <file>', 'where the slim model goes')
    .option('--plan <file>', 'where the plan goes (default: plan.json beside it)')
    .option('--macs <share>', 'share of the multiply–accumulates to keep, e.g. 0.5', share)
    .option('--params <share>', 'share of the parameters to keep', share)
    .option('--bytes <share>', 'share of the bytes of the weights to keep', share)
    .option('--group <glob=share>', 'share of units to keep in groups of this name; repeatable', groupShare)
    .option('--round-to <n>', 'kept widths are multiples of this', wholeNumber(1))
    .option('--min-width <n>', 'no width goes below this', wholeNumber(1))
    .option('--only <glob>', 'prune these groups only; repeatable', repeated)
    .option('--skip <glob>', 'do not prune these groups; repeatable', repeated)
    .addOption(new Option('--ranking <kind>', 'the same share of every group, or the least important units anywhere').choices(['uniform', 'global']).default('uniform'))
    .option('--scorer <name>', 'importance criterion; `coppice scorers` lists them', 'l2')
    .option('--seed <n>', 'for scorers with random numbers', wholeNumber(0), 0)
    .option('--data <name=file.npy>', 'calibration inputs for scorers that need activations; repeatable', namedFile)
    .option('--plugin <file>', 'a file that exports a scorer; repeatable', repeated)
    .option('--config <file>', 'configuration file (default: coppice.config.ts where there is one)');
  addAnalysisOptions(command)
    .option('--force', 'replace existing files')
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nExample:\n  coppice prune model.onnx --macs 0.5 --round-to 8 --out slim.onnx')
    .action(async (path: string, options: PruneOptions & { readonly json?: boolean }) => {
      const report = await pruneModel(path, options, context);
      if (options.json) context.terminal.print(JSON.stringify(report, undefined, 2));
      else printPrune(report, context.terminal);
    });
}
