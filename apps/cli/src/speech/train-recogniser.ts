import type { Backend } from '@coppice/core';
import { CoppiceError, type Model } from '@coppice/graph';
import { buildReferenceModel, cmuPhones, defaultFeatures, describeReferenceModel, kaldiFbank, phones39, tokenizerOfTranscripts, toPhone39, type Dataset, type FeatureSettings, type ReferenceOptions, type TokenKind, type Tokenizer, type Utterance } from '@coppice/speech';
import type { RunDirectory } from '../run/run-directory.ts';
import type { Terminal } from '../terminal.ts';
import { progressBar } from '../text-table.ts';
import { preparePart } from './corpus.ts';
import { evaluateRecogniser, type Evaluation } from './evaluate.ts';
import type { Recogniser } from './recogniser.ts';
import { trainingData } from './training-data.ts';
import { tuneInRun } from './tune-in-run.ts';
import type { Tuned, TuneSettings } from './tune.ts';

export interface FitRequest {
  readonly recogniser: Recogniser;
  readonly teacher?: Model;
  readonly dataset: Dataset;
  readonly splits: { readonly train: string; readonly dev: string; readonly test: string };
  readonly settings: TuneSettings;
  readonly seed: number;
  readonly backend: Backend;
  readonly threads: number;
  readonly run: RunDirectory;
  readonly terminal: Terminal;
}

export interface Fitted {
  readonly recogniser: Recogniser;
  readonly tuned: Tuned;
  /** On the test part, where the corpus has one. */
  readonly test?: Evaluation;
}

/**
 * Trains or fine-tunes a recogniser on a corpus, with checkpoints in a run directory, and evaluates it.
 * @throws what `tuneInRun` throws
 */
export async function fitRecogniser({ recogniser, teacher, dataset, splits, settings, seed, backend, threads, run, terminal }: FitRequest): Promise<Fitted> {
  const { description } = recogniser;
  const heldOut = dataset.splits.includes(splits.dev) ? (await preparePart(dataset, { split: splits.dev, description, purpose: 'evaluation' }, terminal)).examples : [];
  if (heldOut.length === 0) terminal.log(`the corpus has no part '${splits.dev}': the last weights are kept, not the best`);
  const data = await trainingData({ dataset, split: splits.train, description, batchSize: settings.batchSize, seed, augment: settings.augment, speeds: settings.speeds, redraw: true }, terminal);
  const tuned = await tuneInRun({ recogniser, teacher, data, heldOut, settings, backend, threads, run, name: 'training', terminal });
  const trained = { model: tuned.model, description };
  if (!dataset.splits.includes(splits.test)) return { recogniser: trained, tuned };
  const { examples } = await preparePart(dataset, { split: splits.test, description, purpose: 'evaluation' }, terminal);
  const test = await evaluateRecogniser(trained, examples, { backend, threads, onProgress: (done, of) => terminal.progress(`${progressBar(done, of)} recognising the test part`) });
  return { recogniser: trained, tuned, test };
}

/** Features that a model can be trained on: ours, or Kaldi's filter banks, which sherpa-onnx computes. Each band is normalised over the clip. */
export const featureKinds = {
  'log-mel': defaultFeatures,
  kaldi: (options: { sampleRateHz?: number; mels?: number }) => ({ ...kaldiFbank({ mels: 40, ...options }), normalisation: defaultFeatures().normalisation }),
} as const satisfies Readonly<Record<string, (options: { sampleRateHz?: number; mels?: number }) => FeatureSettings>>;

export interface NewRecogniserRequest {
  readonly dataset: Dataset;
  readonly split: string;
  readonly tokens: TokenKind;
  readonly sizes: Omit<ReferenceOptions, 'tokens'>;
  /** Default `log-mel`. */
  readonly features?: keyof typeof featureKinds;
}

/**
 * An untrained reference model that fits a corpus: its sample rate, and an alphabet of what its transcripts are made of.
 * @throws CoppiceError `COPPICE_DATASET_INVALID` when the part is empty
 */
export async function newRecogniser({ dataset, split, tokens, sizes, features = 'log-mel' }: NewRecogniserRequest): Promise<Recogniser> {
  const utterances = await dataset.utterances(split, 0);
  if (utterances.length === 0) throw new CoppiceError('COPPICE_DATASET_INVALID', `The part '${split}' of the corpus is empty. It has: ${dataset.splits.join(', ')}.`);
  const { sampleRateHz } = await utterances[0].audio();
  const tokenizer: Tokenizer = tokens === 'phones' ? tokenizerOfPhones(utterances) : tokenizerOfTranscripts(tokens, utterances.map(({ transcript }) => transcript));
  const model = buildReferenceModel({ ...sizes, tokens: tokenizer.description.tokens.length });
  return { model, description: describeReferenceModel(model, { features: featureKinds[features]({ sampleRateHz, ...(sizes.mels !== undefined && { mels: sizes.mels }) }), tokenizer }) };
}

/** CMU's 39 phones where they can write the corpus, else those that it has, e.g. TIMIT's 39. */
function tokenizerOfPhones(utterances: readonly Utterance[]): Tokenizer {
  const said = new Set(utterances.flatMap(({ phones = [] }) => phones));
  const cmu: ReadonlySet<string> = new Set(cmuPhones);
  return [...said].every((phone) => cmu.has(toPhone39(phone))) ? phones39() : tokenizerOfTranscripts('phones', [[...said].join(' ')]);
}
