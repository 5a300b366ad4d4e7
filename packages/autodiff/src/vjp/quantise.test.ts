import { wasmBackend } from '@coppice/backend-onnx';
import { gradientName, traceModel, type Loss } from '@coppice/core';
import { makeInitializer, makeModel, makeNode, makeValueInfo, type NodeParts, type TensorProto } from '@coppice/graph';
import { between, checkRandomGradients, integersBelow, uniform } from '@coppice/testkit';
import { describe, expect, it } from 'vitest';
import { differentiate } from '../differentiate.ts';

const backend = wasmBackend();

/** loss = Σ y. */
const total: Loss = {
  name: 'total', reads: ['y'], labels: [],
  graph: makeModel({ opset: 21, graph: {
    inputs: [makeValueInfo('y', 'float32')], outputs: [makeValueInfo('loss', 'float32', []), makeValueInfo(gradientName('y'), 'float32')],
    nodes: [
      makeNode({ op: 'ReduceSum', inputs: ['y'], outputs: ['loss'], attributes: { keepdims: 0 } }), makeNode({ op: 'Shape', inputs: ['y'], outputs: ['sizes'] }),
      makeNode({ op: 'Expand', inputs: ['one', 'sizes'], outputs: [gradientName('y')] }),
    ],
    initializers: [makeInitializer('one', 'float32', [], [1])],
  } }),
};

/** x[N, 3] in, y out. */
const traced = (nodes: readonly NodeParts[], initializers: readonly TensorProto[]) =>
  traceModel(makeModel({ opset: 21, graph: { inputs: [makeValueInfo('x', 'float32', ['N', 3])], outputs: [makeValueInfo('y', 'float32')], nodes: nodes.map(makeNode), initializers } }), backend);

describe('DequantizeLinear', () => {
  it('goes back to a scale that all elements share, or those of an axis', async () => {
    await checkRandomGradients('DequantizeLinear', 20, undefined, (random) => {
      const shape = Array.from({ length: between(random, 1, 3) }, () => between(random, 2, 4));
      const axis = random.integer(2 * shape.length) - shape.length;
      const own = random.integer(2) ? [shape.at(axis)!] : random.integer(2) ? [] : [1];
      return { inputs: [integersBelow(random, shape, 200), uniform(random, own, 0.1, 1), ...(random.integer(2) ? [integersBelow(random, own, 100)] : [])], attributes: { axis } };
    });
  });

  it('does so on the runtime', async () => {
    const trace = await traced([{ op: 'DequantizeLinear', inputs: ['q', 's', 'z'], outputs: ['w'], attributes: { axis: 1 } }, { op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }], [
      makeInitializer('q', 'int8', [3, 2], [1, -2, 3, 4, -5, 6]), makeInitializer('s', 'float32', [2], [0.5, 0.25]), makeInitializer('z', 'int8', [2], [1, 2]),
    ]);
    const { model, gradients } = differentiate(trace, { loss: total, parameters: ['s'] });
    const executable = await backend.compile(model);
    const results = await executable.run({ x: { dtype: 'float32', dims: [1, 3], data: Float32Array.of(1, 10, 100) } });
    // Columns of whole numbers less their zeros: [0, 2, −6] and [−4, 2, 4].
    expect(Array.from(results[gradients.get('s')!].data as Float32Array)).toEqual([20 - 600, -4 + 20 + 400]);
    await executable.dispose();
  });
});

it('refuses what lies before a rounding, by name, and takes what lies behind', async () => {
  const nodes: readonly NodeParts[] = [
    { op: 'Add', inputs: ['x', 'b'], outputs: ['shifted'] }, { op: 'QuantizeLinear', name: 'rounding', inputs: ['shifted', 's', 'z'], outputs: ['q'] },
    { op: 'DequantizeLinear', inputs: ['q', 's', 'z'], outputs: ['d'] }, { op: 'Add', inputs: ['d', 'c'], outputs: ['y'] },
  ];
  const trace = await traced(nodes, [makeInitializer('b', 'float32', [3], [1, 2, 3]), makeInitializer('c', 'float32', [3], [1, 2, 3]), makeInitializer('s', 'float32', [], [0.5]), makeInitializer('z', 'int8', [], [0])]);
  expect(() => differentiate(trace, { loss: total, parameters: ['b'] })).toThrow("QuantizeLinear 'rounding' (it rounds to integers");
  expect([...differentiate(trace, { loss: total, parameters: ['c'] }).gradients.keys()]).toEqual(['c']);
});
