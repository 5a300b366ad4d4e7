import { describe, expect, it } from 'vitest';
import { attributeValue, float, type AttributeInput } from './attribute-values.ts';
import { makeGraph, makeInitializer, makeModel, makeNode, makeValueInfo, withFields } from './edit.ts';
import { AttributeProto_AttributeType } from './gen/onnx_pb.js';
import type { NodeProto } from './gen/onnx_pb.js';
import { graphOf } from './model.ts';
import type { Model } from './model.ts';
import { readTensor } from './tensors.ts';
import { upgradeModel } from './upgrade.ts';

const image = makeValueInfo('x', 'float32', ['batch', 3, 8, 8]);
const perChannel = makeInitializer('b', 'float32', [3], [1, 2, 3]);

/** A file of its time: initializers are listed as inputs too. */
const oldModel = (opset: number, nodes: readonly NodeProto[], initializers = [perChannel], irVersion = 3): Model =>
  makeModel({ opset, irVersion, graph: { nodes, initializers, inputs: [image, ...initializers.map((t) => makeValueInfo(t.name, 'float32', t.dims.map(Number)))], outputs: [makeValueInfo('y', 'float32')] } });

const node = (op: string, inputs: readonly string[], attributes: Record<string, AttributeInput> = {}, outputs: readonly string[] = ['y']): NodeProto => makeNode({ op, inputs, outputs, attributes });

/** A node as a line, e.g. `y = Concat(a, b) axis=1`. */
const line = ({ opType, input, output, attribute }: NodeProto): string =>
  `${output.join(', ')} = ${opType}(${input.join(', ')})${attribute.map((a) => ` ${a.name}=${a.g ? '{…}' : String(attributeValue(a))}`).join('')}`;

const lines = (model: Model): string[] => graphOf(model).node.map(line);

/** The lines after the upgrade, and the initializers it added. */
function upgraded(opset: number, old: NodeProto, initializers = [perChannel]): { nodes: string[]; added: string[] } {
  const model = upgradeModel(oldModel(opset, [old], initializers));
  const added = graphOf(model).initializer.slice(initializers.length).map((t) => `${t.name}=${Array.from(readTensor(model, t).data, Number).join(',')}`);
  return { nodes: lines(model), added };
}

describe('upgradeModel', () => {
  it('hands back a model of opset 7 or later as it is', () => {
    const model = makeModel({ opset: 7, graph: { inputs: [image], outputs: [image], nodes: [] } });
    expect(upgradeModel(model)).toBe(model);
  });

  it('hands back a model that imports other operators only', () => {
    const model = makeModel({ opset: { 'ai.onnx.ml': 1 }, irVersion: 3, graph: { inputs: [image], outputs: [image], nodes: [] } });
    expect(upgradeModel(model)).toBe(model);
  });

  it('brings a file of 2017, which states neither opset nor types of attributes, to opset 9', () => {
    const relu = node('MaxPool', ['x'], { kernel_shape: [2, 2], pads: [0, 1] });
    const untyped = withFields(relu, { attribute: relu.attribute.map((a) => withFields(a, { type: AttributeProto_AttributeType.UNDEFINED })) });
    const { proto } = oldModel(1, [untyped], [perChannel], 1);
    const model = upgradeModel({ proto: withFields(proto, { opsetImport: [] }) });
    expect(model.proto).toMatchObject({ irVersion: 4n, opsetImport: [{ domain: '', version: 9n }] });
    expect(graphOf(model).node[0].attribute.map((a) => a.type)).toEqual([AttributeProto_AttributeType.INTS, AttributeProto_AttributeType.INTS]);
  });

  it('takes initializers off the list of inputs, keeps their names, and leaves the old model alone', () => {
    const old = oldModel(1, [node('Add', ['x', 'b'], { broadcast: 1, axis: 1 })]);
    const before = lines(old);
    const graph = graphOf(upgradeModel(old));
    expect(graph.input.map((i) => i.name)).toEqual(['x']);
    expect(graph.initializer[0]).toBe(perChannel);
    expect(lines(old)).toEqual(before);
    expect(graphOf(old).input).toHaveLength(2);
  });

  it('keeps the opsets of other domains', () => {
    const model = upgradeModel(makeModel({ opset: { '': 6, 'ai.onnx.ml': 1 }, graph: { inputs: [image], outputs: [image], nodes: [] } }));
    expect(model.proto.opsetImport.map((o) => [o.domain, o.version])).toEqual([['', 9n], ['ai.onnx.ml', 1n]]);
  });
});

