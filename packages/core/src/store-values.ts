import { dataTypeOf, graphOf, makeValueInfo, toTensorProto, withFields, type Model, type TensorProto } from '@coppice/graph';
import type { Backend } from './backend.ts';
import type { ProgramValue } from './program.ts';
import { GraphEdits } from './surgery/edits.ts';
import type { Trace } from './trace.ts';

/**
 * Values of the main graph that depend on no data, as initializers under their own names: the graph is run once for them. What only
 * served to compute them is gone.
 */
export async function storeValues(trace: Trace, backend: Backend, values: readonly ProgramValue[]): Promise<Model> {
  const { program } = trace;
  if (values.length === 0) return program.model;
  const contents = await runFor(values, trace, backend);
  const edits = new GraphEdits(program.model);
  for (const step of program.steps) {
    step.outputs.forEach((id, k) => {
      const tensor = contents.get(id);
      if (!tensor) return;
      edits.freeOutput(step.proto, k);
      edits.addTensor(tensor);
    });
  }
  return edits.apply();
}

/** Whether a value has the same shape whatever the inputs are. */
export const isFixed = ({ program, runs }: Trace, id: number): boolean => !program.values[id].shaped && String(runs[0].shapes[id]) === String(runs[1].shapes[id]);

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
