import { wasmBackend } from '@coppice/backend-onnx';
import { gradientName, traceModel, type Loss } from '@coppice/core';
import { makeInitializer, makeModel, makeNode, makeValueInfo } from '@coppice/graph';
import { expect, it } from 'vitest';
import { differentiate } from './differentiate.ts';

/** loss = Σ y·r for a given r, so that r is the cotangent of y. */
const dot: Loss = {
  name: 'dot', reads: ['y'], labels: ['r'],
  graph: makeModel({ opset: 21, graph: {
    inputs: [makeValueInfo('y', 'float32'), makeValueInfo('r', 'float32')], outputs: [makeValueInfo('loss', 'float32', []), makeValueInfo(gradientName('y'), 'float32')],
    nodes: [makeNode({ op: 'Mul', inputs: ['y', 'r'], outputs: ['p'] }), makeNode({ op: 'ReduceSum', inputs: ['p'], outputs: ['loss'], attributes: { keepdims: 0 } }), makeNode({ op: 'Identity', inputs: ['r'], outputs: [gradientName('y')] })],
  } }),
};

it('differentiates a dense layer', async () => {
  const model = makeModel({ opset: 13, graph: {
    inputs: [makeValueInfo('x', 'float32', ['N', 2])], outputs: [makeValueInfo('y', 'float32')],
    nodes: [makeNode({ op: 'MatMul', inputs: ['x', 'w'], outputs: ['m'] }), makeNode({ op: 'Add', inputs: ['m', 'b'], outputs: ['a'] }), makeNode({ op: 'Relu', inputs: ['a'], outputs: ['y'] })],
    initializers: [makeInitializer('w', 'float32', [2, 2], [1, -1, 2, 1]), makeInitializer('b', 'float32', [2], [0.5, -0.5])],
  } });
  const backend = wasmBackend();
  const { model: graph, gradients } = differentiate(await traceModel(model, backend), { loss: dot, parameters: ['w', 'b'] });
  const executable = await backend.compile(graph);
  const results = await executable.run({ x: { dtype: 'float32', dims: [1, 2], data: Float32Array.of(1, 2) }, r: { dtype: 'float32', dims: [1, 2], data: Float32Array.of(3, 4) } });
  // y = relu([1 + 4 + ½, −1 + 2 − ½]) = [5½, ½]: both are alive.
  expect(Array.from(results.loss.data as Float32Array)).toEqual([3 * 5.5 + 4 * 0.5]);
  expect(Array.from(results[gradients.get('w')!].data as Float32Array)).toEqual([3, 4, 6, 8]);
  expect(Array.from(results[gradients.get('b')!].data as Float32Array)).toEqual([3, 4]);
});
