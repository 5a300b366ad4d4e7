import { makeGraph, makeInitializer, makeModel, makeNode, makeValueInfo, type DataType, type Model, type NodeParts, type Values } from '@coppice/graph';

/** Numbers of mixed sign without a pattern that a wrong layout would hide in, the same each time. */
export const spread = (count: number, scale = 1): Float32Array => Float32Array.from({ length: count }, (_, k) => scale * Math.sin(k * 12.9898 + 1));

const channels = 6;
const features = 8;
const hidden = 5;

/** A recogniser in miniature, x[batch, 1, 8, time] → y[time, batch, 10]: convolution, then a bidirectional GRU. */
export function convGru(dtype: 'float32' | 'float16' = 'float32'): Model {
  const weight = (name: string, dims: readonly number[]) => makeInitializer(name, dtype, dims, Array.from(spread(dims.reduce((a, b) => a * b), 0.3)));
  return makeModel({
    opset: 17,
    graph: {
      inputs: [makeValueInfo('x', dtype, ['batch', 1, features, 'time'])],
      outputs: [makeValueInfo('y', dtype, ['time', 'batch', 2 * hidden])],
      initializers: [
        weight('kernel', [channels, 1, 3, 3]),
        weight('W', [2, 3 * hidden, channels * features]), weight('R', [2, 3 * hidden, hidden]), weight('B', [2, 6 * hidden]),
        makeInitializer('merge', 'int64', [3], [0, 0, -1]),
      ],
      nodes: [
        makeNode({ op: 'Conv', name: 'conv', inputs: ['x', 'kernel'], outputs: ['maps'], attributes: { pads: [1, 1, 1, 1] } }),
        makeNode({ op: 'Relu', name: 'relu', inputs: ['maps'], outputs: ['active'] }),
        makeNode({ op: 'Transpose', name: 'timeFirst', inputs: ['active'], outputs: ['steps'], attributes: { perm: [3, 0, 1, 2] } }),
        makeNode({ op: 'Reshape', name: 'flatten', inputs: ['steps', 'merge'], outputs: ['sequence'] }),
        makeNode({ op: 'GRU', name: 'gru', inputs: ['sequence', 'W', 'R', 'B'], outputs: ['states'], attributes: { hidden_size: hidden, direction: 'bidirectional', linear_before_reset: 1 } }),
        makeNode({ op: 'Transpose', name: 'batchFirst', inputs: ['states'], outputs: ['turned'], attributes: { perm: [0, 2, 1, 3] } }),
        makeNode({ op: 'Reshape', name: 'join', inputs: ['turned', 'merge'], outputs: ['y'] }),
      ],
    },
  });
}

/** One node with two matrices: fails while running unless the inner sizes agree. */
export const product = (): Model => single('MatMul', 'float32', ['a', 'b'], [['m', 'k'], ['l', 'n']]);

/** The identity on a type of one axis, or of other dimensions. */
export const identity = (dtype: DataType, dims: readonly (number | string)[] = ['n']): Model => single('Identity', dtype, ['x'], [dims]);

/** A model of one node; its output has the type of its inputs and an open rank. */
export function single(op: string, dtype: DataType, inputs: readonly string[], dims: readonly (readonly (number | string)[])[], attributes: NodeParts['attributes'] = {}): Model {
  return makeModel({
    opset: 21,
    graph: {
      inputs: inputs.map((name, k) => makeValueInfo(name, dtype, dims[k])),
      outputs: [makeValueInfo('y', dtype)],
      nodes: [makeNode({ op, name: `the ${op}`, inputs, outputs: ['y'], attributes })],
    },
  });
}

/** x + w, where w is an input with a default in the file. */
export const withDefault = (): Model => makeModel({
  opset: 17,
  graph: {
    inputs: [makeValueInfo('x', 'float32', ['n']), makeValueInfo('w', 'float32', [1])],
    outputs: [makeValueInfo('y', 'float32', ['n'])],
    initializers: [makeInitializer('w', 'float32', [1], [3] satisfies Values)],
    nodes: [makeNode({ op: 'Add', name: 'add', inputs: ['x', 'w'], outputs: ['y'] })],
  },
});

/** A loop that counts to 2⁶³: a run that does not end. */
export function endless(): Model {
  const body = makeGraph({
    name: 'body',
    inputs: [makeValueInfo('step', 'int64', []), makeValueInfo('going', 'bool', []), makeValueInfo('sum', 'float32', ['n'])],
    outputs: [makeValueInfo('goOn', 'bool', []), makeValueInfo('next', 'float32', ['n'])],
    nodes: [
      makeNode({ op: 'Identity', name: 'keep', inputs: ['going'], outputs: ['goOn'] }),
      makeNode({ op: 'Cos', name: 'cos', inputs: ['sum'], outputs: ['next'] }),
    ],
  });
  return makeModel({
    opset: 17,
    graph: {
      inputs: [makeValueInfo('x', 'float32', ['n'])],
      outputs: [makeValueInfo('y', 'float32', ['n'])],
      initializers: [makeInitializer('trips', 'int64', [], [2n ** 63n - 1n]), makeInitializer('yes', 'bool', [], [true])],
      nodes: [makeNode({ op: 'Loop', name: 'loop', inputs: ['trips', 'yes', 'x'], outputs: ['y'], attributes: { body } })],
    },
  });
}
