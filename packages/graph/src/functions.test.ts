import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { attributeValue, float, makeAttribute, type AttributeInput } from './attribute-values.ts';
import { makeGraph, makeInitializer, makeModel, makeNode, makeValueInfo, withFields } from './edit.ts';
import { inlineFunctions } from './functions.ts';
import { AttributeProto_AttributeType, AttributeProtoSchema, FunctionProtoSchema } from './gen/onnx_pb.js';
import type { FunctionProto, NodeProto } from './gen/onnx_pb.js';
import { graphOf } from './model.ts';
import type { Model } from './model.ts';

const node = (op: string, inputs: readonly string[], outputs: readonly string[], attributes: Record<string, AttributeInput> = {}, domain = ''): NodeProto => makeNode({ op, domain, inputs, outputs, attributes });
const call = (name: string, inputs: readonly string[], outputs: readonly string[], attributes: Record<string, AttributeInput> = {}): NodeProto => node(name, inputs, outputs, attributes, 'my');

/** The node with an attribute whose value is an attribute of the function. */
const referring = (of: NodeProto, name: string, argument: string): NodeProto =>
  withFields(of, { attribute: [...of.attribute, create(AttributeProtoSchema, { name, refAttrName: argument, type: AttributeProto_AttributeType.FLOAT })] });

interface FunctionParts {
  readonly name: string;
  readonly input: string[];
  readonly output: string[];
  readonly node: NodeProto[];
  readonly defaults?: Record<string, AttributeInput>;
  readonly overload?: string;
  readonly opset?: Record<string, number>;
}
const makeFunction = ({ defaults = {}, opset = { '': 18, my: 1 }, ...parts }: FunctionParts): FunctionProto =>
  create(FunctionProtoSchema, {
    domain: 'my', ...parts,
    attributeProto: Object.entries(defaults).map(([name, value]) => makeAttribute(name, value)),
    opsetImport: Object.entries(opset).map(([domain, version]) => ({ domain, version: BigInt(version) })),
  });

const modelOf = (nodes: readonly NodeProto[], functions: readonly FunctionProto[], opset: Record<string, number> = { '': 18, my: 1 }): Model =>
  makeModel({ opset, functions, graph: { nodes, inputs: [makeValueInfo('x', 'float32', [4])], outputs: [makeValueInfo('y', 'float32', [4])] } });

const line = ({ opType, input, output, attribute }: NodeProto): string =>
  `${output.join(', ')} = ${opType}(${input.join(', ')})${attribute.filter((a) => !a.g).map((a) => ` ${a.name}=${String(attributeValue(a))}`).join('')}`;
const inlined = (nodes: readonly NodeProto[], functions: readonly FunctionProto[]): string[] => graphOf(inlineFunctions(modelOf(nodes, functions))).node.map(line);

const scale = makeFunction({ name: 'Scale', input: ['a', 'b'], output: ['out'], node: [node('Mul', ['a', 'b'], ['t']), node('Add', ['t', 'a'], ['out'])] });
const leaky = makeFunction({ name: 'Leaky', input: ['a'], output: ['out'], defaults: { slope: float(0.5) }, node: [referring(node('LeakyRelu', ['a'], ['out']), 'alpha', 'slope')] });

