import { inlineFunctions, sortNodes, type Model } from '@coppice/graph';
import { bakeWeights } from './bake.ts';
import type { Backend } from './backend.ts';
import { decideIfs } from './decide-ifs.ts';
import { traceModel as traceOnce, type Trace, type TraceOptions } from './trace.ts';

/** A trace, and what had to be simplified in the model so that it can be analysed. */
export interface PreparedTrace extends Trace {
  /** Values that became initializers because the graph computes them with a reduction over weights (weight norm). */
  readonly baked: readonly string[];
  /** If nodes that always take the same branch and were replaced by it. */
  readonly decided: readonly string[];
}

/**
 * Runs a model twice to learn its shapes and constants. What stands in the way of the analysis is simplified, the function staying
 * the same: nodes are put in order, local functions are inlined, Ifs that never change their branch are replaced by it, weights reduced from weights are computed.
 * `trace.program.model` is the model that all later steps work on.
 * @throws CoppiceError `COPPICE_TRACE_FAILED` when no inputs work; whatever the backend throws
 */
export async function traceModel(model: Model, backend: Backend, options: TraceOptions = {}): Promise<PreparedTrace> {
  let trace = await traceOnce(sortNodes(inlineFunctions(model)), backend, options);
  const ifs = decideIfs(trace);
  if (ifs.decided.length > 0) trace = await traceOnce(ifs.model, backend, options);
  const weights = await bakeWeights(trace, backend);
  if (weights.baked.length > 0) trace = await traceOnce(weights.model, backend, options);
  const notes = [...trace.notes, ...(ifs.decided.length > 0 ? [`These Ifs took the same branch in both runs whatever the data, and were replaced by it: ${ifs.decided.join(', ')}.`] : [])];
  return { ...trace, notes, baked: weights.baked, decided: ifs.decided };
}
