import type { Loss } from '@coppice/core';
import { graphOf, renamedGraph, valueNames, type NodeProto, type TensorProto, type ValueInfoProto } from '@coppice/graph';

/** The graph of a loss as a part of a larger one. */
export interface Spliced {
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly TensorProto[];
  readonly inputs: readonly ValueInfoProto[];
  /** Names in the joined graph, by names in the graph of the loss. */
  readonly named: ReadonlyMap<string, string>;
}

/** The graph of a loss with names that the model does not have; what it reads and its labels keep theirs. */
export function spliceLoss(loss: Loss, fresh: (name: string) => string): Spliced {
  const graph = graphOf(loss.graph);
  const kept = new Set([...loss.reads, ...loss.labels]);
  const named = new Map<string, string>();
  for (const name of valueNames(graph)) named.set(name, kept.has(name) ? name : fresh(name === 'loss' ? name : `loss/${name}`));
  const { node, initializer, input } = renamedGraph(graph, (name) => named.get(name) ?? name);
  return { nodes: node, initializers: initializer, inputs: input.filter(({ name }) => loss.labels.includes(name)), named };
}

/** The nodes on which some results depend. */
export function alive(nodes: readonly NodeProto[], outputs: readonly ValueInfoProto[]): NodeProto[] {
  const needed = new Set(outputs.map(({ name }) => name));
  const kept = nodes.toReversed().filter((node) => {
    if (!node.output.some((name) => needed.has(name))) return false;
    for (const name of readsOf(node)) needed.add(name);
    return true;
  });
  return kept.toReversed();
}

/** Names that a node reads, those that its bodies capture included. */
const readsOf = (node: NodeProto): string[] => [...node.input, ...node.attribute.flatMap(({ g }) => (g ? g.node.flatMap(readsOf).concat(g.output.map(({ name }) => name)) : []))];
