import { create } from '@bufbuild/protobuf';
import { makeNode, withFields } from './edit.ts';
import { CoppiceError } from './errors.ts';
import { freshNames, valueNames } from './fresh-names.ts';
import { OperatorSetIdProtoSchema } from './gen/onnx_pb.js';
import type { AttributeProto, FunctionProto, GraphProto, NodeProto, TensorProto, ValueInfoProto } from './gen/onnx_pb.js';
import { graphOf } from './model.ts';
import type { Model, Payload } from './model.ts';
import { domainOf, schemaOf } from './operators.ts';

/** What all expansions of a model share. */
interface Inlining {
  readonly functions: ReadonlyMap<string, FunctionProto>;
  readonly freshValueName: (wanted: string) => string;
  readonly freshNodeName: (wanted: string) => string;
  /** Opsets of the model so far, by domain; grows by what functions bring. */
  readonly imports: Map<string, number>;
  readonly payloads: Map<TensorProto, Payload>;
}

/**
 * A model without functions of its own: every call is replaced by the nodes of the function, nested calls and calls in the bodies of
 * If, Loop and Scan included. Values of a function get the name of the calling node in front. A model without functions comes back
 * as it is. Shapes that a function declares for its values are left out. ONNX specification, IR.md, "Functions".
 * @throws CoppiceError `COPPICE_MODEL_INVALID` for a function that calls itself or a call with too many operands,
 * `COPPICE_UNSUPPORTED_OPSET` for a function whose operators mean something else in the opset of the model
 */
export function inlineFunctions(model: Model): Model {
  const { proto } = model;
  if (proto.functions.length === 0) return model;
  const inlining: Inlining = {
    functions: new Map(proto.functions.map((f) => [keyOf(f.name, f), f])),
    freshValueName: freshNames(valueNames(graphOf(model))),
    freshNodeName: freshNames(new Set(allNodes(graphOf(model).node).map(({ name }) => name))),
    imports: new Map(proto.opsetImport.map((set) => [domainOf(set), Number(set.version)])),
    payloads: new Map(model.payloads),
  };
  const graph = expandGraph(graphOf(model), inlining, []);
  const used = new Set(allNodes(graph.node).map(domainOf));
  const ownDomains = new Set(proto.functions.map(domainOf));
  const imports = [...inlining.imports].filter(([domain]) => used.has(domain) || !ownDomains.has(domain));
  return {
    ...model,
    proto: withFields(proto, { graph, functions: [], opsetImport: imports.map(([domain, version]) => create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) })) }),
    ...(model.payloads && { payloads: inlining.payloads }),
  };
}

const keyOf = (name: string, of: { readonly domain: string; readonly overload: string }): string => JSON.stringify([domainOf(of), name, of.overload]);

const labelOf = ({ domain, name, overload }: FunctionProto): string => `'${domain}${domain && '.'}${name}${overload && `:${overload}`}'`;

/** The nodes and those of all bodies nested in them. */
const allNodes = (nodes: readonly NodeProto[]): NodeProto[] =>
  nodes.flatMap((node) => [node, ...node.attribute.flatMap(({ g, graphs }) => (g ? [g] : graphs).flatMap((body) => allNodes(body.node)))]);

/** The attribute with each graph in it replaced. */
const mapBodies = (attribute: AttributeProto, map: (body: GraphProto) => GraphProto): AttributeProto =>
  attribute.g ? withFields(attribute, { g: map(attribute.g) }) : attribute.graphs.length > 0 ? withFields(attribute, { graphs: attribute.graphs.map(map) }) : attribute;

function expandGraph(graph: GraphProto, inlining: Inlining, callers: readonly FunctionProto[]): GraphProto {
  return withFields(graph, { node: graph.node.flatMap((node) => expandNode(node, inlining, callers)) });
}

function expandNode(node: NodeProto, inlining: Inlining, callers: readonly FunctionProto[]): readonly NodeProto[] {
  // Bodies first: one that is handed to a function may call that function without being a recursion.
  const expanded = withFields(node, { attribute: node.attribute.map((attribute) => mapBodies(attribute, (body) => expandGraph(body, inlining, callers))) });
  const called = inlining.functions.get(keyOf(node.opType, node));
  if (!called) return [expanded];
  if (callers.includes(called)) {
    throw new CoppiceError('COPPICE_MODEL_INVALID', `The function ${labelOf(called)} calls itself (${[...callers, called].map(labelOf).join(' → ')}), which ONNX forbids. Export the model again without functions.`);
  }
  return instantiate(called, expanded, inlining).flatMap((inner) => expandNode(inner, inlining, [...callers, called]));
}

