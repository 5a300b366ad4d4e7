import type { GraphProto } from './gen/onnx_pb.js';

/** Every value that a graph or a body nested in it names: inputs, initializers, results of nodes. */
export function valueNames(graph: GraphProto, names = new Set<string>()): Set<string> {
  for (const { name } of [...graph.input, ...graph.initializer]) names.add(name);
  for (const node of graph.node) {
    for (const name of node.output) names.add(name);
    for (const { g, graphs } of node.attribute) for (const body of g ? [g] : graphs) valueNames(body, names);
  }
  return names;
}

/** A function that gives names nobody has yet: the wanted one, or with `_2`, `_3`, … behind it. Adds each to `taken`. */
export const freshNames = (taken: Set<string>) => (wanted: string): string => {
  let name = wanted;
  for (let k = 2; taken.has(name); k++) name = `${wanted}_${k}`;
  taken.add(name);
  return name;
};
