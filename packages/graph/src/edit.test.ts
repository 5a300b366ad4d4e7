import { describe, expect, it } from 'vitest';
import { attributeOf, attributeValue, float, makeAttribute } from './attribute-values.ts';
import { checkModel } from './check.ts';
import { makeGraph, makeInitializer, makeModel, makeNode, makeValueInfo, withFields } from './edit.ts';
import { AttributeProto_AttributeType as A, type TensorProto } from './gen/onnx_pb.js';
import { graphOf } from './model.ts';
import { decodeModel } from './read.ts';
import { readTensor } from './tensors.ts';
import { encodeModel } from './write.ts';

describe('makeModel', () => {
  it('builds a model of three nodes that reads back as it was made', () => {
    const model = makeModel({
      opset: 17,
      graph: {
        inputs: [makeValueInfo('features', 'float32', ['batch', 40, 'frames'])],
        outputs: [makeValueInfo('logits', 'float32', ['batch', 'frames', 29])],
        nodes: [
          makeNode({ op: 'Conv', name: 'conv', inputs: ['features', 'kernel'], outputs: ['c'], attributes: { kernel_shape: [3], pads: [1, 1] } }),
          makeNode({ op: 'LeakyRelu', inputs: ['c'], outputs: ['a'], attributes: { alpha: float(0) } }),
          makeNode({ op: 'Transpose', inputs: ['a'], outputs: ['logits'], attributes: { perm: [0, 2, 1] } }),
        ],
        initializers: [makeInitializer('kernel', 'float16', [29, 40, 3], Array.from({ length: 29 * 40 * 3 }, () => 0.5))],
      },
      metadata: { sample_rate: '16000' },
    });
    checkModel(model);
    const read = graphOf(decodeModel(encodeModel(model)));
    expect(read.node.map((node) => node.opType)).toEqual(['Conv', 'LeakyRelu', 'Transpose']);
    expect(read.node[0].attribute.map(attributeValue)).toEqual([[3], [1, 1]]);
    expect(read.node[1].attribute[0].type).toBe(A.FLOAT);
    expect(readTensor(model, read.initializer[0]).data[0]).toBe(0x3800);
  });

  it.each([[8, 3], [9, 4], [13, 7], [17, 8], [20, 9], [22, 10], [23, 11], [27, 13], [28, 14]])('pairs opset %i with IR version %i', (opset, irVersion) => {
    expect(makeModel({ opset, graph: { inputs: [], outputs: [], nodes: [] } }).proto.irVersion).toBe(BigInt(irVersion));
  });
});

describe('attributes', () => {
  const tensor = makeInitializer('', 'int64', [1], [7]);
  const body = makeGraph({ inputs: [], outputs: [], nodes: [] });

  it.each([
    ['INT', 3], ['FLOAT', 0.5], ['STRING', 'größer'], ['INTS', [1, -2]], ['FLOATS', [0.5, 2]], ['STRINGS', ['f', 'b']],
    ['TENSOR', tensor], ['GRAPH', body], ['TENSORS', [tensor]], ['GRAPHS', [body]],
  ] as const)('of type %s come back as they were given', (type, value) => {
    const attribute = makeAttribute('a', value);
    expect(A[attribute.type]).toBe(type);
    expect(attributeValue(attribute)).toEqual(value);
  });

  it('take whole numbers as floats where they are marked', () => {
    expect(makeAttribute('a', float(2))).toMatchObject({ type: A.FLOAT, f: 2 });
    expect(makeAttribute('a', float([1, 2]))).toMatchObject({ type: A.FLOATS, floats: [1, 2] });
  });

  it('take tensors in memory and 64-bit integers', () => {
    expect((attributeValue(makeAttribute('a', { dtype: 'int64', dims: [1], data: BigInt64Array.of(7n) })) as TensorProto).rawData).toEqual(tensor.rawData);
    expect(makeAttribute('a', 2n ** 63n - 1n).i).toBe(2n ** 63n - 1n);
  });

  it('refuse an integer that a number cannot hold', () => {
    expect(() => attributeValue(makeAttribute('ends', [2n ** 63n - 1n]))).toThrow(expect.objectContaining({ code: 'COPPICE_MODEL_INVALID', message: expect.stringContaining("'ends'") }));
  });

  it('without a stated type, as in files of 2017, are read by what they hold', () => {
    const old = withFields(makeAttribute('axis', 0), { type: undefined });
    expect(attributeValue(old)).toBe(0);
    expect(attributeValue(withFields(makeAttribute('pads', [1, 2]), { type: undefined }))).toEqual([1, 2]);
  });

  it('left undefined are left out', () => {
    const node = makeNode({ op: 'Softmax', inputs: ['x'], outputs: ['y'], attributes: { axis: undefined } });
    expect(node.attribute).toEqual([]);
    expect(attributeOf(node, 'axis')).toBeUndefined();
  });
});

describe('withFields', () => {
  it('changes a copy, keeps defaults and unknown fields, and clears what is undefined', () => {
    const node = makeNode({ op: 'Relu', name: 'act', inputs: ['x'], outputs: ['y'] });
    node.$unknown = [{ no: 99, wireType: 0, data: Uint8Array.of(1) }];
    const copy = withFields(node, { opType: 'Elu', name: undefined });
    expect(copy).toMatchObject({ opType: 'Elu', name: '', domain: '', $unknown: node.$unknown });
    expect(Object.hasOwn(copy, 'name')).toBe(false);
    expect(node).toMatchObject({ opType: 'Relu', name: 'act' });
    expect(copy.input).toBe(node.input);
  });
});

describe('makeInitializer', () => {
  it('converts numbers and keeps arrays of the fitting kind', () => {
    const half = Uint16Array.of(0x3c00);
    expect(makeInitializer('w', 'float16', [1], half).rawData).toEqual(new Uint8Array(half.buffer));
    expect(makeInitializer('w', 'float16', [1], Float32Array.of(1)).rawData).toEqual(new Uint8Array(half.buffer));
    expect(makeInitializer('n', 'int64', [1], [-1]).rawData).toEqual(new Uint8Array(8).fill(255));
    expect(makeInitializer('b', 'bool', [2], [true, false]).rawData).toEqual(Uint8Array.of(1, 0));
  });

  it('refuses a number of elements that the dimensions do not have', () => {
    expect(() => makeInitializer('w', 'float32', [2, 2], [1, 2, 3])).toThrow(expect.objectContaining({ code: 'COPPICE_MODEL_INVALID' }));
  });
});
