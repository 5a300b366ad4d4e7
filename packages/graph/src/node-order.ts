import { withFields } from './edit.ts';
import type { GraphProto, NodeProto } from './gen/onnx_pb.js';
import { graphOf, type Model } from './model.ts';

/**
 * Nodes in an order in which every value is computed before it is read, as the specification wants it; some converters do not keep to
 * it and runtimes sort silently. The same array where it is in order, or where no order exists (a cycle).
 */
export function inOrder(nodes: readonly NodeProto[]): readonly NodeProto[] {
  const producer = new Map<string, number>();
  nodes.forEach((node, k) => node.output.forEach((name) => name !== '' && producer.set(name, k)));
  const needs = nodes.map((node) => [...new Set([...namesRead(node)].flatMap((name) => producer.get(name) ?? []))]);
  if (needs.every((list, k) => list.every((p) => p < k))) return nodes;
  const open = needs.map((list) => list.length);
  const readers = new Map<number, number[]>();
  needs.forEach((list, k) => list.forEach((p) => (readers.get(p) ?? readers.set(p, []).get(p)!).push(k)));
  const ready = open.flatMap((count, k) => (count === 0 ? [k] : []));
  for (const k of ready) for (const reader of readers.get(k) ?? []) if (--open[reader] === 0) ready.push(reader);
  return ready.length === nodes.length ? ready.map((k) => nodes[k]) : nodes;
}

/** A model whose nodes are in order, bodies included; the same model where they are. */
export function sortNodes(model: Model): Model {
  const graph = sorted(graphOf(model));
  return graph === graphOf(model) ? model : { ...model, proto: withFields(model.proto, { graph }) };
}

function sorted(graph: GraphProto): GraphProto {
  let changed = false;
  const nodes = graph.node.map((node) => {
    if (!node.attribute.some((a) => a.g)) return node;
    const attribute = node.attribute.map((a) => {
      const body = a.g && sorted(a.g);
      return body === undefined || body === a.g ? a : withFields(a, { g: body });
    });
    if (attribute.every((a, k) => a === node.attribute[k])) return node;
    changed = true;
    return withFields(node, { attribute });
  });
  const ordered = inOrder(nodes);
  return changed || ordered !== nodes ? withFields(graph, { node: [...ordered] }) : graph;
}

/** What a node reads, its bodies included; their own values may be among the names. */
function namesRead({ input, attribute }: NodeProto, names = new Set<string>()): Set<string> {
  for (const name of input) if (name !== '') names.add(name);
  for (const { g, graphs } of attribute) {
    for (const body of g ? [g, ...graphs] : graphs) {
      for (const node of body.node) namesRead(node, names);
      for (const { name } of body.output) names.add(name);
    }
  }
  return names;
}
