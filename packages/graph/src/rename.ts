import { withFields } from './edit.ts';
import type { GraphProto, ValueInfoProto } from './gen/onnx_pb.js';

/** A graph in other names, bodies and all: values, initializers and nodes. `rename` is asked for empty names too, which mean absent. */
export function renamedGraph(graph: GraphProto, rename: (name: string) => string): GraphProto {
  const declared = (values: readonly ValueInfoProto[]): ValueInfoProto[] => values.map((value) => withFields(value, { name: rename(value.name) }));
  return withFields(graph, {
    input: declared(graph.input),
    output: declared(graph.output),
    valueInfo: declared(graph.valueInfo),
    initializer: graph.initializer.map((tensor) => withFields(tensor, { name: rename(tensor.name) })),
    node: graph.node.map((node) => withFields(node, {
      name: rename(node.name),
      input: node.input.map(rename),
      output: node.output.map(rename),
      attribute: node.attribute.map((attribute) => (attribute.g ? withFields(attribute, { g: renamedGraph(attribute.g, rename) }) : attribute)),
    })),
  });
}
