import { assertEqual, cutModel, verifyCut, type Backend, type NamedTensors, type Units, type Verdict } from '@coppice/core';
import type { Model } from '@coppice/graph';
import { recalibrateNorms, reconstruct, unitsWithWeights, withWeights } from '@coppice/recovery';

export interface CutOptions {
  readonly backend: Backend;
  readonly threads: number;
}

export interface RebuildOptions extends CutOptions {
  /** Batches of inputs that the weights are solved for and the statistics measured on. */
  readonly inputs: readonly NamedTensors[];
  /** New statistics for batch norms as well. */
  readonly recalibrate: boolean;
}

/**
 * The model without some units, nothing else changed.
 * @throws CoppiceError `COPPICE_VERIFY_FAILED` when it does not equal the masked model
 */
export async function provenCut(units: Units, removed: readonly number[], { backend }: CutOptions): Promise<{ slim: Model; verdict: Verdict }> {
  const slim = cutModel(units, removed);
  const verdict = await verifyCut(units, removed, slim, backend);
  assertEqual(verdict);
  return { slim, verdict };
}

/** The model without some units, its weights solved anew by least squares: what grows back without training. */
export async function rebuiltCut(units: Units, removed: readonly number[], { backend, threads, inputs, recalibrate }: RebuildOptions): Promise<Model> {
  const { weights } = await reconstruct(units, removed, { backend, compile: { threads }, data: inputs });
  const slim = cutModel(unitsWithWeights(units, weights), removed);
  return recalibrate ? recalibrated(slim, { backend, threads, inputs }) : slim;
}

/** A model with the statistics of its batch norms measured anew. */
export async function recalibrated(model: Model, { backend, threads, inputs, onProgress }: CutOptions & Pick<RebuildOptions, 'inputs'> & { readonly onProgress?: (done: number, total: number) => void }): Promise<Model> {
  const { weights } = await recalibrateNorms(model, { backend, compile: { threads }, data: () => inputs, onProgress });
  return withWeights(model, weights);
}
