import { CoppiceError } from '@coppice/graph';
import { Option, type Command } from 'commander';
import { groupShare, namedFile, repeated, share, shares, wholeNumber } from '../arguments.ts';
import type { Context } from '../context.ts';
import { addAnalysisOptions } from '../model-options.ts';
import { pruneModel, type PruneOptions } from '../prune-model.ts';
import { printPrune } from '../prune-text.ts';
import { pruneWithSpeech, type PruneWithSpeechOptions } from '../recipe/prune-with-speech.ts';
import { defaultTuning } from '../recipe/recipe.ts';
import { printRun } from '../recipe/run-text.ts';
import { addCorpusOptions, addTuneOptions } from '../speech/speech-options.ts';

/** `coppice prune`: a smaller model that provably computes the same minus the removed units. */
export function definePrune(program: Command, context: Context): void {
  const command = program.command('prune').description('remove the least important units, prove the cut, write the slim model and its plan')
    .argument('<model>', 'an .onnx file')
    .requiredOption('--out <file>', 'where the slim model goes')
    .option('--plan <file>', 'where the plan goes (default: plan.json beside it)')
    .option('--macs <share>', 'share of the multiply–accumulates to keep, e.g. 0.5; with a corpus round by round, e.g. 0.6,0.35,0.2', shares)
    .option('--params <share>', 'share of the parameters to keep', share)
    .option('--bytes <share>', 'share of the bytes of the weights to keep', share)
    .option('--group <glob=share>', 'share of units to keep in groups of this name; repeatable', groupShare)
    .option('--round-to <n>', 'kept widths are multiples of this', wholeNumber(1))
    .option('--min-width <n>', 'no width goes below this', wholeNumber(1))
    .option('--only <glob>', 'prune these groups only; repeatable', repeated)
    .option('--skip <glob>', 'do not prune these groups; repeatable', repeated)
    .addOption(new Option('--ranking <kind>', 'the same share of every group, or the least important units anywhere').choices(['uniform', 'global']))
    .option('--scorer <name>', 'importance criterion (default: l2, with a corpus taylor); `coppice scorers` lists them')
    .option('--seed <n>', 'for scorers with random numbers, and for the order of training (default: 0)', wholeNumber(0))
    .option('--data <name=file.npy>', 'calibration inputs for scorers that need activations; repeatable', namedFile);
  addAnalysisOptions(command, { backend: undefined });
  addCorpusOptions(command.optionsGroup('With a corpus, the accuracy grows back:').option('--dataset <format:folder>', 'score, fine-tune and evaluate on this corpus, e.g. digits:/data/fsdd'))
    .option('--recipe <file>', 'a .ts, .js or .json file with all of this; flags replace its entries')
    .option('--round-steps <n>', 'fine-tuning steps after each round but the last (default: as the last)', wholeNumber(0))
    .option('--calibration-batches <n>', 'batches that scorers and reconstruction see (default: 8)', wholeNumber(1))
    .option('--no-rescore', 'the scores of the original decide in all rounds')
    .option('--no-tune', 'do not fine-tune')
    .option('--no-reconstruct', 'no least-squares reconstruction')
    .option('--no-recalibrate', 'no new statistics for batch norms')
    .option('--description <file>', 'of the features and the alphabet (default: model.speech.json)')
    .option('--run <folder>', 'where everything is kept; the same command goes on there (default: ./runs/prune-…)');
  addTuneOptions(command)
    .optionsGroup('Output:')
    .option('--force', 'replace existing files')
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nExamples:\n  coppice prune model.onnx --macs 0.5 --round-to 8 --out slim.onnx\n  coppice prune model.onnx --macs 0.6,0.35,0.2 --dataset digits:/data/fsdd --out slim.onnx')
    .action(async (path: string, options: PruneCommandOptions) => {
      const { terminal } = context;
      const withSpeech = options.dataset !== undefined || options.recipe !== undefined;
      refuseStrangers(command, withSpeech);
      if (withSpeech) {
        // What nobody chose is the recipe's.
        const chosen = <T>(name: string, value: T): T | undefined => (command.getOptionValueSource(name) === 'cli' ? value : undefined);
        const run = await pruneWithSpeech(path, { ...options, norm: chosen('norm', options.norm), factors: chosen('factors', options.factors) }, context);
        if (options.json) terminal.print(JSON.stringify({ run: run.folder, slim: options.out, ...run.report }, undefined, 2));
        else printRun(run.report, { ...run, slim: options.out, terminal });
        return;
      }
      const report = await pruneModel(path, { ...options, macs: oneShare(options.macs), scorer: options.scorer ?? 'l2', seed: options.seed ?? 0, ranking: options.ranking ?? 'uniform', backend: options.backend ?? 'onnx' }, context);
      if (options.json) terminal.print(JSON.stringify(report, undefined, 2));
      else printPrune(report, terminal);
    });
}

type PruneCommandOptions = Omit<PruneOptions, 'macs' | 'scorer' | 'seed' | 'backend'> & PruneWithSpeechOptions & { readonly backend?: string; readonly json?: boolean };

/** Flags that mean nothing with a corpus, and those that mean nothing without one. */
const STRANGERS = {
  with: ['params', 'bytes', 'group', 'plan', 'data', 'input', 'dim', 'release'],
  without: ['datasetOption', 'roundSteps', 'calibrationBatches', 'tune', 'rescore', 'reconstruct', 'recalibrate', 'description', 'run', ...Object.keys(defaultTuning)],
} as const;

/** A flag that would do nothing is refused. */
function refuseStrangers(command: Command, withSpeech: boolean): void {
  const name = STRANGERS[withSpeech ? 'with' : 'without'].find((flag) => command.getOptionValueSource(flag) === 'cli');
  if (name === undefined) return;
  const { long } = command.options.find((option) => option.attributeName() === name)!;
  throw new CoppiceError('COPPICE_ARGUMENT_INVALID', withSpeech ? `${long} does nothing where a corpus is named. Leave it out, or leave out --dataset and --recipe to cut without speech.` : `${long} needs a corpus: name one with --dataset or --recipe.`);
}

/** Rounds are for what can grow back in between. */
function oneShare(macs: readonly number[] | undefined): number | undefined {
  if (macs && macs.length > 1) throw new CoppiceError('COPPICE_ARGUMENT_INVALID', 'Several shares of --macs are rounds with fine-tuning in between, which needs a corpus: name one with --dataset or --recipe, or give one share.');
  return macs?.[0];
}
