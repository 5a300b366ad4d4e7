import type { GraphProto, NodeProto, TensorProto } from './gen/onnx_pb.js';
import { readAttributes } from './typed-attributes.ts';

/** The number of axes of each value that it is known for. */
export type Ranks = ReadonlyMap<string, number>;

/**
 * Ranks of the values of a graph whose operators are as in opset 1 to 6, from declarations, initializers and what the nodes say.
 * Enough to place the `axis` of an old broadcast; everything newer is traced by running it.
 * @param outer ranks of the values that a body captures
 */
export function inferRanks(graph: GraphProto, outer: Ranks = new Map()): Ranks {
  const ranks = new Map(outer);
  const tensors = new Map<string, TensorProto>(graph.initializer.map((tensor) => [tensor.name, tensor]));
  for (const { name, type } of [...graph.valueInfo, ...graph.output, ...graph.input]) {
    if (type?.value.case === 'tensorType' && type.value.value.shape) ranks.set(name, type.value.value.shape.dim.length);
  }
  for (const tensor of graph.initializer) ranks.set(tensor.name, tensor.dims.length);
  for (const node of graph.node) {
    const [value] = node.attribute;
    if (node.opType === 'Constant' && value?.t) tensors.set(node.output[0], value.t);
    const results = resultRanks(node, node.input.map((name) => ranks.get(name)), (name) => tensors.get(name));
    node.output.forEach((name, k) => {
      const rank = results[Math.min(k, results.length - 1)];
      if (rank !== undefined && !ranks.has(name)) ranks.set(name, rank);
    });
  }
  return ranks;
}

/** Ranks of a node's results, the last one standing for all that follow. */
function resultRanks(node: NodeProto, inputs: readonly (number | undefined)[], tensorOf: (name: string) => TensorProto | undefined): readonly (number | undefined)[] {
  const attributes = readAttributes(node);
  const count = (name: string): number | undefined => (Array.isArray(attributes[name]) ? attributes[name].length : undefined);
  const [first, second] = inputs;
  switch (node.opType) {
    case 'Constant': return [tensorOf(node.output[0])?.dims.length];
    case 'Flatten': case 'Gemm': return [2];
    case 'Shape': return [1];
    case 'Size': return [0];
    case 'RandomNormal': case 'RandomUniform': return [count('shape')];
    case 'LSTM': case 'GRU': case 'RNN': return [4, 3];
    case 'If': case 'Loop': return [undefined];
    case 'Reshape': {
      const length = tensorOf(node.input[1] ?? '')?.dims[0];
      return [count('shape') ?? (length === undefined ? undefined : Number(length))];
    }
    case 'Squeeze': return [sum(first, negative(count('axes')))];
    case 'Unsqueeze': return [sum(first, count('axes'))];
    case 'Gather': return [sum(sum(first, second), -1)];
    case 'ArgMax': case 'ArgMin': return [attributes.keepdims === 0 ? sum(first, -1) : first];
    case 'MatMul': return [first !== undefined && second !== undefined ? Math.max(first, second) - (first === 1 ? 1 : 0) - (second === 1 ? 1 : 0) : undefined];
    case 'Add': case 'Sub': case 'Mul': case 'Div': case 'Pow': case 'And': case 'Or': case 'Xor': case 'Equal': case 'Less': case 'Greater':
      // The first operand decides: before opset 7 the second one was stretched, never the other way round.
      return [first];
    default:
      if (node.opType.startsWith('Reduce') && attributes.keepdims === 0) return [attributes.axes ? sum(first, negative(count('axes'))) : 0];
      // All other operators of that time keep the axes of their first input, on every result.
      return [first];
  }
}

const negative = (x: number | undefined): number | undefined => (x === undefined ? undefined : -x);
const sum = (a: number | undefined, b: number | undefined): number | undefined => (a === undefined || b === undefined ? undefined : a + b);
