import { CoppiceError, everyTensor, graphOf, makeModel, opsetOf, renamedGraph, valueNames, withFields, type Model, type Payload, type TensorProto, type ValueInfoProto } from '@coppice/graph';
import { Emitter } from './emitter.ts';

/** What is put in front of a model's input and behind its output. */
export interface Surroundings {
  /** The input of the model that is computed from now on, and its output that something is made of. */
  readonly input: string;
  readonly output: string;
  /** What the new model declares instead. */
  readonly inputs: readonly ValueInfoProto[];
  readonly outputs: readonly ValueInfoProto[];
  /** From the new inputs to the value that the model reads. */
  readonly before: (emit: Emitter) => string;
  /** From the model's output to the new outputs, in their order. */
  readonly after: (emit: Emitter, output: string) => readonly string[];
}

/** The name of the node whose result, [batch, feature, time], are the features that the model was trained on. */
export const featuresNode = 'coppice.features';

/**
 * A model inside other nodes: graph → graph, its own nodes and weights untouched.
 * @throws CoppiceError `COPPICE_UNSUPPORTED_OPSET` below opset 13
 */
export function surround(model: Model, { input, output, inputs, outputs, before, after }: Surroundings): Model {
  const opset = opsetOf(model.proto);
  if (opset < 13) throw new CoppiceError('COPPICE_UNSUPPORTED_OPSET', `The model uses opset ${opset}, and nodes can be put around it from opset 13 on. Export it with a newer one.`);
  const { model: inner, rename } = withoutNames(model, new Set([...inputs, ...outputs].map(({ name }) => name)));
  const graph = graphOf(inner);
  const taken = new Set([...valueNames(graph), ...[...inputs, ...outputs].map(({ name }) => name)]);
  const [front, back] = [new Emitter(taken), new Emitter(taken)];
  front.as(rename(input), before(front), 'coppice.input');
  const results = after(back, rename(output));
  for (const [k, { name }] of outputs.entries()) back.as(name, results[k], `coppice.${name}`);
  return {
    ...inner,
    proto: withFields(inner.proto, {
      graph: withFields(graph, {
        input: [...inputs, ...graph.input.filter(({ name }) => name !== rename(input))],
        output: [...outputs],
        node: [...front.nodes, ...graph.node, ...back.nodes],
        initializer: [...graph.initializer, ...front.initializers, ...back.initializers],
      }),
    }),
  };
}

/** The same model in which nothing has these names. */
function withoutNames(model: Model, reserved: ReadonlySet<string>): { model: Model; rename: (name: string) => string } {
  const graph = graphOf(model);
  const names = valueNames(graph);
  if (![...reserved].some((name) => names.has(name))) return { model, rename: (name) => name };
  const rename = (name: string): string => (reserved.has(name) && names.has(name) ? `${name}.of.model` : name);
  const proto = withFields(model.proto, { graph: renamedGraph(graph, rename) });
  if (model.payloads === undefined) return { model: { ...model, proto }, rename };
  // Payloads belong to messages, and renaming made new ones, in the same order.
  const renamed = [...everyTensor(proto)];
  const payloads = new Map<TensorProto, Payload>();
  for (const [k, tensor] of [...everyTensor(model.proto)].entries()) {
    const payload = model.payloads.get(tensor);
    if (payload !== undefined) payloads.set(renamed[k], payload);
  }
  return { model: { ...model, proto, payloads }, rename };
}

/** A model with these entries of its metadata set, the others as they were; `undefined` removes one. */
export function withMetadata(model: Model, entries: Readonly<Record<string, string | undefined>>): Model {
  const kept = model.proto.metadataProps.filter(({ key }) => !(key in entries));
  const given = Object.entries(entries).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
  const added = makeModel({ opset: 13, graph: { inputs: [], outputs: [], nodes: [] }, metadata: Object.fromEntries(given) }).proto.metadataProps;
  return { ...model, proto: withFields(model.proto, { metadataProps: [...kept, ...added] }) };
}

/** The value [batch, feature, time] that reaches the model in a graph of ours; undefined in others. */
export const featuresValue = (model: Model): string | undefined => graphOf(model).node.find(({ name }) => name === featuresNode)?.output[0];
