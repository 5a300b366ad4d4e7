import { countReferenceParameters, type TokenKind } from '@coppice/speech';
import { Option, type Command } from 'commander';
import { wholeNumber, wholeNumbers } from '../arguments.ts';
import type { Context } from '../context.ts';
import { checkOutputs } from '../output-files.ts';
import { defaultTuning } from '../recipe/recipe.ts';
import { corpusOf } from '../speech/corpus.ts';
import { printFit } from '../speech/fit-text.ts';
import { descriptionPath, writeRecogniser } from '../speech/recogniser.ts';
import { addFitOptions, addSpeechOptions, addTuneOptions, openRun, speechBackend, tuneSettings, type FitOptions } from '../speech/speech-options.ts';
import { featureKinds, fitRecogniser, newRecogniser } from '../speech/train-recogniser.ts';
import type { TuneSettings } from '../speech/tune.ts';

interface TrainCommandOptions extends FitOptions {
  readonly tokens: TokenKind;
  readonly features: keyof typeof featureKinds;
  readonly mels?: number;
  readonly channels?: readonly number[];
  readonly rnn?: 'gru' | 'lstm';
  readonly hidden?: number;
  readonly layers?: number;
}

/** Training from nothing: no teacher, more steps. */
const trainingDefaults: TuneSettings = { ...defaultTuning, steps: 3000, peak: 2e-3, distillation: 0, evaluateEvery: 250, augment: 'small' };

/** `coppice train`: the reference recogniser, trained on a corpus. */
export function defineTrain(program: Command, context: Context): void {
  const command = program.command('train').description('train the reference CNN+RNN recogniser on a corpus, with CTC')
    .requiredOption('--out <file>', 'where the trained model goes; its description goes beside it');
  addFitOptions(addTuneOptions(addSpeechOptions(command), trainingDefaults, 'never'), 'weights, order, masks and speeds')
    .addOption(new Option('--tokens <kind>', 'what the model writes').choices(['words', 'characters', 'phones']).default('characters'))
    .addOption(new Option('--features <kind>', "what the model reads of sound: log-mel, or Kaldi's filter banks, which sherpa-onnx can compute").choices(Object.keys(featureKinds)).default('log-mel'))
    .option('--mels <n>', 'mel bands of a feature frame (default: 40)', wholeNumber(1))
    .option('--channels <n,n>', 'channels of each convolution (default: 32,32)', wholeNumbers)
    .addOption(new Option('--rnn <kind>', 'kind of the recurrent layers (default: gru)').choices(['gru', 'lstm']))
    .option('--hidden <n>', 'units of each direction (default: 128)', wholeNumber(1))
    .option('--layers <n>', 'recurrent layers (default: 3)', wholeNumber(1))
    .addHelpText('after', '\nExample:\n  coppice train --dataset digits:/data/fsdd --dataset-option strings=true --tokens words --out digits.onnx')
    .action((options: TrainCommandOptions) => trainCommand(options, context));
}

async function trainCommand({ out, run: folder, tokens, features, mels, channels, rnn, hidden, layers, seed, train, dev, test, force = false, json, ...options }: TrainCommandOptions, context: Context): Promise<void> {
  const { terminal } = context;
  checkOutputs([out, descriptionPath(out)], { force });
  const { backend, threads } = await speechBackend(context, options);
  const dataset = await corpusOf(context, { dataset: options.dataset, options: options.datasetOption });
  const sizes = Object.fromEntries(Object.entries({ mels, channels, rnn, hidden, layers, seed }).filter(([, value]) => value !== undefined));
  const settings = tuneSettings(options, trainingDefaults);
  const splits = { train, dev, test };
  const run = openRun(context, 'train', folder, { command: 'train', dataset: options.dataset, datasetOption: options.datasetOption, tokens, ...(features !== 'log-mel' && { features }), sizes, settings, seed, splits, backend: backend.name, threads });
  const recogniser = await newRecogniser({ dataset, split: train, tokens, sizes, features });
  const { recogniser: trained, tuned, test: evaluation } = await fitRecogniser({ recogniser, dataset, splits, settings, seed, backend, threads, run, terminal });
  await writeRecogniser(trained, out, force);
  const parameters = countReferenceParameters({ ...sizes, tokens: recogniser.description.tokens.length }).toLocaleString('en');
  printFit({ out, run: run.path, tuned, evaluation, split: test, about: `${parameters} parameters, `, json, terminal });
}
