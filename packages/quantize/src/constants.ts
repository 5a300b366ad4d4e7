import type { Backend } from '@coppice/core';
import { dataTypeOf, domainOf, elementBits, graphOf, makeValueInfo, storedByteLength, withFields, type DataType, type GraphProto, type Model, type NodeProto, type Tensor } from '@coppice/graph';

/** Something that the main graph computes from nothing but stored tensors. */
export interface ConstantValue {
  readonly name: string;
  readonly node: NodeProto;
  /** Names of the stored tensors that it is computed from. */
  readonly sources: ReadonlySet<string>;
  /** Whether a `DequantizeLinear` is on the way: the file keeps it in few bits on purpose. */
  readonly dequantized: boolean;
}

const RANDOM = new Set(['RandomNormal', 'RandomUniform', 'RandomNormalLike', 'RandomUniformLike', 'Multinomial', 'Bernoulli']);

/** The results of nodes of the main graph that depend on no input, by name, in the order of the graph. Nodes with bodies are left out. */
export function constantValues(graph: GraphProto): ReadonlyMap<string, ConstantValue> {
  const inputs = new Set(graph.input.map(({ name }) => name));
  const stored = new Set(graph.initializer.filter(({ name }) => !inputs.has(name)).map(({ name }) => name));
  const constants = new Map<string, ConstantValue>();
  for (const node of graph.node) {
    if (isConstantNode(node)) {
      stored.add(node.output[0]);
      continue;
    }
    const read = node.input.filter((name) => name !== '');
    if (node.attribute.some(({ g }) => g) || RANDOM.has(node.opType) || read.length === 0 || !read.every((name) => stored.has(name) || constants.has(name))) continue;
    const sources = new Set(read.flatMap((name) => [...(constants.get(name)?.sources ?? [name])]));
    const dequantized = node.opType === 'DequantizeLinear' || read.some((name) => constants.get(name)?.dequantized);
    for (const name of node.output) if (name !== '') constants.set(name, { name, node, sources, dequantized });
  }
  return constants;
}

export const isConstantNode = (node: NodeProto): boolean => node.opType === 'Constant' && domainOf(node) === '';

/** Bytes that a stored tensor of the main graph takes: an initializer's or a Constant node's. */
export function storedBytes(model: Model): (name: string) => number {
  const graph = graphOf(model);
  const tensors = new Map([
    ...graph.initializer.map((tensor) => [tensor.name, tensor] as const),
    ...graph.node.filter(isConstantNode).flatMap((node) => (node.attribute[0]?.t ? [[node.output[0], node.attribute[0].t] as const] : [])),
  ]);
  return (name) => {
    const tensor = tensors.get(name);
    if (!tensor || dataTypeOf(tensor.dataType) === 'string') return 0;
    return Math.ceil((tensor.dims.reduce((product, n) => product * Number(n), 1) * elementBits(dataTypeOf(tensor.dataType))) / 8) || storedByteLength(model, tensor);
  };
}

/** Bytes of a tensor in memory in the layout of a file. */
export const bytesOf = ({ dtype, dims }: { readonly dtype: DataType; readonly dims: readonly number[] }): number => Math.ceil((dims.reduce((product, n) => product * n, 1) * elementBits(dtype)) / 8);

/**
 * The contents of constant values, by running only the nodes that they are computed from.
 * @throws whatever the backend throws, e.g. `COPPICE_BACKEND_REFUSED` for an operator that it lacks
 */
export async function evaluateConstants(model: Model, names: readonly string[], backend: Backend): Promise<ReadonlyMap<string, Tensor>> {
  if (names.length === 0) return new Map();
  const graph = graphOf(model);
  const needed = new Set(names);
  const nodes: NodeProto[] = [];
  for (const node of graph.node.toReversed()) {
    if (!node.output.some((name) => needed.has(name))) continue;
    nodes.unshift(node);
    for (const name of node.input) needed.add(name);
  }
  const part = withFields(graph, {
    node: nodes, input: [], valueInfo: [], initializer: graph.initializer.filter(({ name }) => needed.has(name)),
    // The runtime infers the types of results; what is written here is not read.
    output: names.map((name) => makeValueInfo(name, 'float32')).map((info) => withFields(info, { type: undefined })),
  });
  const executable = await backend.compile({ ...model, proto: withFields(model.proto, { graph: part }) }, { optimise: 'none' });
  try {
    return new Map(Object.entries(await executable.run({}, names)));
  } finally {
    await executable.dispose();
  }
}
