import type { Model } from '@coppice/graph';
import { contractedLabels, mixedLabels } from './analysis/freeze.ts';
import { analyseSteps, isFrozen, type AnalysedStep } from './analysis/steps.ts';
import type { Backend } from './backend.ts';
import type { ProgramValue } from './program.ts';
import { isFixed, storeValues } from './store-values.ts';
import type { Trace } from './trace.ts';

/**
 * Weights that the graph computes with a reduction over other weights (weight norm: g·v/‖v‖) cannot be cut at their sources, because
 * the reduction would change. They become initializers under the name of the computed value; weights that are only moved, cast or
 * scaled in the graph are left alone and cut where they are stored.
 * @returns the model with such weights computed, or the same model where there are none
 */
export async function bakeWeights(trace: Trace, backend: Backend): Promise<{ model: Model; baked: readonly string[] }> {
  const { program } = trace;
  const { steps } = analyseSteps(trace);
  const reduced = new Set<number>();
  for (const step of steps) {
    const made = step.outputs.filter((id) => id >= 0 && !program.values[id].tainted);
    if (made.length > 0 && step.step.scope.parent === undefined && (reduces(step) || step.inputs.some((id) => reduced.has(id)))) for (const id of made) reduced.add(id);
  }
  const wanted = new Set<ProgramValue>();
  for (const { inputs, outputs } of program.steps) {
    if (!outputs.some((id) => id >= 0 && program.values[id].tainted)) continue;
    for (const id of inputs) if (reduced.has(id) && program.values[id].weighted && isFixed(trace, id)) wanted.add(program.values[id]);
  }
  const values = [...wanted];
  return { model: await storeValues(trace, backend, values), baked: values.map((v) => v.name) };
}

/** Whether a node reads whole axes of what it is given, so that a narrower input gives other numbers. Products of weights are not meant: their inner axes are frozen. */
const reduces = (step: AnalysedStep): boolean =>
  isFrozen(step.signature) || mixedLabels(step.signature.axes).size > 0 || (step.signature.macs === undefined && contractedLabels(step).size > 0);
