import type { Model } from '@coppice/graph';
import { bakeWeights } from './bake.ts';
import type { Backend } from './backend.ts';
import { traceModel as traceOnce, type Trace, type TraceOptions } from './trace.ts';

/** A trace, and which weights had to be computed beforehand. */
export interface PreparedTrace extends Trace {
  /** Values that became initializers because the graph computes them with a reduction over weights (weight norm). */
  readonly baked: readonly string[];
}

/**
 * Runs a model twice to learn its shapes and constants, with weights that are reduced from weights computed first.
 * @throws CoppiceError `COPPICE_TRACE_FAILED` when no inputs work; whatever the backend throws
 */
export async function traceModel(model: Model, backend: Backend, options: TraceOptions = {}): Promise<PreparedTrace> {
  const trace = await traceOnce(model, backend, options);
  const { model: computed, baked } = await bakeWeights(trace, backend);
  return baked.length === 0 ? { ...trace, baked } : { ...(await traceOnce(computed, backend, options)), baked };
}
