import { wasmBackend } from '@coppice/backend-onnx';
import { gradientName, traceModel, type Loss } from '@coppice/core';
import { contribOperators, makeInitializer, makeModel, makeNode, makeValueInfo, operators, type NodeParts } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { differentiate } from './differentiate.ts';
import { gradientOf, gradients } from './table.ts';

const backend = wasmBackend();
const rows = [...Object.keys(operators).map((op) => ['', op] as const), ...Object.keys(contribOperators).map((op) => ['com.microsoft', op] as const)];

describe('the table of gradients', () => {
  it('has a row or a sentence for every operator of ONNX and ONNX Runtime', () => {
    expect(Object.keys(gradients).toSorted()).toEqual(Object.keys(operators).toSorted());
    for (const [domain, op] of rows) expect(gradientOf(domain, op), `${domain} ${op}`).toBeDefined();
  });

  it('says why in part of a sentence, as a user reads it in brackets behind the name', () => {
    for (const [domain, op] of rows) {
      const row = gradientOf(domain, op)!;
      if ('absent' in row) expect(row.absent, op).toMatch(/^[a-z].{10,}[^.\s]$/);
    }
  });

  it('knows the default domain by both of its names, and no other', () => {
    expect(gradientOf('ai.onnx', 'Relu')).toBe(gradients.Relu);
    expect(gradientOf('org.example', 'Relu')).toBeUndefined();
    expect(gradientOf('', 'toString')).toBeUndefined();
  });
});

const loss: Loss = { name: 'dot', reads: ['y'], labels: ['r'], graph: makeModel({ opset: 21, graph: {
  inputs: [makeValueInfo('y', 'float32'), makeValueInfo('r', 'float32')], outputs: [makeValueInfo('loss', 'float32', []), makeValueInfo(gradientName('y'), 'float32')],
  nodes: [makeNode({ op: 'Mul', inputs: ['y', 'r'], outputs: ['p'] }), makeNode({ op: 'ReduceSum', inputs: ['p'], outputs: ['loss'], attributes: { keepdims: 0 } }), makeNode({ op: 'Identity', inputs: ['r'], outputs: [gradientName('y')] })],
} }) };

/** The gradients of a and b in y = node(x·a, b). */
async function gradientsOf(node: Omit<NodeParts, 'outputs'>): Promise<number[][]> {
  const trace = await traceModel(makeModel({ opset: 23, graph: {
    inputs: [makeValueInfo('x', 'float32', ['N', 3])], outputs: [makeValueInfo('y', 'float32', ['N', 3])],
    nodes: [makeNode({ op: 'Mul', inputs: ['x', 'a'], outputs: ['xa'] }), makeNode({ ...node, outputs: ['y'] })],
    initializers: [makeInitializer('a', 'float32', [3], [1, -2, 0.5]), makeInitializer('b', 'float32', [3], [0.5, 1, 2])],
  } }), backend);
  const { model, gradients: named } = differentiate(trace, { loss, parameters: node.inputs.includes('b') ? ['a', 'b'] : ['a'] });
  const executable = await backend.compile(model);
  const tensor = (data: readonly number[]) => ({ dtype: 'float32' as const, dims: [2, 3], data: Float32Array.from(data) });
  const results = await executable.run({ x: tensor([1, 2, 3, -1, 0.5, 0.25]), r: tensor([1, -1, 2, 0.5, 1, 3]) });
  await executable.dispose();
  return [...named.values()].map((name) => Array.from(results[name].data as Float32Array));
}

it.each([
  ['com.microsoft', 'Gelu', { op: 'Gelu', inputs: ['xa'] }],
  ['', 'SimplifiedLayerNormalization', { op: 'RMSNormalization', inputs: ['xa', 'b'] }],
] as const)('differentiates %s %s as the standard operator that it is', async (domain, op, standard) => {
  const expected = await gradientsOf(standard);
  const actual = await gradientsOf({ op, domain, inputs: standard.inputs });
  expect(expected.flat().some((x) => Math.abs(x) > 0.1)).toBe(true);
  actual.flat().forEach((x, k) => expect(x).toBeCloseTo(expected.flat()[k], 5));
});

it('names an operator that no table has', async () => {
  await expect(gradientsOf({ op: 'BiasGelu', domain: 'com.microsoft', inputs: ['xa', 'b'] })).rejects.toThrow('com.microsoft.BiasGelu \'y\' (only ONNX Runtime has this operator');
});
