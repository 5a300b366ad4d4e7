import { graphOf, makeValueInfo, dataTypeOf, toTensorProto, withFields, type Model, type TensorProto } from '@coppice/graph';
import { contractedLabels, mixedLabels } from './analysis/freeze.ts';
import { analyseSteps, isFrozen, type AnalysedStep } from './analysis/steps.ts';
import type { Backend } from './backend.ts';
import type { ProgramValue } from './program.ts';
import { GraphEdits } from './surgery/edits.ts';
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
  if (wanted.size === 0) return { model: program.model, baked: [] };
  const values = [...wanted];
  const contents = await runFor(values, trace, backend);
  const edits = new GraphEdits(program.model);
  for (const step of program.steps) {
    step.outputs.forEach((id, k) => {
      const tensor = contents.get(id);
      if (!tensor) return;
      edits.setOutput(step.proto, k, edits.fresh(`${program.values[id].name}/computed`));
      edits.addTensor(tensor);
    });
  }
  return { model: edits.apply(), baked: values.map((v) => v.name) };
}

/** Whether a node reads whole axes of what it is given, so that a narrower input gives other numbers. Products of weights are not meant: their inner axes are frozen. */
const reduces = (step: AnalysedStep): boolean =>
  isFrozen(step.signature) || mixedLabels(step.signature.axes).size > 0 || (step.signature.macs === undefined && contractedLabels(step).size > 0);

const isFixed = ({ program, runs }: Trace, id: number): boolean => !program.values[id].shaped && String(runs[0].shapes[id]) === String(runs[1].shapes[id]);

async function runFor(values: readonly ProgramValue[], trace: Trace, backend: Backend): Promise<Map<number, TensorProto>> {
  const { model } = trace.program;
  const graph = graphOf(model);
  const exposed = withFields(graph, { output: [...graph.output, ...values.map((v) => makeValueInfo(v.name, dataTypeOf(v.elementType)))] });
  const executable = await backend.compile({ ...model, proto: withFields(model.proto, { graph: exposed }) }, { optimise: 'none' });
  try {
    const results = await executable.run(trace.runs[0].inputs, values.map((v) => v.name));
    return new Map(values.map((v) => [v.id, toTensorProto(v.name, results[v.name])]));
  } finally {
    await executable.dispose();
  }
}
