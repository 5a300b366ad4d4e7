import { flattenModel, type Backend, type NamedTensors, type Trace } from '@coppice/core';
import type { Model } from '@coppice/graph';

/** Shapes of the values of a model that are not in the file, for both runs of a trace. */
export type GivenShapes = Readonly<Record<string, readonly [readonly number[], readonly number[]]>>;

/** The trace of a model whose shapes a test states, so that no runtime is needed. Knows no constants but those of the file that are stated. */
export function givenTrace(model: Model, shapes: GivenShapes, inputs: NamedTensors = {}): Trace {
  const program = flattenModel(model);
  const run = (r: 0 | 1) => ({ inputs, shapes: program.values.map(({ name, tensor }) => tensor?.dims.map(Number) ?? shapes[name]?.[r]) });
  return { program, runs: [run(0), run(1)], constants: new Map(), notes: [], sizes: [{}, {}] };
}

/** A backend that returns what a test states, whatever the model. */
export const givenBackend = (run: (inputs: NamedTensors, outputs: readonly string[]) => NamedTensors): Backend => ({
  name: 'given',
  info: async () => ({ version: '0', device: 'test', threads: 1 }),
  compile: async () => ({ run: async (inputs, outputs = []) => run(inputs, outputs), dispose: async () => {} }),
});