describe('inlineFunctions', () => {
  it('hands back a model without functions as it is', () => {
    const model = modelOf([node('Relu', ['x'], ['y'])], []);
    expect(inlineFunctions(model)).toBe(model);
  });

  it('puts the nodes of the function where the call was, once for each call', () => {
    expect(inlined([call('Scale', ['x', 'x'], ['h']), call('Scale', ['h', 'x'], ['y'])], [scale])).toEqual([
      'h/t = Mul(x, x)', 'h = Add(h/t, x)', 'y/t = Mul(h, x)', 'y = Add(y/t, h)',
    ]);
  });

  it('gives values and nodes names that nobody has', () => {
    const nodes = [node('Relu', ['x'], ['y/t']), call('Scale', ['y/t', 'x'], ['y']), withFields(call('Scale', ['y', 'x'], ['z']), { name: 'y' })];
    const { node: result } = graphOf(inlineFunctions(modelOf(nodes, [scale])));
    expect(result.map(line)).toEqual(['y/t = Relu(x)', 'y/t_2 = Mul(y/t, x)', 'y = Add(y/t_2, y/t)', 'y/t_3 = Mul(y, x)', 'z = Add(y/t_3, y)']);
    expect(result.map((n) => n.name)).toEqual(['', 'y/Mul', 'y/Add', 'y/Mul_2', 'y/Add_2']);
  });

  it('goes into functions that call functions', () => {
    const twice = makeFunction({ name: 'Twice', input: ['a'], output: ['out'], node: [call('Scale', ['a', 'a'], ['h']), call('Scale', ['h', 'a'], ['out'])] });
    expect(inlined([call('Twice', ['x'], ['y'])], [twice, scale])).toEqual(['y/Scale/t = Mul(x, x)', 'y/h = Add(y/Scale/t, x)', 'y/Scale_2/t = Mul(y/h, x)', 'y = Add(y/Scale_2/t, y/h)']);
  });

  it('puts in attributes: what the call gives, else the default, else nothing', () => {
    const bare = makeFunction({ name: 'Bare', input: ['a'], output: ['out'], node: leaky.node });
    expect(inlined([call('Leaky', ['x'], ['a'], { slope: float(0.25) }), call('Leaky', ['a'], ['b']), call('Bare', ['b'], ['y'])], [leaky, bare])).toEqual([
      'a = LeakyRelu(x) alpha=0.25', 'b = LeakyRelu(a) alpha=0.5', 'y = LeakyRelu(b)',
    ]);
  });

  it('hands attributes on through two functions', () => {
    const outer = makeFunction({ name: 'Outer', input: ['a'], output: ['out'], node: [referring(call('Leaky', ['a'], ['out']), 'slope', 'steepness')] });
    expect(inlined([call('Outer', ['x'], ['y'], { steepness: float(2) })], [outer, leaky])).toEqual(['y = LeakyRelu(x) alpha=2']);
  });

  it('leaves out what the call leaves out', () => {
    const clip = makeFunction({ name: 'Limit', input: ['a', 'low', 'high'], output: ['out', 'spare'], node: [node('Clip', ['a', 'low', 'high'], ['out']), node('Neg', ['out'], ['spare'])] });
    expect(inlined([call('Limit', ['x', '', 'x'], ['y'])], [clip])).toEqual(['y = Clip(x, , x)', 'y/spare = Neg(y)']);
    expect(inlined([call('Limit', ['x'], ['', 'y'])], [clip])).toEqual(['y/out = Clip(x, , )', 'y = Neg(y/out)']);
  });

  it('copies an operand that is handed through, and a result that is returned twice', () => {
    const through = makeFunction({ name: 'Through', input: ['a'], output: ['a', 'r', 'r'], node: [node('Relu', ['a'], ['r'])] });
    expect(inlined([call('Through', ['x'], ['p', 'q', 'y'])], [through])).toEqual(['q = Relu(x)', 'p = Identity(x)', 'y = Identity(q)']);
  });

  it('tells overloads apart', () => {
    const other = makeFunction({ name: 'Scale', overload: 'down', input: ['a', 'b'], output: ['out'], node: [node('Div', ['a', 'b'], ['out'])] });
    expect(inlined([withFields(call('Scale', ['x', 'x'], ['y']), { overload: 'down' })], [scale, other])).toEqual(['y = Div(x, x)']);
  });
});

