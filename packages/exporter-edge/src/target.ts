import type { Backend } from '@coppice/core';
import type { Model } from '@coppice/graph';
import type { CalibrationRuns } from '@coppice/quantize';
import type { SpeechDescription } from '@coppice/speech';
import type { Verification } from './finding.ts';
import type { BundleManifest, RuntimeEntry } from './manifest.ts';
import type { PreparedModel } from './quantise.ts';

/**
 * A place where recognisers run. To add one: a folder `targets/<name>/` with such an object, and its line in `targets/index.ts`.
 * Everything that all bundles have (the model, golden clips, the model card, the manifest, hashes, writing all or nothing) is done for it.
 */
export interface Target {
  /** What a user writes: `--target web`. */
  readonly name: string;
  /** One line for lists of targets. */
  readonly summary: string;
  /** What runs the model there, and what that costs. */
  runtime(options: TargetOptions, shipped: { readonly model: Model; readonly speech: SpeechDescription }): RuntimeEntry;
  /** How far golden values may be off, where that is another distance than elsewhere. */
  readonly tolerance?: { readonly features?: number; readonly logProbs?: number };
  /** How a model is finished and quantised, where this runtime takes one form only. */
  prepare?(model: Model, options: { readonly speech: SpeechDescription; readonly backend: Backend; readonly runs: CalibrationRuns }): Promise<PreparedModel>;
  /**
   * Everything about a model that this runtime cannot run, a sentence each that names the operator, type or shape; empty when it can.
   * Asked before anything is computed or written.
   * @param speech how the model was described, for targets that compute features of their own
   */
  refusals(model: Model, speech: SpeechDescription): readonly string[];
  /** What is shipped instead of the model, where this runtime reads another form of it; asked when there were no refusals. */
  adapt?(model: Model, speech: SpeechDescription): AdaptedModel;
  /** The files beside those that every bundle has. Paths are relative, with slashes. */
  files(draft: BundleDraft): AsyncIterable<BundleFile>;
  /**
   * Runs the golden clips of a bundle on the real runtime and compares.
   * @param folder a bundle whose files are those of its manifest
   */
  verify(folder: string, manifest: BundleManifest, options: VerifyOptions): Promise<Verification>;
}

/** A model in the form that one runtime reads. */
export interface AdaptedModel {
  /** What is written. It may take sound, or inputs beside the features; its input and output are those of `speech`. */
  readonly model: Model;
  /** Where it is written; default `model.onnx`. */
  readonly path?: string;
  /** Features stay those of training, wherever they are computed; names, axes and the frame stride are those of the written model. */
  readonly speech: SpeechDescription;
  /** What golden values are computed with: features in, the written model's logarithms of probabilities out. */
  readonly reference: Model;
}

/** What a user may choose about a target. */
export interface TargetOptions {
  /** A page to show the recogniser with, instead of the plain one. */
  readonly page?: Page;
  /** For the web: bring the build of the runtime with WebGPU as well, to be loaded when it is chosen. Default false. */
  readonly webgpu?: boolean;
}

/** A page of a bundle for the web: its files, and which of them is opened. */
export interface Page {
  files(draft: BundleDraft): AsyncIterable<BundleFile>;
}

/** What a target knows of the bundle while it writes its files. */
export interface BundleDraft {
  /** Complete but for the files that are still to come. */
  readonly manifest: Omit<BundleManifest, 'files'>;
  /** What is shipped. */
  readonly model: Model;
  readonly options: TargetOptions;
  /** Model, original and golden clips, which are written already. */
  readonly files: BundleManifest['files'];
}

export interface BundleFile {
  readonly path: string;
  readonly bytes: Uint8Array | string | Iterable<Uint8Array>;
}

export interface VerifyOptions {
  /** A browser for targets that need one. */
  readonly chromium?: string;
  readonly onProgress?: (text: string) => void;
}
