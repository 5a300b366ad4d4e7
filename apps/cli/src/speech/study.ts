import { findUnits, type Backend, type NamedTensors, type Units } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import { makeBatches, type Example } from '@coppice/speech';
import type { Command } from 'commander';
import { wholeNumber } from '../arguments.ts';
import type { Context } from '../context.ts';
import { traceRecogniser } from '../recipe/prune-round.ts';
import { corpusOf, preparePart } from './corpus.ts';
import type { Evaluation } from './evaluate.ts';
import { readRecogniser, type Recogniser } from './recogniser.ts';
import { addSpeechOptions, speechBackend, type SpeechOptions } from './speech-options.ts';

/** Options of commands that look at what a recogniser can lose, and write what they saw into a folder. */
export interface StudyOptions extends SpeechOptions {
  readonly split: string;
  readonly utterances?: number;
  readonly train: string;
  readonly batches: number;
  readonly batchSize: number;
  readonly description?: string;
  readonly seed: number;
  readonly out?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export const addStudyOptions = (command: Command): Command => addSpeechOptions(command)
  .option('--split <name>', 'part that is recognised', 'dev')
  .option('--utterances <n>', 'recognise only so many of it, always the same ones', wholeNumber(1))
  .option('--train <split>', 'part that scorers look at', 'train')
  .option('--batches <n>', 'batches of it that they see', wholeNumber(1), 8)
  .option('--batch-size <n>', 'utterances in a batch', wholeNumber(1), 16)
  .option('--description <file>', 'description of the model (default: model.speech.json beside it)')
  .option('--seed <n>', 'of batches, and of scorers with random numbers', wholeNumber(0), 0)
  .option('--out <folder>', 'where table and picture go (default: a new folder in ./runs)')
  .option('--force', 'replace existing files')
  .option('--json', 'one JSON document on stdout');

/** A recogniser with its units, what it is measured on and what its units are scored with. */
export interface Study {
  readonly recogniser: Recogniser;
  readonly units: Units;
  readonly backend: Backend;
  readonly threads: number;
  /** To be recognised. */
  readonly examples: readonly Example[];
  /** Inputs and labels, of another part than the examples unless the user says otherwise. */
  readonly batches: readonly NamedTensors[];
  readonly seed: number;
}

/**
 * Reads a model and what of a corpus is needed to study it. Plugins must be loaded.
 * @throws CoppiceError `COPPICE_GROUP_UNKNOWN` when nothing of the model can be pruned, and what reading throws
 */
export async function openStudy(path: string, options: StudyOptions, context: Context): Promise<Study> {
  const { terminal } = context;
  const { backend, threads } = await speechBackend(context, options);
  const recogniser = readRecogniser(path, options.description);
  terminal.progress(`running ${path} for its shapes`);
  const units = findUnits(await traceRecogniser(recogniser.model, backend));
  if (units.groups.length === 0) throw new CoppiceError('COPPICE_GROUP_UNKNOWN', `${path} has no group of units that may be pruned. \`coppice inspect\` says what is frozen and why.`);
  const dataset = await corpusOf(context, { dataset: options.dataset, options: options.datasetOption });
  const { description } = recogniser;
  const { examples } = await preparePart(dataset, { split: options.split, description, purpose: 'evaluation', atMost: options.utterances }, terminal);
  const seen = await preparePart(dataset, { split: options.train, description, purpose: 'training', atMost: options.batches * options.batchSize }, terminal);
  const made = makeBatches(seen.examples, { description, batchSize: options.batchSize, seed: options.seed, epoch: 0 });
  const batches = Array.from({ length: Math.min(options.batches, made.count) }, (_, k) => made.batch(k).tensors);
  return { recogniser, units, backend, threads, examples, batches, seed: options.seed };
}

/** Errors and loss of a model in a study. */
export interface Accuracy extends Pick<Evaluation, 'interval' | 'lossPerLabel'> {
  readonly errorRate: number;
}

export const accuracyOf = ({ errors, interval, lossPerLabel }: Evaluation): Accuracy => ({ errorRate: errors.rate, interval, lossPerLabel });

/** How long the rest takes at the pace so far. */
export function timeLeft(startMs: number, done: number, of: number): string {
  if (done === 0) return '';
  const seconds = Math.ceil((((performance.now() - startMs) / done) * (of - done)) / 1000);
  return seconds < 100 ? `, ${seconds} s left` : `, ${Math.ceil(seconds / 60)} min left`;
}
