import { wasmBackend } from '@coppice/backend-onnx';
import { gradientName, traceModel, type Loss } from '@coppice/core';
import { makeGraph, makeInitializer, makeModel, makeNode, makeValueInfo, type AttributeInput, type NodeParts } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { differentiate } from '../differentiate.ts';

/** loss = Σ r·y, where r is what flows back. */
const loss: Loss = { name: 'dot', reads: ['y'], labels: ['r'], graph: makeModel({ opset: 21, graph: {
  inputs: [makeValueInfo('y', 'float32'), makeValueInfo('r', 'float32')], outputs: [makeValueInfo('loss', 'float32', []), makeValueInfo(gradientName('y'), 'float32')],
  nodes: [makeNode({ op: 'Mul', inputs: ['y', 'r'], outputs: ['p'] }), makeNode({ op: 'ReduceSum', inputs: ['p'], outputs: ['loss'], attributes: { keepdims: 0 } }), makeNode({ op: 'Identity', inputs: ['r'], outputs: [gradientName('y')] })],
} }) };

const graph = (inputs: readonly string[], outputs: readonly string[], ...nodes: NodeParts[]) =>
  makeGraph({ name: outputs.join(), inputs: inputs.map((name) => makeValueInfo(name, 'float32')), outputs: outputs.map((name) => makeValueInfo(name, 'float32')), nodes: nodes.map(makeNode) });

/** x[N, 3] → y = (something with the weights a, b, c, each [3]). */
const trace = (...nodes: NodeParts[]) => traceModel(makeModel({ opset: 17, graph: {
  inputs: [makeValueInfo('x', 'float32', ['N', 3])], outputs: [makeValueInfo('y', 'float32', ['N', 3])], nodes: nodes.map(makeNode),
  initializers: ['a', 'b', 'c'].map((name, k) => makeInitializer(name, 'float32', [3], [1 + k, 2, 3])),
} }), wasmBackend());

/** y = c·(the mean of x is positive ? b·xa : xa), where xa = x + a. */
const choosing = () => {
  const then_branch: AttributeInput = graph([], ['t'], { op: 'Mul', inputs: ['xa', 'b'], outputs: ['t'] });
  const else_branch: AttributeInput = graph([], ['e'], { op: 'Identity', inputs: ['xa'], outputs: ['e'] });
  return trace(
    { op: 'Add', inputs: ['x', 'a'], outputs: ['xa'] },
    { op: 'ReduceMean', inputs: ['x'], outputs: ['mean'], attributes: { keepdims: 0 } }, { op: 'Sub', inputs: ['mean', 'mean'], outputs: ['zero'] },
    { op: 'Greater', inputs: ['mean', 'zero'], outputs: ['positive'] },
    { op: 'If', name: 'choice', inputs: ['positive'], outputs: ['z'], attributes: { then_branch, else_branch } },
    { op: 'Mul', inputs: ['z', 'c'], outputs: ['y'] },
  );
};

/** y = c·(running sums of a·x·b over the rows, the weight b being used inside the loop alone). */
const scanning = () => {
  const body: AttributeInput = graph(['s', 'row'], ['next', 'out'],
    { op: 'Mul', inputs: ['row', 'b'], outputs: ['scaled'] }, { op: 'Add', inputs: ['s', 'scaled'], outputs: ['next'] }, { op: 'Identity', inputs: ['s'], outputs: ['out'] });
  return trace(
    { op: 'Mul', inputs: ['x', 'a'], outputs: ['xa'] }, { op: 'Sub', inputs: ['a', 'a'], outputs: ['start'] },
    { op: 'Scan', name: 'sums', inputs: ['start', 'xa'], outputs: ['last', 'z'], attributes: { body, num_scan_inputs: 1 } },
    { op: 'Mul', inputs: ['z', 'c'], outputs: ['y'] },
  );
};

describe.each([['If', 'choice', choosing], ['Scan', 'sums', scanning]] as const)('%s', (op, name, make) => {
  it('does no harm where nothing that is trained goes through it', async () => {
    expect([...differentiate(await make(), { loss, parameters: ['c'] }).gradients.keys()]).toEqual(['c']);
  });
  it('is refused by name for a parameter before it', async () => {
    const traced = await make();
    expect(() => differentiate(traced, { loss, parameters: ['a', 'c'] })).toThrow(`${op} '${name}'`);
  });
  it('is refused by name for a parameter inside it', async () => {
    const traced = await make();
    expect(() => differentiate(traced, { loss, parameters: ['b', 'c'] })).toThrow(`${op} '${name}'`);
  });
});
