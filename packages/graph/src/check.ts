import { CoppiceError } from './errors.ts';
import { externalRange, isExternal } from './external-data.ts';
import type { GraphProto, ModelProto, NodeProto, TensorProto } from './gen/onnx_pb.js';
import { everyTensor } from './message-tree.ts';
import type { Model } from './model.ts';
import { inOrder } from './node-order.ts';
import { newestOpset } from './operators.ts';
import { dataTypeOf, elementCount } from './tensor.ts';
import { storedByteLength, tensorByteLength } from './tensors.ts';

/** Subgraphs within subgraphs; real models have two or three. */
const deepestSubgraph = 30;

/** Says which node is meant: its name, or what it computes when it has none. */
export const nodeLabel = (node: NodeProto): string =>
  (node.name ? `node '${node.name}' (${node.opType})` : `the ${node.opType} node that computes '${node.output.find((name) => name !== '') ?? ''}'`);

const invalid = (message: string): CoppiceError => new CoppiceError('COPPICE_MODEL_INVALID', message);

/**
 * The version of an operator set that a model imports; 1 when it imports none, as files of 2017 do.
 * @param domain `''` is ONNX's own, also known as `ai.onnx`
 */
export function opsetOf(proto: Pick<ModelProto, 'opsetImport'>, domain = ''): number {
  const wanted = plainDomain(domain);
  const found = proto.opsetImport.find((entry) => plainDomain(entry.domain) === wanted);
  return found ? Number(found.version) : 1;
}

const plainDomain = (domain: string): string => (domain === 'ai.onnx' ? '' : domain);

/**
 * Checks the rules of the ONNX specification that everything else relies on: known operator sets; every value defined
 * once and without cycles, subgraphs seeing the values around them; contents of tensors as long as type and dimensions
 * say; external data within their files, where those can be reached. Operators and shapes are not checked.
 * @throws CoppiceError `COPPICE_MODEL_INVALID`, `COPPICE_UNSUPPORTED_OPSET`, `COPPICE_UNSUPPORTED_TYPE`,
 * `COPPICE_EXTERNAL_DATA_MISSING`, `COPPICE_EXTERNAL_DATA_PATH`
 */
export function checkModel(model: Model): void {
  const { proto } = model;
  checkOpsets(proto);
  for (const tensor of everyTensor(proto)) checkTensor(model, tensor);
  checkGraph(proto.graph!, undefined, 'the graph', 0);
  for (const definition of proto.functions) {
    const scope = newScope(undefined);
    const where = `function '${definition.name}'`;
    for (const name of definition.input) define(scope, name, `an input of ${where}`, where);
    checkNodes(definition.node, scope, where, 0);
    for (const name of definition.output) if (!isVisible(scope, name)) throw invalid(`The output '${name}' of ${where} is computed by none of its nodes.`);
  }
}

function checkOpsets({ opsetImport, irVersion }: ModelProto): void {
  // The imports come last in a file: without this a file that lacks its end would pass for one of 2017.
  if (opsetImport.length === 0 && irVersion >= 3n) throw invalid(`The model has IR version ${irVersion} and imports no operator set, which only versions 1 and 2 may. The file may be incomplete; copy or export it again.`);
  const seen = new Set<string>();
  for (const { domain, version } of opsetImport) {
    const plain = plainDomain(domain);
    if (seen.has(plain)) throw invalid(`The model imports the operator set '${plain || 'ai.onnx'}' twice.`);
    seen.add(plain);
    if (version < 1n || (plain === '' && version > BigInt(newestOpset))) {
      throw new CoppiceError('COPPICE_UNSUPPORTED_OPSET', `The model uses version ${version} of the operator set '${plain || 'ai.onnx'}'; Coppice knows 1 to ${newestOpset}. Export it with an older opset, or update Coppice.`);
    }
  }
}

/** Names that nodes of a graph may read, those of the graphs around it included. */
interface Scope {
  readonly outer: Scope | undefined;
  /** What defines each name. */
  readonly names: Map<string, string>;
}

const newScope = (outer: Scope | undefined): Scope => ({ outer, names: new Map() });

const isVisible = (scope: Scope | undefined, name: string): boolean => scope !== undefined && (scope.names.has(name) || isVisible(scope.outer, name));

function define(scope: Scope, name: string, by: string, where: string): void {
  const first = scope.names.get(name);
  if (first !== undefined) throw invalid(`The value '${name}' of ${where} is defined twice: by ${first} and by ${by}. Every value must have one source.`);
  scope.names.set(name, by);
}