/** The nodes of a function with the operands, results and attributes of one call put in. */
function instantiate(called: FunctionProto, call: NodeProto, inlining: Inlining): readonly NodeProto[] {
  if (call.input.length > called.input.length || call.output.length > called.output.length) {
    throw new CoppiceError('COPPICE_MODEL_INVALID', `The node '${call.name || call.output[0]}' hands ${call.input.length} inputs and ${call.output.length} outputs to the function ${labelOf(called)}, which has ${called.input.length} and ${called.output.length}. Export the model again.`);
  }
  importOpsets(called, inlining);
  const prefix = call.name || call.output.find((name) => name !== '') || called.name;
  const names = new Map<string, string>(called.input.map((name, k) => [name, call.input[k] ?? '']));
  const copies: NodeProto[] = [];
  called.output.forEach((name, k) => {
    const result = call.output[k] ?? '';
    if (result === '') return;
    const taken = names.get(name);
    if (taken === undefined) names.set(name, result);
    // A result that is an operand handed through, or another result once more, needs a node of its own.
    else copies.push(makeNode({ op: 'Identity', name: inlining.freshNodeName(`${prefix}/${name}`), inputs: [taken], outputs: [result] }));
  });
  const argumentsOf = new Map([...called.attributeProto, ...call.attribute].map((attribute) => [attribute.name, attribute]));
  const renaming: Renaming = { prefix, inlining, argumentOf: (name) => argumentsOf.get(name) };
  return [...renameNodes(called.node, names, renaming), ...copies];
}

interface Renaming {
  readonly prefix: string;
  readonly inlining: Inlining;
  /** What the call gives for an attribute of the function, or its default. */
  argumentOf(name: string): AttributeProto | undefined;
}

/** Nodes of a function in the names of its caller; `names` is what is visible so far and takes up what the nodes define. */
function renameNodes(nodes: readonly NodeProto[], names: Map<string, string>, renaming: Renaming): readonly NodeProto[] {
  const { prefix, inlining } = renaming;
  return nodes.map((node) => {
    const attribute = node.attribute.flatMap((attribute) => {
      if (attribute.refAttrName === '') return [mapBodies(attribute, (body) => renameBody(body, names, renaming))];
      const given = renaming.argumentOf(attribute.refAttrName);
      return given ? [withFields(given, { name: attribute.name })] : [];
    });
    return withFields(node, {
      name: inlining.freshNodeName(`${prefix}/${node.name || node.opType}`),
      input: node.input.map((name) => names.get(name) ?? name),
      attribute,
      output: node.output.map((name) => define(name, names, renaming)),
    });
  });
}

/** The body of If, Loop or Scan within a function; it sees the names around it. */
function renameBody(body: GraphProto, outer: ReadonlyMap<string, string>, renaming: Renaming): GraphProto {
  const names = new Map(outer);
  const { payloads } = renaming.inlining;
  // A body's own names hide those of the function.
  for (const { name } of [...body.input, ...body.initializer]) names.delete(name);
  for (const node of body.node) for (const name of node.output) names.delete(name);
  const declare = (info: ValueInfoProto): ValueInfoProto => withFields(info, { name: define(info.name, names, renaming) });
  const rename = (tensor: TensorProto): TensorProto => {
    const renamed = withFields(tensor, { name: define(tensor.name, names, renaming) });
    const payload = payloads.get(tensor);
    if (payload) payloads.set(renamed, payload);
    return renamed;
  };
  const input = body.input.map(declare);
  const initializer = body.initializer.map(rename);
  const sparseInitializer = body.sparseInitializer.map((sparse) => (sparse.values ? withFields(sparse, { values: rename(sparse.values) }) : sparse));
  const node = renameNodes(body.node, names, renaming);
  const known = ({ name }: ValueInfoProto): boolean => names.has(name);
  return withFields(body, { input, initializer, sparseInitializer, node: [...node], output: body.output.map(declare), valueInfo: body.valueInfo.filter(known).map(declare) });
}

/** The new name of a value: what it is called already, or a fresh one. */
function define(name: string, names: Map<string, string>, { prefix, inlining }: Renaming): string {
  if (name === '') return '';
  const known = names.get(name);
  if (known !== undefined) return known;
  const fresh = inlining.freshValueName(`${prefix}/${name}`);
  names.set(name, fresh);
  return fresh;
}

/** Adds a function's opsets to those of the model, which win where both mean the same by the operators that the function uses. */
function importOpsets(called: FunctionProto, { imports, functions }: Inlining): void {
  for (const set of called.opsetImport) {
    const domain = domainOf(set);
    const [own, version] = [Number(set.version), imports.get(domain)];
    if (version === undefined) imports.set(domain, own);
    if (version === undefined || version === own) continue;
    const differing = allNodes(called.node).find((node) => domainOf(node) === domain && !functions.has(keyOf(node.opType, node)) && formAt(node, own) !== formAt(node, version));
    if (differing) {
      throw new CoppiceError('COPPICE_UNSUPPORTED_OPSET', `The function ${labelOf(called)} uses ${differing.opType} of opset ${own}, which is another operator in opset ${version} of the model. Export the model again with one opset for all.`);
    }
  }
}

/** The version that brought the form of an operator which an opset has; the opset itself where the operator is not in our tables. */
const formAt = (node: NodeProto, opset: number): number => schemaOf(domainOf(node), node.opType)?.since.findLast((since) => since <= opset) ?? opset;
