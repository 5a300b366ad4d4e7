import { InvalidArgumentError, type Command } from 'commander';
import type { Context } from '../context.ts';
import { corpusOf, preparePart } from '../speech/corpus.ts';
import { evaluateRecogniser, type Evaluation } from '../speech/evaluate.ts';
import { compareEvaluations, evaluationReport, printEvaluation } from '../speech/evaluation-text.ts';
import { readRecogniser } from '../speech/recogniser.ts';
import { addSpeechOptions, speechBackend, type SpeechOptions } from '../speech/speech-options.ts';
import { progressBar } from '../text-table.ts';

interface EvalOptions extends SpeechOptions {
  readonly split: string;
  readonly decoder: 'greedy' | number;
  readonly description?: string;
  readonly show?: boolean;
  readonly json?: boolean;
}

/** `coppice eval`: how often models err on a part of a corpus, and whether they differ. */
export function defineEval(program: Command, context: Context): void {
  addSpeechOptions(program.command('eval').description('recognise a part of a corpus, count the errors, and compare models')
    .argument('<models...>', '.onnx files with their descriptions beside them; the first is what the others are compared with'))
    .option('--split <name>', 'part of the corpus', 'test')
    .option('--decoder <kind>', 'greedy, or the width of a beam', decoder, 'greedy')
    .option('--description <file>', 'one description for all models (default: model.speech.json beside each)')
    .option('--show', 'print every utterance that was not recognised exactly')
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nExample:\n  coppice eval model.onnx slim.onnx --dataset digits:/data/fsdd')
    .action((paths: string[], options: EvalOptions) => evalCommand(paths, options, context));
}

function decoder(text: string): 'greedy' | number {
  if (text === 'greedy') return text;
  const width = Number(text);
  if (!Number.isInteger(width) || width < 1) throw new InvalidArgumentError('It must be greedy, or a whole number from 1.');
  return width;
}

async function evalCommand(paths: readonly string[], { split, decoder: kind, description, show = false, json = false, ...options }: EvalOptions, context: Context): Promise<void> {
  const { terminal } = context;
  const { backend, threads } = await speechBackend(context, options);
  const recognisers = paths.map((path) => readRecogniser(path, description));
  const dataset = await corpusOf(context, { dataset: options.dataset, options: options.datasetOption });
  const models: { name: string; evaluation: Evaluation }[] = [];
  for (const [k, recogniser] of recognisers.entries()) {
    const { examples } = await preparePart(dataset, { split, description: recogniser.description, purpose: 'evaluation' }, terminal);
    const evaluation = await evaluateRecogniser(recogniser, examples, { backend, threads, decoder: kind, onProgress: (done, of) => terminal.progress(`${progressBar(done, of)} ${paths[k]}`) });
    models.push({ name: paths[k], evaluation });
  }
  if (json) {
    terminal.print(JSON.stringify({ split, models: models.map(({ name, evaluation }, k) => ({ model: name, ...evaluationReport(evaluation), ...(k > 0 && { comparison: compareEvaluations(models[0].evaluation, evaluation) }) })) }, undefined, 2));
    return;
  }
  if (show) for (const { name, evaluation } of models) for (const { id, reference, hypothesis } of evaluation.heard) if (reference !== hypothesis) terminal.print(`${models.length > 1 ? `${name}  ` : ''}${id}\n  said  ${reference}\n  heard ${hypothesis}`);
  printEvaluation(models, { split, terminal });
}
