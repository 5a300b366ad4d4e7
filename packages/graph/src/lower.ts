import { attributeOf, attributeValue } from './attribute-values.ts';
import { makeNode, withFields } from './edit.ts';
import { freshNames, valueNames } from './fresh-names.ts';
import type { GraphProto, NodeProto } from './gen/onnx_pb.js';
import { graphOf, type Model } from './model.ts';

const RECURRENT = new Set(['LSTM', 'GRU', 'RNN']);
const SWAP = [1, 0, 2];

/**
 * Recurrent layers whose batch axis comes first (`layout = 1`, opset 14) in terms of the layout that runtimes implement: the same layer between transposes.
 * Names of values stay; the same model when there is none.
 */
export function lowerLayouts(model: Model): Model {
  const fresh = freshNames(valueNames(graphOf(model)));
  const graph = lowered(graphOf(model), fresh);
  return graph === graphOf(model) ? model : { ...model, proto: withFields(model.proto, { graph }) };
}

function lowered(graph: GraphProto, fresh: (name: string) => string): GraphProto {
  let changed = false;
  const node = graph.node.flatMap((n) => {
    if (n.attribute.some((a) => a.g)) {
      const attribute = n.attribute.map((a) => {
        const body = a.g && lowered(a.g, fresh);
        return body === undefined || body === a.g ? a : withFields(a, { g: body });
      });
      if (attribute.every((a, k) => a === n.attribute[k])) return [n];
      changed = true;
      return [withFields(n, { attribute })];
    }
    const layout = RECURRENT.has(n.opType) ? attributeOf(n, 'layout') : undefined;
    if (!layout || Number(attributeValue(layout)) !== 1) return [n];
    changed = true;
    return timeFirst(n, fresh);
  });
  return changed ? withFields(graph, { node }) : graph;
}

/** X and the initial states are inputs 0, 5 and 6; Y is [batch, time, direction, hidden], the last states are [batch, direction, hidden]. */
function timeFirst(node: NodeProto, fresh: (name: string) => string): NodeProto[] {
  const before: NodeProto[] = [];
  const after: NodeProto[] = [];
  const transpose = (from: string, to: string, perm: readonly number[]) => makeNode({ op: 'Transpose', name: fresh(`${to}/transpose`), inputs: [from], outputs: [to], attributes: { perm: [...perm] } });
  const input = node.input.map((name, k) => {
    if (name === '' || ![0, 5, 6].includes(k)) return name;
    const swapped = fresh(`${name}/time_first`);
    before.push(transpose(name, swapped, SWAP));
    return swapped;
  });
  const output = node.output.map((name, k) => {
    if (name === '') return name;
    const swapped = fresh(`${name}/time_first`);
    after.push(transpose(swapped, name, k === 0 ? [2, 0, 1, 3] : SWAP));
    return swapped;
  });
  return [...before, withFields(node, { input, output, attribute: node.attribute.filter((a) => a.name !== 'layout') }), ...after];
}
