import { InvalidArgumentError, Option, type Command } from 'commander';
import { repeated, wholeNumber } from '../arguments.ts';
import { addPluginOptions, type PluginOptions } from '../plugins.ts';
import { addCorpusOptions } from '../speech/speech-options.ts';
import { quantiseChoices, type PrepareOptions, type QuantiseChoice } from '@coppice/exporter-edge';

/** What `export` and `bundle` share. */
export interface ExportOptions extends PluginOptions {
  readonly out: string;
  readonly quantize: QuantiseChoice;
  readonly calibration: NonNullable<PrepareOptions['calibration']>['method'];
  readonly original?: string;
  readonly description?: string;
  readonly dataset?: string;
  readonly datasetOption?: Readonly<Record<string, string>>;
  readonly split: string;
  readonly audio?: readonly string[];
  readonly clips: number;
  readonly decoder: 'greedy' | number;
  readonly webgpu?: boolean;
  readonly plan?: string;
  readonly run?: string;
  readonly licence?: string;
  readonly name?: string;
  readonly measure?: boolean;
  readonly backend: string;
  readonly threads?: number;
  readonly force?: boolean;
  readonly json?: boolean;
}

export function addExportOptions(command: Command): Command {
  command
    .addOption(new Option('--quantize <kind>', 'int8: all that can be, int8-dynamic: with ranges of each run, weight-int8, weight-int4: weights alone; float16; auto: operator by operator what measurements speak for').choices([...quantiseChoices]).default('none'))
    .addOption(new Option('--calibration <method>', 'how int8 gets its ranges: min-max, all that was seen; percentile, all but 0.01 %; entropy, the clipping that loses least').choices(['min-max', 'percentile', 'entropy']).default('min-max'))
    .option('--original <model>', 'the model before pruning, carried along to compare with')
    .option('--description <file>', 'of the features and the alphabet (default: model.speech.json)')
    .option('--decoder <kind>', 'greedy, or the width of a beam', decoder, 'greedy')
    .option('--name <text>', 'what the bundle is called (default: the file)')
    .option('--licence <spdx>', 'what the model may be used for, e.g. Apache-2.0')
    .option('--webgpu', 'web: bring the runtime with WebGPU too, 6.8 MB that are loaded when it is chosen')
    .option('--plan <file>', 'the plan.json of the pruning, for the record')
    .option('--run <folder>', 'the run of the pruning, for the record')
    .optionsGroup('Golden clips and figures:')
    .option('--dataset <format:folder>', 'clips from this corpus, and error rates on it, e.g. digits:/data/fsdd');
  addPluginOptions(addCorpusOptions(command))
    .option('--split <name>', 'part of the corpus', 'test')
    .option('--clips <n>', 'how many clips of it', wholeNumber(1), 3)
    .option('--audio <file>', 'a recording as a clip; repeatable (default without both: synthetic sound)', repeated)
    .option('--no-measure', 'measure neither error rates nor latency')
    .option('--backend <name>', 'auto (native where it is installed), onnx (WebAssembly), onnx:native, tfjs; `coppice doctor` lists them', 'auto')
    .option('--threads <n>', 'threads of the backend (default: all cores, up to 4)', wholeNumber(1))
    .optionsGroup('Output:')
    .option('--force', 'replace a bundle that is there')
    .option('--json', 'one JSON document on stdout');
  return command;
}

function decoder(text: string): 'greedy' | number {
  if (text === 'greedy') return text;
  const width = Number(text);
  if (!Number.isInteger(width) || width < 1) throw new InvalidArgumentError('It must be greedy, or a whole number from 1.');
  return width;
}
