import { makeNode, withFields } from './edit.ts';
import { freshNames, valueNames } from './fresh-names.ts';
import type { GraphProto, NodeProto, TensorProto } from './gen/onnx_pb.js';
import { composites } from './lower-contrib.ts';
import { Lowering } from './lower-emit.ts';
import { graphOf, type Model } from './model.ts';
import { normaliseNode } from './normalise.ts';
import { opsetOf } from './check.ts';
import { domainOf } from './operators.ts';

/**
 * A model without composite operators: each is replaced by simpler ones that compute the same, so that an interpreter needs no row for it.
 * Values keep their names. The model must be in the newest form (`toModernOpset`); operators without a rule, and uses of one that no
 * simpler nodes say, stay as they are.
 */
export function lowerComposites(model: Model): Model {
  const graph = lowered(graphOf(model), opsetOf(model.proto), freshNames(valueNames(graphOf(model))));
  return graph === graphOf(model) ? model : { ...model, proto: withFields(model.proto, { graph }) };
}

function lowered(graph: GraphProto, opset: number, fresh: (wanted: string) => string): GraphProto {
  let changed = false;
  const initializers: TensorProto[] = [];
  const node = graph.node.flatMap((old) => {
    const attribute = old.attribute.map((a) => {
      const body = a.g && lowered(a.g, opset, fresh);
      return body === undefined || body === a.g ? a : withFields(a, { g: body });
    });
    const own = attribute.every((a, k) => a === old.attribute[k]) ? old : withFields(old, { attribute });
    const simple = lowerNode(own, opset, fresh);
    if (simple) initializers.push(...simple.initializers);
    if (simple || own !== old) changed = true;
    return simple ? simple.nodes : [own];
  });
  // What was lowered may be made of composites itself.
  return changed ? lowered(withFields(graph, { node, initializer: [...graph.initializer, ...initializers] }), opset, fresh) : graph;
}

function lowerNode(node: NodeProto, opset: number, fresh: (wanted: string) => string): Lowering | undefined {
  const domain = domainOf(node);
  const key = domain === '' ? node.opType : `${domain}.${node.opType}`;
  if (!Object.hasOwn(composites, key)) return undefined;
  const { attributes } = normaliseNode(node, opset, () => undefined);
  const prefix = node.name || node.output.find((name) => name !== '') || node.opType;
  const lowering = new Lowering(prefix, fresh);
  const results = composites[key]({ attributes: attributes as never, inputs: node.input, outputs: node.output.map((name) => name !== ''), emit: lowering });
  if (!results) return undefined;
  // Results bear the names that the composite's had; one that is an operand handed through needs a node of its own.
  const names = new Map<string, string>();
  const copies: NodeProto[] = [];
  node.output.forEach((name, k) => {
    if (name === '') return;
    const result = results[k];
    if (result === undefined) return;
    const made = lowering.nodes.some(({ output }) => output.includes(result));
    if (made && !names.has(result)) names.set(result, name);
    else copies.push(makeNode({ op: 'Identity', name: fresh(`${prefix}/copy`), inputs: [names.get(result) ?? result], outputs: [name] }));
  });
  const renamed = lowering.nodes.map((own) => withFields(own, { input: own.input.map((name) => names.get(name) ?? name), output: own.output.map((name) => names.get(name) ?? name) }));
  lowering.nodes.splice(0, lowering.nodes.length, ...renamed, ...copies);
  return lowering;
}

