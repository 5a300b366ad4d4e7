import { graphOf, inlineFunctions, opsetOf, sortNodes, toModernForm, upgradeModel, withFields, type GraphProto, type Model, type NodeProto } from '@coppice/graph';

/**
 * A model in the form that passes work on: functions inlined, nodes in order, of an opset that runtimes take, and no initializer that is
 * an input as well (files before IR 4 had to list them; nobody feeds weights to a model that is about to be shipped).
 * @param opset least operator set that the result must have; an older file gets the newest forms of all operators (opset 21)
 * @throws CoppiceError `COPPICE_UNSUPPORTED_OPSET` for an old form that the newest one cannot say
 */
export function prepareModel(model: Model, opset = 7): Model {
  const flat = withoutDefaults(upgradeModel(sortNodes(inlineFunctions(model))));
  return opsetOf(flat.proto) < opset ? toModernForm(flat) : flat;
}

function withoutDefaults(model: Model): Model {
  const graph = graphOf(model);
  const stored = new Set(graph.initializer.map(({ name }) => name));
  const input = graph.input.filter(({ name }) => !stored.has(name));
  if (input.length === graph.input.length) return model;
  const irVersion = model.proto.irVersion < 4n ? 4n : model.proto.irVersion;
  return { ...model, proto: withFields(model.proto, { irVersion, graph: withFields(graph, { input }) }) };
}

/** Every name that a graph and its bodies read, declared results included. */
export function namesRead(graph: GraphProto, names = new Set<string>()): Set<string> {
  for (const node of graph.node) readsOf(node, names);
  for (const { name } of graph.output) names.add(name);
  return names;
}

/** What a node reads, its bodies included. */
export function readsOf(node: NodeProto, names = new Set<string>()): Set<string> {
  for (const name of node.input) if (name !== '') names.add(name);
  for (const { g } of node.attribute) if (g) namesRead(g, names);
  return names;
}

/** A model without initializers and constants that nobody reads, also in bodies, and without notes about values that are gone. */
export function dropUnread(model: Model): Model {
  const graph = cleaned(graphOf(model));
  return { ...model, proto: withFields(model.proto, { graph }) };
}

function cleaned(graph: GraphProto): GraphProto {
  let node = graph.node.map((n) => (n.attribute.some(({ g }) => g) ? withFields(n, { attribute: n.attribute.map((a) => (a.g ? withFields(a, { g: cleaned(a.g) }) : a)) }) : n));
  for (;;) {
    const read = namesRead(withFields(graph, { node }));
    const kept = node.filter((n) => n.output.some((name) => name !== '' && read.has(name)) || n.output.every((name) => name === ''));
    if (kept.length === node.length) break;
    node = kept;
  }
  const read = namesRead(withFields(graph, { node }));
  const made = new Set(node.flatMap(({ output }) => output));
  return withFields(graph, {
    node,
    initializer: graph.initializer.filter(({ name }) => read.has(name)),
    valueInfo: graph.valueInfo.filter(({ name }) => made.has(name)),
  });
}
