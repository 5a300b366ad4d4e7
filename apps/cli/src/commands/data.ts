import { CoppiceError } from '@coppice/graph';
import type { Dataset } from '@coppice/speech';
import { type Command } from 'commander';
import { repeated, wholeNumber } from '../arguments.ts';
import { exitCodes, type Context } from '../context.ts';
import { checkCorpus } from '../data/check-corpus.ts';
import { printCorpus } from '../data/corpus-text.ts';
import { mostBroken } from '../data/mistakes.ts';
import { addPluginOptions, type PluginOptions } from '../plugins.ts';
import { openCorpus, type CorpusSource } from '../speech/corpus.ts';
import { addCorpusOptions } from '../speech/speech-options.ts';

interface CheckOptions extends PluginOptions {
  readonly datasetOption?: Readonly<Record<string, string>>;
  readonly split?: readonly string[];
  readonly decode: number;
  readonly json?: boolean;
}

/** Recordings of a part that are decoded where nothing is said: a minute or two for any corpus. */
const usualDecoded = 2000;

/** `coppice data check`: what is in a corpus, and what is likely wrong with it. */
export function defineData(program: Command, context: Context): void {
  const data = program.command('data').description('look at a corpus');
  addPluginOptions(addCorpusOptions(data.command('check').description('counts, lengths, rates, speakers, alphabet, broken files and likely mistakes of a corpus')
    .argument('<format:folder>', 'the corpus, e.g. librispeech:/data/LibriSpeech; an archive will do')
    .option('--split <name>', 'only this part; repeatable (default: all)', repeated)))
    .option('--decode <n>', `so many recordings of each part are decoded, from all over it; all for every one (default: ${usualDecoded})`, decodeCount, usualDecoded)
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nExample:\n  coppice data check librispeech:/data/LibriSpeech')
    .action((source: string, options: CheckOptions) => checkCommand(source, options, context));
}

const decodeCount = (text: string): number => (text === 'all' ? Infinity : wholeNumber(1)(text));

async function checkCommand(source: string, { datasetOption, split, decode, json = false }: CheckOptions, context: Context): Promise<void> {
  const { terminal } = context;
  const dataset = await openLeniently({ dataset: source, options: datasetOption }, context);
  const report = await checkCorpus(dataset, { name: source, splits: split, decoded: decode, onProgress: (text) => terminal.progress(text) });
  terminal.progress('');
  if (json) terminal.print(JSON.stringify(report, undefined, 2));
  else printCorpus(report, terminal);
  const [decoded, all] = (['decoded', 'utterances'] as const).map((key) => report.parts.reduce((sum, part) => sum + (part.sameAs === undefined ? part[key] : 0), 0));
  if (report.broken.length > mostBroken * decoded || report.skipped.length > mostBroken * (all + report.skipped.length)) context.fail(exitCodes.wrong);
}

/** A corpus of which too much is broken to be used is still told of, where its format can open it at all. */
async function openLeniently(source: CorpusSource, { container, folder }: Context): Promise<Dataset> {
  try {
    return await openCorpus(container, source, folder);
  } catch (error) {
    if (!(error instanceof CoppiceError) || error.code !== 'COPPICE_DATASET_INVALID' || source.options?.maxBrokenShare !== undefined) throw error;
    return openCorpus(container, { ...source, options: { ...source.options, maxBrokenShare: 1 } }, folder).catch(() => {
      throw error;
    });
  }
}
