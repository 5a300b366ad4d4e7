import type { Backend } from '@coppice/core';
import { CoppiceError, encodeChunks, type Model } from '@coppice/graph';
import { writeDescription, type SpeechDescription } from '@coppice/speech';
import { writeBundleFolder } from './bundle-folder.ts';
import { makeGolden, syntheticClips, toleranceOf, type ClipSource } from './golden.ts';
import type { BundleManifest, DecoderChoice, DescriptionFile, FileEntry, Measurements, ModelEntry, PruningRecord } from './manifest.ts';
import { modelCard } from './model-card.ts';
import { describeModel, metadataFaults } from './model-entry.ts';
import { manifestText, parseManifest } from './parse-manifest.ts';
import type { AdaptedModel, Target, TargetOptions } from './target.ts';

/** What is to be shipped. */
export interface ExportRequest {
  /** For people, e.g. `digits`. Any text: where it becomes part of a file or of HTML, it is escaped. */
  readonly name: string;
  readonly model: Model;
  readonly speech: SpeechDescription;
  /** How the model was quantised; default `none`. */
  readonly quantisation?: string;
  /** The model before pruning, to be carried along and compared with. */
  readonly original?: Model;
  readonly decoder?: DecoderChoice;
  readonly licence?: string;
  readonly pruned?: PruningRecord;
  readonly measured?: Measurements;
  /** Default: synthetic sound. */
  readonly clips?: ClipSource;
  /** What computes the expected values. */
  readonly backend: Backend;
  readonly options?: TargetOptions;
  readonly force?: boolean;
}

/**
 * Everything that keeps a model from a target, a sentence each.
 * @param names how sentences call the models
 */
export function refusalsOf(target: Target, { model, original, speech }: Pick<ExportRequest, 'model' | 'original' | 'speech'>): string[] {
  return [...target.refusals(model, speech), ...metadataFaults(model, speech), ...(original === undefined ? [] : target.refusals(original, speech).map((sentence) => `Of the original: ${sentence}`))];
}

/**
 * Throws the whole list of what keeps a model from a target, if there is anything.
 * @throws CoppiceError `COPPICE_TARGET_REFUSED`
 */
export function assertExportable(target: Target, request: Pick<ExportRequest, 'model' | 'original' | 'speech'>): void {
  const refusals = refusalsOf(target, request);
  if (refusals.length > 0) throw new CoppiceError('COPPICE_TARGET_REFUSED', `The target '${target.name}' cannot take this model:\n${refusals.map((sentence) => `  ${sentence}`).join('\n')}\nNothing was written.`);
}

/**
 * Writes a bundle, complete or not at all.
 * @param folder where it goes
 * @returns its manifest
 * @throws CoppiceError `COPPICE_TARGET_REFUSED`, `COPPICE_FILE_EXISTS`, `COPPICE_FILE_WRITE`, and what the backend throws
 */
export async function exportBundle(target: Target, request: ExportRequest, folder: string): Promise<BundleManifest> {
  const { name, backend, quantisation = 'none', decoder = { type: 'greedy' }, licence, pruned, measured = {}, options = {}, force } = request;
  assertExportable(target, request);
  const adapt = (each: Model): AdaptedModel => target.adapt?.(each, request.speech) ?? { model: each, speech: request.speech, reference: each };
  const { model, path, speech, reference } = adapt(request.model);
  const original = request.original === undefined ? undefined : adapt(request.original).model;
  const clips = request.clips ?? syntheticClips(speech.features.sampleRateHz);
  const description = JSON.parse(writeDescription(speech)) as DescriptionFile;
  const golden = await makeGolden(reference, { speech, decoder }, clips, backend, { ...toleranceOf(quantisation), ...target.tolerance });
  return writeBundleFolder(folder, { force }, async ({ write }) => {
    const files: FileEntry[] = [];
    const add = (file: Parameters<typeof write>[0]): FileEntry => {
      const entry = write(file);
      files.push(entry);
      return entry;
    };
    const entryOf = (path: string, which: Model, quantised: string): ModelEntry => ({ ...add({ path, bytes: encodeChunks(which) }), ...describeModel(which, speech, quantised) });
    const draft: Omit<BundleManifest, 'files'> = {
      format: 'coppice-bundle', version: 1, name, target: target.name, licence: licence ?? null, speech: description, decoder,
      model: entryOf(path ?? 'model.onnx', model, quantisation),
      ...(original === undefined ? {} : { original: entryOf('original.onnx', original, 'none') }),
      ...(pruned === undefined ? {} : { pruned }),
      measured, golden: golden.record, runtime: target.runtime(options, { model, speech }),
    };
    for (const file of golden.files) add(file);
    add({ path: 'README.md', bytes: modelCard(draft) });
    for await (const file of target.files({ manifest: draft, model, options, files: [...files] })) add(file);
    const manifest: BundleManifest = { ...draft, files: files.toSorted((a, b) => (a.path < b.path ? -1 : 1)) };
    const text = manifestText(manifest);
    write({ path: 'manifest.json', bytes: text });
    return parseManifest(text, 'manifest.json');
  });
}
