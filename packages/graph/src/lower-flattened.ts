import { opsetOf } from './check.ts';
import { makeNode, withFields } from './edit.ts';
import { freshNames, valueNames } from './fresh-names.ts';
import type { GraphProto, NodeProto } from './gen/onnx_pb.js';
import { graphOf, type Model } from './model.ts';
import { toModernOpset } from './modern.ts';
import { domainOf } from './operators.ts';
import { readAttributes } from './typed-attributes.ts';
import { upgradeModel } from './upgrade.ts';

const FLATTENING = new Set(['Softmax', 'LogSoftmax', 'Hardmax']);
/** From here on these operators work along one axis. */
const SINCE = 13;

/**
 * A model in the newest form, where no rank is known: Softmax and its like before opset 13, for which all axes from one on were a single
 * axis, become Flatten, the operator on a matrix, and Reshape. Everything else as `toModernOpset`.
 * @throws CoppiceError as `toModernOpset`
 */
export function toModernForm(old: Model): Model {
  const model = upgradeModel(old);
  if (opsetOf(model.proto) >= SINCE) return toModernOpset(model);
  const fresh = freshNames(valueNames(graphOf(model)));
  const matrices = new Set<string>();
  const graph = flattened(graphOf(model), fresh, matrices);
  return toModernOpset({ ...model, proto: withFields(model.proto, { graph }) }, (value) => (matrices.has(value) ? 2 : undefined));
}

function flattened(graph: GraphProto, fresh: (wanted: string) => string, matrices: Set<string>): GraphProto {
  const node = graph.node.flatMap((n) => {
    if (n.attribute.some(({ g }) => g)) return [withFields(n, { attribute: n.attribute.map((a) => (a.g ? withFields(a, { g: flattened(a.g, fresh, matrices) }) : a)) })];
    return FLATTENING.has(n.opType) && domainOf(n) === '' ? asMatrix(n, fresh, matrices) : [n];
  });
  return withFields(graph, { node });
}

function asMatrix(node: NodeProto, fresh: (wanted: string) => string, matrices: Set<string>): NodeProto[] {
  const axis = Number(readAttributes(node).axis ?? 1);
  if (axis === -1) return [node];
  const [x, y] = [node.input[0], node.output[0]];
  const [shape, flat, result] = ['shape', 'matrix', 'result'].map((what) => fresh(`${y}/${what}`));
  matrices.add(flat);
  return [
    makeNode({ op: 'Shape', name: fresh(`${y}/Shape`), inputs: [x], outputs: [shape] }),
    makeNode({ op: 'Flatten', name: fresh(`${y}/Flatten`), inputs: [x], outputs: [flat], attributes: { axis } }),
    makeNode({ op: node.opType, name: node.name, inputs: [flat], outputs: [result], attributes: { axis: 1 } }),
    makeNode({ op: 'Reshape', name: fresh(`${y}/Reshape`), inputs: [result, shape], outputs: [y] }),
  ];
}