describe('inlineFunctions: bodies', () => {
  const branch = (nodes: readonly NodeProto[], output: string) => makeGraph({ nodes, inputs: [], outputs: [makeValueInfo(output, 'float32')], initializers: [makeInitializer('k', 'float32', [1], [2])] });

  it('expands calls inside the bodies of the graph', () => {
    const body = branch([call('Scale', ['x', 'k'], ['r'])], 'r');
    const { node: [result] } = graphOf(inlineFunctions(modelOf([node('If', ['c'], ['y'], { then_branch: body, else_branch: body })], [scale])));
    expect(result.attribute.map((a) => a.g!.node.map(line))).toEqual([['r/t = Mul(x, k)', 'r = Add(r/t, x)'], ['r/t_2 = Mul(x, k)', 'r = Add(r/t_2, x)']]);
  });

  it('renames what bodies inside a function define, and what they capture', () => {
    const body = branch([node('Mul', ['t', 'k'], ['u']), node('Add', ['u', 'a'], ['r'])], 'r');
    const choose = makeFunction({ name: 'Choose', input: ['c', 'a'], output: ['out'], node: [node('Neg', ['a'], ['t']), node('If', ['c'], ['out'], { then_branch: body, else_branch: body })] });
    const { node: [, result] } = graphOf(inlineFunctions(modelOf([call('Choose', ['flag', 'x'], ['y'])], [choose])));
    const [first, second] = result.attribute.map((a) => a.g!);
    expect(first.node.map(line)).toEqual(['y/u = Mul(y/t, y/k)', 'y/r = Add(y/u, x)']);
    expect([first.initializer[0].name, first.output[0].name]).toEqual(['y/k', 'y/r']);
    expect(second.node.map(line)).toEqual(['y/u_2 = Mul(y/t, y/k_2)', 'y/r_2 = Add(y/u_2, x)']);
  });

  it('keeps the contents that a renamed initializer of a body has elsewhere', () => {
    const body = branch([node('Mul', ['a', 'k'], ['r'])], 'r');
    const [weight] = body.initializer;
    const choose = makeFunction({ name: 'Choose', input: ['c', 'a'], output: ['out'], node: [node('If', ['c'], ['out'], { then_branch: body, else_branch: body })] });
    const payload = { byteLength: 4, bytes: () => new Uint8Array(4) };
    const model = inlineFunctions({ ...modelOf([call('Choose', ['flag', 'x'], ['y'])], [choose]), payloads: new Map([[weight, payload]]) });
    const renamed = graphOf(model).node[0].attribute[0].g!.initializer[0];
    expect(renamed.name).toBe('y/k');
    expect(model.payloads!.get(renamed)).toBe(payload);
  });
});

describe('inlineFunctions: opsets', () => {
  const versions = (model: Model): (string | bigint)[][] => inlineFunctions(model).proto.opsetImport.map((o) => [o.domain, o.version]);

  it('removes the functions and the domains that only they had, and adds what they use', () => {
    const fused = makeFunction({ name: 'Fused', input: ['a'], output: ['out'], opset: { '': 18, 'com.microsoft': 1 }, node: [node('FastGelu', ['a'], ['out'], {}, 'com.microsoft')] });
    const model = modelOf([call('Fused', ['x'], ['y'])], [fused]);
    expect(inlineFunctions(model).proto.functions).toEqual([]);
    expect(versions(model)).toEqual([['', 18n], ['com.microsoft', 1n]]);
  });

  it('accepts another opset as long as it means the same', () => {
    const older = makeFunction({ name: 'Older', input: ['a'], output: ['out'], opset: { '': 15 }, node: [node('Mul', ['a', 'a'], ['out'])] });
    expect(versions(modelOf([call('Older', ['x'], ['y'])], [older]))).toEqual([['', 18n]]);
  });

  it('refuses one that means something else', () => {
    const older = makeFunction({ name: 'Older', input: ['a'], output: ['out'], opset: { '': 12 }, node: [node('Softmax', ['a'], ['out'])] });
    const run = () => inlineFunctions(modelOf([call('Older', ['x'], ['y'])], [older]));
    expect(run).toThrow(expect.objectContaining({ code: 'COPPICE_UNSUPPORTED_OPSET' }));
    expect(run).toThrow("'my.Older' uses Softmax of opset 12, which is another operator in opset 18");
  });
});

describe('inlineFunctions refuses', () => {
  it('a function that calls itself by way of another one', () => {
    const ping = makeFunction({ name: 'Ping', input: ['a'], output: ['out'], node: [call('Pong', ['a'], ['out'])] });
    const pong = makeFunction({ name: 'Pong', input: ['a'], output: ['out'], node: [call('Ping', ['a'], ['out'])] });
    const run = () => inlined([call('Ping', ['x'], ['y'])], [ping, pong]);
    expect(run).toThrow(expect.objectContaining({ code: 'COPPICE_MODEL_INVALID' }));
    expect(run).toThrow("'my.Ping' → 'my.Pong' → 'my.Ping'");
  });

  it('more operands than the function has', () => {
    expect(() => inlined([call('Leaky', ['x', 'x'], ['y'])], [leaky])).toThrow("hands 2 inputs and 1 outputs to the function 'my.Leaky'");
  });
});