describe('upgradeModel: an operator at a time', () => {
  it.each<[string, number, NodeProto, string[], string[]]>([
    ['aligns a bias with the channels', 6, node('Add', ['x', 'b'], { broadcast: 1, axis: 1 }), ['b_aligned = Unsqueeze(b) axes=1,2', 'y = Add(x, b_aligned)'], []],
    ['aligns the slopes of PRelu with the channels', 6, node('PRelu', ['x', 'b']), ['b_aligned = Unsqueeze(b) axes=1,2', 'y = PRelu(x, b_aligned)'], []],
    ['leaves operands alone that end together', 6, node('Mul', ['x', 'b'], { broadcast: 1 }), ['y = Mul(x, b)'], []],
    ['leaves operands alone that are aligned at the end', 6, node('Mul', ['x', 'b'], { broadcast: 1, axis: 3 }), ['y = Mul(x, b)'], []],
    ['makes the shape an input', 4, node('Reshape', ['x'], { shape: [0, -1] }), ['y = Reshape(x, y_shape)'], ['y_shape=0,-1']],
    ['drops what runtimes never read', 1, node('Relu', ['x'], { consumed_inputs: [0] }), ['y = Relu(x)'], []],
    ['drops is_test', 6, node('Dropout', ['x'], { is_test: 1, ratio: float(0.25) }), ['y = Dropout(x) ratio=0.25'], []],
    ['drops is_test and the results of training', 6, node('BatchNormalization', ['x', 'b', 'b', 'b', 'b'], { is_test: 1, spatial: 1 }, ['y', 'm', 'v']), ['y = BatchNormalization(x, b, b, b, b)'], []],
    ['lets Gemm broadcast', 6, node('Gemm', ['x', 'w', 'b'], { broadcast: 1, transB: 1 }), ['y = Gemm(x, w, b) transB=1'], []],
    ['states the axis of Concat', 1, node('Concat', ['x', 'x']), ['y = Concat(x, x) axis=1'], []],
    ['writes a data type as a number', 1, node('Cast', ['x'], { to: 'FLOAT16' }), ['y = Cast(x) to=10'], []],
    ['calls paddings pads', 1, node('Pad', ['x'], { paddings: [0, 1] }), ['y = Pad(x) pads=0,1'], []],
    ['gives both ends of an axis their padding', 1, node('MaxPool', ['x'], { kernel_shape: [2, 2], pads: [0, 1], dilations: [1, 1] }), ['y = MaxPool(x) kernel_shape=2,2 pads=0,1,0,1'], []],
    ['makes the scales an input', 1, node('Upsample', ['x'], { height_scale: float(2), width_scale: float(3), mode: 'bilinear' }), ['y = Upsample(x, y_scales) mode=linear'], ['y_scales=1,1,2,3']],
    ['makes the order of a norm whole', 1, node('GlobalLpPool', ['x'], { p: float(2) }), ['y = GlobalLpPool(x) p=2'], []],
    ['always computes sequences', 1, node('GRU', ['x', 'w', 'r'], { hidden_size: 4, output_sequence: 1 }), ['y = GRU(x, w, r) hidden_size=4'], []],
  ])('%s', (_, opset, old, nodes, added) => {
    expect(upgraded(opset, old)).toEqual({ nodes, added });
  });

  it('turns one repeated axis into a number of copies for each', () => {
    const numbers = [makeInitializer('tiles', 'int64', [1], [5]), makeInitializer('axis', 'int64', [1], [2])];
    expect(upgraded(1, node('Tile', ['x', 'tiles', 'axis']), numbers)).toEqual({ nodes: ['y = Tile(x, y_repeats)'], added: ['y_repeats=1,1,5,1'] });
  });

  it('turns the sizes of Split into an attribute', () => {
    const sizes = [makeInitializer('sizes', 'int64', [2], [1, 2])];
    expect(upgraded(1, node('Split', ['x', 'sizes'], { axis: 1 }, ['y', 'z']), sizes).nodes).toEqual(['y, z = Split(x) axis=1 split=1,2']);
  });

  it('knows the number of axes of computed values', () => {
    const nodes = [
      node('Conv', ['x', 'w'], {}, ['c']), node('Relu', ['c'], {}, ['r']), node('Reshape', ['r'], { shape: [0, 3, -1] }, ['s']),
      node('Unsqueeze', ['s'], { axes: [0, 1] }, ['u']), node('ReduceMean', ['u'], { axes: [0], keepdims: 0 }, ['m']),
      node('Add', ['m', 'b'], { broadcast: 1, axis: 2 }),
    ];
    expect(lines(upgradeModel(oldModel(1, nodes))).slice(-2)).toEqual(['b_aligned = Unsqueeze(b) axes=1', 'y = Add(m, b_aligned)']);
  });

  it('gives each added value a name of its own', () => {
    const nodes = [node('Add', ['x', 'b'], { broadcast: 1, axis: 1 }, ['b_aligned']), node('Add', ['b_aligned', 'b'], { broadcast: 1, axis: 1 })];
    expect(lines(upgradeModel(oldModel(1, nodes)))).toEqual([
      'b_aligned_2 = Unsqueeze(b) axes=1,2', 'b_aligned = Add(x, b_aligned_2)', 'b_aligned_3 = Unsqueeze(b) axes=1,2', 'y = Add(b_aligned, b_aligned_3)',
    ]);
  });

  it('goes into the bodies of If, which see the ranks around them', () => {
    const branch = (op: NodeProto) => makeGraph({ inputs: [], outputs: [makeValueInfo('t', 'float32')], nodes: [op] });
    const body = branch(node('Add', ['x', 'b'], { broadcast: 1, axis: 1 }, ['t']));
    const model = upgradeModel(oldModel(6, [node('If', ['c'], { then_branch: body, else_branch: body })]));
    expect(graphOf(model).node[0].attribute[0].g!.node.map(line)).toEqual(['b_aligned = Unsqueeze(b) axes=1,2', 't = Add(x, b_aligned)']);
  });
});

describe('upgradeModel refuses, by name,', () => {
  it.each<[string, NodeProto, RegExp]>([
    ['an operator that no opset has', node('ImageScaler', ['x']), /ImageScaler 'y' of opset 6/],
    ['an alignment with a value of unknown rank', node('Add', ['mystery', 'b'], { broadcast: 1, axis: 1 }), /the number of axes of 'mystery' is not known/],
    ['statistics for each element', node('BatchNormalization', ['x', 'b', 'b', 'b', 'b'], { spatial: 0 }), /spatial = 0/],
    ['training', node('BatchNormalization', ['x', 'b', 'b', 'b', 'b'], {}, ['y', 'm', 'v']), /training mode/],
    ['an unknown data type', node('Cast', ['x'], { to: 'FLOAT7' }), /FLOAT7/],
    ['dilated pooling', node('MaxPool', ['x'], { kernel_shape: [2, 2], dilations: [2, 2] }), /dilations/],
  ])('%s', (_, old, message) => {
    const run = () => upgradeModel(oldModel(6, [old]));
    expect(run).toThrow(expect.objectContaining({ code: 'COPPICE_UNSUPPORTED_OPSET' }));
    expect(run).toThrow(message);
  });
});