function checkGraph(graph: GraphProto, outer: Scope | undefined, where: string, depth: number): void {
  if (depth > deepestSubgraph) throw invalid(`${where} is nested more than ${deepestSubgraph} subgraphs deep.`);
  const scope = newScope(outer);
  for (const { name } of graph.input) {
    if (name === '') throw invalid(`An input of ${where} has no name.`);
    define(scope, name, 'a graph input', where);
  }
  checkInitializers(graph, scope, where);
  checkNodes(graph.node, scope, where, depth);
  for (const { name } of graph.output) {
    // Bodies of Scan may leave a final state without a name, and branches may pass on a value from outside.
    if (depth > 0 && name === '') continue;
    if (!isVisible(scope, name)) throw invalid(`The output '${name}' of ${where} is computed by no node, and is neither an input nor an initializer.`);
  }
}

function checkInitializers(graph: GraphProto, scope: Scope, where: string): void {
  const inputs = new Set(scope.names.keys());
  const seen = new Set<string>();
  for (const name of [...graph.initializer.map((tensor) => tensor.name), ...graph.sparseInitializer.map((tensor) => tensor.values?.name ?? '')]) {
    if (name === '') throw invalid(`An initializer of ${where} has no name.`);
    if (seen.has(name)) throw invalid(`The value '${name}' of ${where} is defined twice: by two initializers.`);
    seen.add(name);
    // An initializer with the name of an input is its default; before IR version 4 every initializer had to be one.
    if (!inputs.has(name)) define(scope, name, 'an initializer', where);
  }
}

function checkNodes(nodes: readonly NodeProto[], scope: Scope, where: string, depth: number): void {
  for (const node of inOrder(nodes)) {
    if (node.opType === '') throw invalid(`A node of ${where}, the one that computes '${node.output.join("', '")}', has no operator.`);
    for (const name of node.input) if (name !== '' && !isVisible(scope, name)) throw undefinedInput(nodes, node, name, where);
    for (const attribute of node.attribute) {
      for (const body of attribute.g ? [attribute.g, ...attribute.graphs] : attribute.graphs) {
        checkGraph(body, scope, `the body '${attribute.name}' of ${nodeLabel(node)}`, depth + 1);
      }
    }
    for (const name of node.output) {
      if (name === '') continue;
      if (isVisible(scope.outer, name)) throw invalid(`The value '${name}' is computed by ${nodeLabel(node)} in ${where}, but a graph around it has a value of that name. Every value must have one source.`);
      define(scope, name, nodeLabel(node), where);
    }
  }
}

function undefinedInput(nodes: readonly NodeProto[], node: NodeProto, name: string, where: string): CoppiceError {
  const later = nodes.find((candidate) => candidate.output.includes(name));
  return invalid(later
    ? `In ${where}, ${nodeLabel(node)} reads '${name}', which ${later === node ? 'it computes itself' : `${nodeLabel(later)} computes only after it`}. The nodes form a cycle.`
    : `In ${where}, ${nodeLabel(node)} reads '${name}', which is no input, no initializer and no output of any node.`);
}

function checkTensor(model: Model, tensor: TensorProto): void {
  const label = tensor.name ? `Tensor '${tensor.name}'` : 'A tensor in an attribute';
  const dtype = named(label, () => dataTypeOf(tensor.dataType));
  if (tensor.segment) throw invalid(`${label} is split into segments, which no runtime supports. Export the model again.`);
  const count = elementCount(tensor.dims, label);
  if (dtype === 'string') {
    if (tensor.stringData.length !== count) throw invalid(`${label} holds ${tensor.stringData.length} strings where its dimensions [${tensor.dims.join(', ')}] want ${count}.`);
    return;
  }
  const wanted = tensorByteLength(model, tensor);
  if (!isExternal(tensor) || model.payloads?.has(tensor)) {
    const stored = storedByteLength(model, tensor);
    if (stored !== wanted) throw invalid(`${label} holds ${stored} bytes where its type ${dtype} and its dimensions [${tensor.dims.join(', ')}] want ${wanted}. The file may be damaged; export the model again.`);
    return;
  }
  const { location, offset, length } = externalRange(tensor);
  if (length !== undefined && length !== wanted) throw invalid(`${label} has ${length} bytes of external data where its type ${dtype} and its dimensions [${tensor.dims.join(', ')}] want ${wanted}.`);
  const size = model.externalData?.size(location);
  if (size !== undefined && offset + wanted > size) {
    throw new CoppiceError('COPPICE_EXTERNAL_DATA_MISSING', `${label} wants the bytes ${offset} to ${offset + wanted} of '${location}', which has only ${size}. The file is incomplete or belongs to another model; copy or download it again.`);
  }
}

/** Puts the tensor's name in front of an error that does not know it. */
function named<T>(label: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof CoppiceError) throw new CoppiceError(error.code, `${label}: ${error.message}`, { cause: error });
    throw error;
  }
}
