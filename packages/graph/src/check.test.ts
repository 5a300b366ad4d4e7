import { describe, expect, it } from 'vitest';
import { checkModel, opsetOf } from './check.ts';
import { makeGraph, makeInitializer, makeModel, makeNode, makeValueInfo, withFields, type GraphParts } from './edit.ts';
import type { ErrorCode } from './errors.ts';
import type { GraphProto } from './gen/onnx_pb.js';
import type { Model } from './model.ts';
import { newestOpset } from './operators.ts';

const x = makeValueInfo('x', 'float32', [2]);
const y = makeValueInfo('y', 'float32', [2]);
const relu = makeNode({ op: 'Relu', name: 'act', inputs: ['x'], outputs: ['y'] });

const modelOf = (parts: Partial<GraphParts>): Model => makeModel({ opset: 17, graph: { inputs: [x], outputs: [y], nodes: [relu], ...parts } });

const bodyOf = (parts: Partial<GraphParts>): GraphProto => makeGraph({ name: 'body', inputs: [], outputs: [y], nodes: [relu], ...parts });

const ifNode = (then: GraphProto): GraphParts['nodes'] => [makeNode({
  op: 'If', name: 'choose', inputs: ['c'], outputs: ['z'], attributes: { then_branch: then, else_branch: bodyOf({}) },
})];

const withIf = (then: GraphProto): Model => modelOf({ initializers: [makeInitializer('c', 'bool', [], [1])], nodes: ifNode(then), outputs: [makeValueInfo('z', 'float32')] });

const rejects = (model: Model, code: ErrorCode, message: RegExp): void =>
  expect(() => checkModel(model)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));

describe('checkModel accepts', () => {
  it.each<[string, Model]>([
    ['a plain graph', modelOf({})],
    ['optional inputs and outputs left out', modelOf({ nodes: [makeNode({ op: 'Clip', inputs: ['x', '', ''], outputs: ['y', ''] })] })],
    ['a default for an input', modelOf({ initializers: [makeInitializer('x', 'float32', [2], [1, 2])] })],
    ['an input or initializer as output', modelOf({ nodes: [], outputs: [x, makeValueInfo('w', 'float32')], initializers: [makeInitializer('w', 'float32', [1], [1])] })],
    ['a body that reads a value from outside', withIf(bodyOf({}))],
    ['two branches that use the same names', withIf(bodyOf({}))],
    ['a node of another domain', makeModel({ opset: { '': 17, 'com.example': 900 }, graph: { inputs: [x], outputs: [y], nodes: [makeNode({ op: 'Gelu', domain: 'com.example', inputs: ['x'], outputs: ['y'] })] } })],
  ])('%s', (_, model) => {
    expect(() => checkModel(model)).not.toThrow();
  });
});

