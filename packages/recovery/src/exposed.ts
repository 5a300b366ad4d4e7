import type { Backend, CompileOptions, Executable, NamedTensors, Program } from '@coppice/core';
import { CoppiceError, dataTypeOf, graphOf, makeValueInfo, upgradeModel, withFields, type GraphProto, type Model, type NodeProto } from '@coppice/graph';

/** Batches of inputs, one after another. What a model does not take (labels) is left out of its runs. */
export type Batches = Iterable<NamedTensors> | AsyncIterable<NamedTensors>;

/** The part of a model that computes some of its values, by id. They become its outputs under their names; the rest is left out. */
export function exposing(program: Program, ids: readonly number[]): Model {
  const model = upgradeModel(program.model);
  const graph = graphOf(model);
  const values = ids.map((id) => program.values[id]);
  const node = nodesFor(graph, values.map(({ name }) => name));
  const read = new Set(node.flatMap(namesRead));
  const inputs = new Set(graph.input.map(({ name }) => name));
  const initializer = graph.initializer.filter(({ name }) => read.has(name) || inputs.has(name));
  const output = values.map(({ name, elementType }) => makeValueInfo(name, dataTypeOf(elementType)));
  return { ...model, proto: withFields(model.proto, { graph: withFields(graph, { node, initializer, output }) }) };
}

function nodesFor(graph: GraphProto, results: readonly string[]): NodeProto[] {
  const needed = new Set(results);
  return graph.node.toReversed().filter((node) => {
    if (!node.output.some((name) => name !== '' && needed.has(name))) return false;
    for (const name of namesRead(node)) needed.add(name);
    return true;
  }).toReversed();
}

/** Names that a node reads, those that its bodies capture or give out included. */
const namesRead = (node: NodeProto): string[] =>
  [...node.input, ...node.attribute.flatMap(({ g }) => (g ? [...g.node.flatMap(namesRead), ...g.output.map(({ name }) => name)] : []))];

/** What a model reads of a batch. */
export function inputsFrom(model: Model, batch: NamedTensors): NamedTensors {
  return Object.fromEntries(graphOf(model).input.flatMap(({ name }) => (batch[name] ? [[name, batch[name]] as const] : [])));
}

/** What a run over batches needs. */
export interface ObservedRun {
  readonly backend: Backend;
  readonly compile?: CompileOptions;
  readonly batches: Batches;
  /** What the batches are for, for the message when there is none. */
  readonly purpose: string;
}

/**
 * Runs a model on each batch and hands over its outputs, beside its inputs; nothing is kept.
 * @returns the number of batches
 * @throws CoppiceError `COPPICE_INPUT_INVALID` when there is no batch; what the backend throws
 */
export async function observe(model: Model, { backend, compile, batches, purpose }: ObservedRun, take: (values: NamedTensors, batch: number) => void): Promise<number> {
  const names = graphOf(model).output.map(({ name }) => name);
  let executable: Executable | undefined;
  let count = 0;
  try {
    for await (const batch of batches) {
      const inputs = inputsFrom(model, batch);
      executable ??= names.length > 0 ? await backend.compile(model, compile) : undefined;
      take({ ...inputs, ...(await executable?.run(inputs, names)) }, count++);
    }
  } finally {
    await executable?.dispose();
  }
  if (count === 0) throw new CoppiceError('COPPICE_INPUT_INVALID', `There is no batch of data for ${purpose}. Give at least one; some ten recordings are enough.`);
  return count;
}
