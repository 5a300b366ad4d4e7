import { writeModel } from '@coppice/graph/node';
import { buildReferenceModel, countReferenceParameters } from '@coppice/speech';
import { Option, type Command } from 'commander';
import { statSync } from 'node:fs';
import { wholeNumber, wholeNumbers } from '../arguments.ts';
import type { Context } from '../context.ts';
import { formatBytes, formatCount } from '../human-numbers.ts';
import { checkOutputs, uninterrupted } from '../output-files.ts';

interface ReferenceCommandOptions {
  readonly out: string;
  readonly mels?: number;
  readonly channels?: readonly number[];
  readonly rnn?: 'gru' | 'lstm';
  readonly hidden?: number;
  readonly layers?: number;
  readonly tokens?: number;
  readonly seed?: number;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `coppice reference`: the CNN+RNN recogniser that Coppice is measured on, with random weights. */
export function defineReference(program: Command, context: Context): void {
  program.command('reference').description('write the reference CNN+RNN speech recogniser, with random weights')
    .requiredOption('--out <file>', 'where the model goes')
    .option('--mels <n>', 'mel bands of a feature frame (default: 40)', wholeNumber(1))
    .option('--channels <n,n>', 'channels of each convolution (default: 32,32)', wholeNumbers)
    .addOption(new Option('--rnn <kind>', 'kind of the bidirectional recurrent layers (default: gru)').choices(['gru', 'lstm']))
    .option('--hidden <n>', 'units of each direction (default: 128)', wholeNumber(1))
    .option('--layers <n>', 'recurrent layers (default: 3)', wholeNumber(1))
    .option('--tokens <n>', 'output classes (default: 29)', wholeNumber(1))
    .option('--seed <n>', 'of the weights (default: 0)', wholeNumber(0))
    .option('--force', 'replace an existing file')
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nExample:\n  coppice reference --rnn lstm --hidden 256 --out model.onnx')
    .action(async ({ out, force, json, ...sizes }: ReferenceCommandOptions) => {
      const { terminal } = context;
      checkOutputs([out], { force });
      terminal.progress('drawing weights');
      const model = buildReferenceModel(sizes);
      const files = await uninterrupted(() => writeModel(model, out, { force }));
      const [bytes, params] = [statSync(files[0]).size, countReferenceParameters(sizes)];
      if (json) terminal.print(JSON.stringify({ model: out, bytes, params, sizes }, undefined, 2));
      else terminal.print(`${out}  ${formatCount(params)} parameters · ${formatBytes(bytes)}`);
    });
}
