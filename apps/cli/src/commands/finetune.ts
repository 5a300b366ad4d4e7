import { CoppiceError } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { freshWeights, withWeights } from '@coppice/recovery';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { identifyFiles } from '../model-hash.ts';
import { checkOutputs } from '../output-files.ts';
import { defaultTuning } from '../recipe/recipe.ts';
import { corpusOf } from '../speech/corpus.ts';
import { printFit } from '../speech/fit-text.ts';
import { assertDescribes } from '../speech/model-fit.ts';
import { descriptionPath, readRecogniser, writeRecogniser } from '../speech/recogniser.ts';
import { addFitOptions, addSpeechOptions, addTuneOptions, openRun, speechBackend, taughtShare, tuneSettings, type FitOptions } from '../speech/speech-options.ts';
import { fitRecogniser } from '../speech/train-recogniser.ts';

interface FinetuneOptions extends FitOptions {
  readonly teacher?: string;
  readonly description?: string;
  readonly fromScratch?: boolean;
}

/** `coppice finetune`: the weights of a model that is there, adapted to a corpus, with or without a teacher. */
export function defineFinetune(program: Command, context: Context): void {
  const command = program.command('finetune').description('train a CTC model further on a corpus, e.g. after pruning')
    .argument('<model>', 'an .onnx file with its description beside it')
    .requiredOption('--out <file>', 'where the new model goes; its description goes beside it')
    .option('--teacher <file>', 'learn from the outputs of this model too, e.g. the unpruned one')
    .option('--from-scratch', 'forget the weights and train this shape from nothing: the control for what pruning keeps')
    .option('--description <file>', 'of the features and the alphabet (default: model.speech.json)');
  addFitOptions(addTuneOptions(addSpeechOptions(command), defaultTuning, taughtShare), 'order, masks and speeds, and of new weights')
    .addHelpText('after', '\nExample:\n  coppice finetune slim.onnx --teacher model.onnx --dataset digits:/data/fsdd --out tuned.onnx')
    .action((path: string, options: FinetuneOptions) => finetuneCommand(path, options, context));
}

async function finetuneCommand(path: string, { out, run: folder, teacher, description, fromScratch = false, seed, train, dev, test, force = false, json, ...options }: FinetuneOptions, context: Context): Promise<void> {
  const { terminal } = context;
  if (teacher === undefined && options.distillation) throw new CoppiceError('COPPICE_ARGUMENT_INVALID', `--distillation ${options.distillation} needs a teacher: name a model with --teacher.`);
  checkOutputs([out, descriptionPath(out)], { force, inputs: [path, ...(teacher ? [teacher] : [])] });
  const { backend, threads } = await speechBackend(context, options);
  const given = readRecogniser(path, description);
  const recogniser = fromScratch ? { ...given, model: withWeights(given.model, freshWeights(given.model, seed)) } : given;
  const taught = teacher === undefined ? undefined : readModel(teacher);
  if (taught) assertDescribes(recogniser.description, taught, teacher!, `The description of ${path}`);
  const dataset = await corpusOf(context, { dataset: options.dataset, options: options.datasetOption });
  const settings = tuneSettings({ ...options, distillation: teacher ? (options.distillation ?? taughtShare) : 0 });
  const splits = { train, dev, test };
  const run = openRun(context, 'finetune', folder, {
    command: 'finetune', model: identifyFiles([path]).sha256, teacher: teacher && identifyFiles([teacher]).sha256, description: recogniser.description, ...(fromScratch && { fromScratch }), dataset: options.dataset, datasetOption: options.datasetOption, settings, seed, splits, backend: backend.name, threads,
  });
  const { recogniser: trained, tuned, test: evaluation } = await fitRecogniser({ recogniser, teacher: taught, dataset, splits, settings, seed, backend, threads, run, terminal });
  await writeRecogniser(trained, out, force);
  printFit({ out, run: run.path, tuned, evaluation, split: test, json, terminal });
}
