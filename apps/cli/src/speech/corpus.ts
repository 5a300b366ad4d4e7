import { createRandom } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import { prepareUtterances, type Dataset, type Prepared, type PrepareOptions, type SpeechDescription, type Utterance } from '@coppice/speech';
import { createFeatureCache, sharedAudioPool } from '@coppice/speech/node';
import type { Container } from 'inversify';
import { resolve } from 'node:path';
import { datasetNamed, namesOf } from '../container.ts';
import type { Context } from '../context.ts';
import type { Terminal } from '../terminal.ts';

/** A corpus as a user names it. */
export interface CorpusSource {
  /** `digits:/data/fsdd` */
  readonly dataset: string;
  readonly options?: Readonly<Record<string, string | number>>;
}

/**
 * Opens the corpus that `format:folder` names.
 * @throws CoppiceError `COPPICE_DATASET_UNKNOWN`, `COPPICE_DATASET_INVALID`
 */
export async function openCorpus(container: Container, { dataset, options }: CorpusSource, folder: string): Promise<Dataset> {
  const colon = dataset.indexOf(':');
  const name = dataset.slice(0, Math.max(0, colon));
  if (colon < 1 || colon === dataset.length - 1) throw new CoppiceError('COPPICE_DATASET_UNKNOWN', `'${dataset}' does not name a corpus. Write the format and the folder, e.g. --dataset digits:/data/fsdd. Formats: ${namesOf(container, 'Dataset').join(', ')}.`);
  return datasetNamed(container, name).open(resolve(folder, dataset.slice(colon + 1)), options);
}

/** The corpus of a command; what should be known about it is told. */
export async function corpusOf({ container, terminal, folder }: Pick<Context, 'container' | 'terminal' | 'folder'>, source: CorpusSource): Promise<Dataset> {
  const dataset = await openCorpus(container, source, folder);
  for (const note of dataset.notes ?? []) terminal.log(note);
  return dataset;
}

export interface PartRequest {
  readonly split: string;
  readonly description: SpeechDescription;
  readonly purpose: 'training' | 'evaluation';
  readonly epoch?: number;
  /** So many utterances only: always the same ones, from all over the part, because corpora are sorted by speaker. */
  readonly atMost?: number;
}

/** Share of utterances that may be left out before something must be wrong with the corpus. */
const MOST_SKIPPED = 0.01;

/**
 * Features and labels of a part of a corpus. What cannot be used is counted and listed.
 * @throws CoppiceError `COPPICE_DATASET_INVALID` when more than one in a hundred (and more than one) cannot be used, or nothing is left
 */
export async function preparePart(dataset: Dataset, { split, description, purpose, epoch, atMost = Infinity }: PartRequest, terminal: Terminal): Promise<Prepared> {
  const utterances = someOf(await dataset.utterances(split, epoch), atMost);
  const prepared = await prepareUtterances(utterances, {
    description, purpose, ...beside(utterances.length, epoch),
    onProgress: (done, of) => done % 20 === 0 && terminal.progress(`features of '${split}': ${done} of ${of}`),
  });
  const { examples, skipped, resampled } = prepared;
  if (skipped.length > 0) {
    const shown = skipped.slice(0, 5).map(({ id, reason }) => `  ${id}: ${reason}`);
    terminal.log(`left out ${skipped.length} of ${utterances.length} utterances of '${split}':\n${shown.join('\n')}${skipped.length > 5 ? `\n  and ${skipped.length - 5} more` : ''}`);
  }
  if (resampled > 0 && !epoch) terminal.log(`${resampled} recordings of '${split}' were resampled to ${description.features.sampleRateHz} Hz`);
  if (examples.length === 0 || (skipped.length > 1 && skipped.length > MOST_SKIPPED * utterances.length)) {
    throw new CoppiceError('COPPICE_DATASET_INVALID', `${skipped.length} of ${utterances.length} utterances of '${split}' cannot be used (first: ${skipped[0] ? `${skipped[0].id}: ${skipped[0].reason}` : 'there is none'}). Up to ${MOST_SKIPPED * 100} % may be broken; mend or remove them, or see whether corpus and model belong together.`);
  }
  return prepared;
}

/** Fewer utterances are done before threads have started. */
const FEW = 64;

/** How features are computed: in threads, and where `COPPICE_FEATURES` names a folder, kept there. They are the same numbers, so no run depends on it. */
function beside(utterances: number, epoch: number | undefined): Pick<PrepareOptions, 'features' | 'ahead'> {
  const pool = utterances < FEW ? undefined : sharedAudioPool();
  // Recordings that are drawn anew are hardly ever drawn twice.
  const folder = epoch ? undefined : process.env.COPPICE_FEATURES;
  const features = folder ? createFeatureCache(resolve(folder), pool?.features).features : pool?.features;
  return { ...(features === undefined ? {} : { features }), ...(pool === undefined ? {} : { ahead: 2 * pool.threads + 2 }) };
}

/** Chosen at random with a fixed seed, in their order. */
function someOf(utterances: readonly Utterance[], atMost: number): readonly Utterance[] {
  if (utterances.length <= atMost) return utterances;
  const chosen = new Set(createRandom('some utterances').shuffle(utterances.map((_, k) => k)).slice(0, atMost));
  return utterances.filter((_, k) => chosen.has(k));
}
