import { assertEqual, cutModel, verifyCut, type Backend, type NamedTensors, type Units } from '@coppice/core';
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
export async function provenCut(units: Units, removed: readonly number[], { backend }: CutOptions): Promise<Model> {
  const slim = cutModel(units, removed);
  assertEqual(await verifyCut(units, removed, slim, backend));
  return slim;
}

/** The model without some units, its weights solved anew by least squares: what grows back without training. */
export async function rebuiltCut(units: Units, removed: readonly number[], { backend, threads, inputs, recalibrate }: RebuildOptions): Promise<Model> {
  const compile = { threads };
  const { weights } = await reconstruct(units, removed, { backend, compile, data: inputs });
  const slim = cutModel(unitsWithWeights(units, weights), removed);
  if (!recalibrate) return slim;
  return withWeights(slim, (await recalibrateNorms(slim, { backend, compile, data: () => inputs })).weights);
}