describe('checkModel rejects', () => {
  it('a value with two sources', () => {
    rejects(modelOf({ nodes: [relu, relu] }), 'COPPICE_MODEL_INVALID', /'y'.*twice.*node 'act' \(Relu\)/);
    rejects(modelOf({ inputs: [x, x] }), 'COPPICE_MODEL_INVALID', /'x'.*twice/);
    rejects(modelOf({ nodes: [makeNode({ op: 'Relu', inputs: ['x'], outputs: ['x'] })] }), 'COPPICE_MODEL_INVALID', /'x'.*twice/);
    const w = makeInitializer('w', 'float32', [1], [1]);
    rejects(modelOf({ initializers: [w, w] }), 'COPPICE_MODEL_INVALID', /'w'.*two initializers/);
  });

  it('an input that nobody defines, by the name of the node', () => {
    rejects(modelOf({ nodes: [makeNode({ op: 'Add', name: 'sum', inputs: ['x', 'nowhere'], outputs: ['y'] })] }), 'COPPICE_MODEL_INVALID', /node 'sum' \(Add\) reads 'nowhere'/);
    rejects(modelOf({ nodes: [makeNode({ op: 'Add', inputs: ['x', 'nowhere'], outputs: ['y'] })] }), 'COPPICE_MODEL_INVALID', /the Add node that computes 'y' reads 'nowhere'/);
  });

  it('a cycle, and nodes out of order', () => {
    const forth = makeNode({ op: 'Add', name: 'forth', inputs: ['x', 'b'], outputs: ['a'] });
    const back = makeNode({ op: 'Add', name: 'back', inputs: ['x', 'a'], outputs: ['b'] });
    rejects(modelOf({ nodes: [forth, back, relu] }), 'COPPICE_MODEL_INVALID', /node 'forth' \(Add\) reads 'b', which node 'back' \(Add\) computes only after it.*cycle/);
    rejects(modelOf({ nodes: [makeNode({ op: 'Add', inputs: ['x', 'y'], outputs: ['y'] })] }), 'COPPICE_MODEL_INVALID', /it computes itself/);
  });

  it('a body that reads what only another body has, or hides a value around it', () => {
    const other = makeNode({ op: 'Relu', name: 'inner', inputs: ['elsewhere'], outputs: ['y'] });
    rejects(withIf(bodyOf({ nodes: [other] })), 'COPPICE_MODEL_INVALID', /body 'then_branch' of node 'choose' \(If\), node 'inner' \(Relu\) reads 'elsewhere'/);
    const hides = makeNode({ op: 'Relu', name: 'inner', inputs: ['x'], outputs: ['c'] });
    rejects(withIf(bodyOf({ nodes: [hides], outputs: [makeValueInfo('c', 'float32')] })), 'COPPICE_MODEL_INVALID', /'c'.*a graph around it/);
  });

  it('an output that nothing computes', () => {
    rejects(modelOf({ outputs: [makeValueInfo('q', 'float32')] }), 'COPPICE_MODEL_INVALID', /output 'q' of the graph/);
    rejects(withIf(bodyOf({ outputs: [makeValueInfo('q', 'float32')] })), 'COPPICE_MODEL_INVALID', /output 'q' of the body 'then_branch'/);
  });

  it('bodies nested too deeply', () => {
    let body = bodyOf({});
    for (let k = 0; k < 40; k++) body = bodyOf({ nodes: ifNode(body), outputs: [makeValueInfo('z', 'float32')] });
    rejects(withIf(body), 'COPPICE_MODEL_INVALID', /more than 30 subgraphs deep/);
  });

  it('contents that do not fit type and dimensions, also inside attributes', () => {
    const w = makeInitializer('w', 'float32', [2], [1, 2]);
    rejects(modelOf({ initializers: [withFields(w, { dims: [3n] })] }), 'COPPICE_MODEL_INVALID', /'w' holds 8 bytes.*\[3\] want 12/);
    rejects(modelOf({ initializers: [withFields(w, { dims: [-2n] })] }), 'COPPICE_MODEL_INVALID', /'w'.*negative/);
    rejects(modelOf({ initializers: [withFields(w, { dims: [2n ** 40n, 2n ** 40n] })] }), 'COPPICE_MODEL_INVALID', /'w'.*more elements than any file/);
    rejects(modelOf({ initializers: [withFields(w, { dataType: 99 })] }), 'COPPICE_UNSUPPORTED_TYPE', /'w'.*99/);
    const constant = makeNode({ op: 'Constant', inputs: [], outputs: ['k'], attributes: { value: withFields(w, { dims: [5n] }) } });
    rejects(modelOf({ nodes: [constant, relu] }), 'COPPICE_MODEL_INVALID', /want 20/);
  });

  it('operator sets that are too new, or imported twice, or missing from a file that must have them', () => {
    const at = (version: number): Model => makeModel({ opset: version, graph: { inputs: [x], outputs: [y], nodes: [relu] } });
    expect(() => checkModel(at(newestOpset))).not.toThrow();
    rejects(at(newestOpset + 1), 'COPPICE_UNSUPPORTED_OPSET', new RegExp(`version ${newestOpset + 1}.*1 to ${newestOpset}`));
    rejects(at(0), 'COPPICE_UNSUPPORTED_OPSET', /version 0/);
    rejects(makeModel({ opset: { '': 17, 'ai.onnx': 18 }, graph: { inputs: [x], outputs: [y], nodes: [relu] } }), 'COPPICE_MODEL_INVALID', /twice/);
    rejects({ proto: withFields(at(17).proto, { opsetImport: [] }) }, 'COPPICE_MODEL_INVALID', /imports no operator set/);
  });
});

describe('opsetOf', () => {
  it('is 1 for a file of 2017, which imports nothing', () => {
    const old = withFields(modelOf({}).proto, { irVersion: 1n, opsetImport: [] });
    expect(() => checkModel({ proto: old })).not.toThrow();
    expect(opsetOf(old)).toBe(1);
  });

  it("knows ONNX's own operators by both names", () => {
    const { proto } = makeModel({ opset: { 'ai.onnx': 13, 'com.example': 2 }, graph: { inputs: [x], outputs: [y], nodes: [relu] } });
    expect([opsetOf(proto), opsetOf(proto, 'ai.onnx'), opsetOf(proto, 'com.example')]).toEqual([13, 13, 2]);
  });
});
