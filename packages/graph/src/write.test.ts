import { create, createRegistry, equals, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { makeGraph, makeInitializer, makeModel, makeNode, makeValueInfo, withFields } from './edit.ts';
import { file_onnx, FunctionProtoSchema, ModelProtoSchema, SparseTensorProtoSchema, TensorProtoSchema, TensorProto_DataLocation, TrainingInfoProtoSchema, type TensorProto } from './gen/onnx_pb.js';
import { graphOf, type Model, type Payload } from './model.ts';
import { decodeModel } from './read.ts';
import { readTensor } from './tensors.ts';
import { encodeChunks, encodeModel } from './write.ts';

const large = 3000;
const ramp = Array.from({ length: large }, (_, k) => k / 8);
const weights = (name: string): TensorProto => makeInitializer(name, 'float32', [large], ramp);
const note = { no: 900, wireType: 2, data: Uint8Array.of(3, 1, 2, 3) };

/** A tensor, long enough to be streamed, in every place where ONNX has one, and unknown fields at every level of one path. */
const everywhere = (): Model => {
  const body = makeGraph({ inputs: [], outputs: [], nodes: [], initializers: [weights('in body')] });
  const sparse = create(SparseTensorProtoSchema, { values: weights('sparse values'), indices: makeInitializer('sparse indices', 'int64', [large], ramp.map(Math.floor)), dims: [99999n] });
  const node = makeNode({
    op: 'Custom', name: 'all', inputs: ['x'], outputs: ['y'],
    attributes: { axis: 1, t: weights('in attribute'), ts: [weights('a'), weights('b')], g: body, gs: [body], s: sparse, label: 'x' },
  });
  const typed = create(TensorProtoSchema, { name: 'typed', dataType: 1, dims: [BigInt(large)], floatData: ramp, docString: 'kept as it is' });
  const noted = withFields(weights('noted'), { docString: 'doc', metadataProps: [{ $typeName: 'onnx.StringStringEntryProto', key: 'k', value: 'v' }], $unknown: [note] });
  const model = makeModel({
    opset: 21, metadata: { sample_rate: '16000' },
    graph: { inputs: [makeValueInfo('x', 'float32')], outputs: [makeValueInfo('y', 'float32')], nodes: [withFields(node, { $unknown: [note] })], initializers: [noted, typed] },
    functions: [create(FunctionProtoSchema, { name: 'f', node: [node], opsetImport: [{ version: 21n }] })],
  });
  const graph = withFields(graphOf(model), { sparseInitializer: [sparse], docString: 'graph', $unknown: [note] });
  return { proto: withFields(model.proto, { graph, trainingInfo: [create(TrainingInfoProtoSchema, { algorithm: body })], $unknown: [note] }) };
};

describe('encodeModel', () => {
  it('writes the very bytes of the protobuf library, wherever tensors and unknown fields are', () => {
    const model = everywhere();
    const bytes = encodeModel(model);
    expect(Buffer.compare(bytes, toBinary(ModelProtoSchema, model.proto))).toBe(0);
    expect(equals(ModelProtoSchema, decodeModel(bytes).proto, model.proto, { unknown: true, registry: createRegistry(file_onnx) })).toBe(true);
  });

  it('puts payloads in the place of contents, typed or raw', () => {
    const payload: Payload = { byteLength: 8, bytes: () => new Uint8Array(Float32Array.of(8, 9).buffer) };
    const typed = create(TensorProtoSchema, { name: 'typed', dataType: 1, dims: [2n], floatData: [1, 2] });
    const raw = makeInitializer('raw', 'float32', [2], [1, 2]);
    const model = makeModel({ opset: 17, graph: { inputs: [], outputs: [], nodes: [], initializers: [typed, raw] } });
    const read = decodeModel(encodeModel({ ...model, payloads: new Map([[typed, payload], [raw, payload]]) }));
    for (const tensor of graphOf(read).initializer) {
      expect([...(readTensor(read, tensor).data as Float32Array)]).toEqual([8, 9]);
      expect(tensor.floatData).toEqual([]);
    }
  });

  it('pulls external data in', () => {
    const tensor = create(TensorProtoSchema, { name: 'w', dataType: 1, dims: [2n], dataLocation: TensorProto_DataLocation.EXTERNAL, externalData: [{ key: 'location', value: 'w.bin' }], docString: 'kept' });
    const model = makeModel({ opset: 17, graph: { inputs: [], outputs: [], nodes: [], initializers: [tensor] } });
    const file = new Uint8Array(Float32Array.of(3, 4).buffer);
    const read = decodeModel(encodeModel({ ...model, externalData: { size: () => 8, read: () => file } }));
    expect(graphOf(read).initializer[0]).toMatchObject({ name: 'w', docString: 'kept', externalData: [], dataLocation: TensorProto_DataLocation.DEFAULT, rawData: file });
  });

  it('refuses more than 2 GB before it fetches anything', () => {
    const unreachable: Payload = { byteLength: 2 ** 30, bytes: () => { throw new Error('fetched'); } };
    const tensors = ['a', 'b'].map((name) => create(TensorProtoSchema, { name, dataType: 1, dims: [2n ** 28n] }));
    const model = makeModel({ opset: 17, graph: { inputs: [], outputs: [], nodes: [], initializers: tensors } });
    expect(() => encodeModel({ ...model, payloads: new Map(tensors.map((tensor) => [tensor, unreachable])) }))
      .toThrow(expect.objectContaining({ code: 'COPPICE_MODEL_TOO_LARGE', message: expect.stringContaining('external') }));
  });

  it('refuses a payload of the wrong length', () => {
    const tensor = makeInitializer('w', 'float32', [2], [1, 2]);
    const model = makeModel({ opset: 17, graph: { inputs: [], outputs: [], nodes: [], initializers: [tensor] } });
    const short: Payload = { byteLength: 4, bytes: () => new Uint8Array(4) };
    const liar: Payload = { byteLength: 8, bytes: () => new Uint8Array(4) };
    for (const payload of [short, liar]) {
      expect(() => encodeModel({ ...model, payloads: new Map([[tensor, payload]]) })).toThrow(expect.objectContaining({ code: 'COPPICE_MODEL_INVALID' }));
    }
  });
});

describe('encodeChunks', () => {
  it('passes large weights on without copying them', () => {
    const model = everywhere();
    const views = new Set([...encodeChunks(model)].map((chunk) => chunk.buffer));
    expect(views.has(graphOf(model).initializer[0].rawData.buffer)).toBe(true);
  });

  it('fetches a payload only when its turn comes', () => {
    const fetched: string[] = [];
    const tensors = ['a', 'b'].map((name) => makeInitializer(name, 'float32', [1], [0]));
    const payloads = new Map(tensors.map((tensor): [TensorProto, Payload] => [tensor, { byteLength: 4, bytes: () => { fetched.push(tensor.name); return new Uint8Array(4); } }]));
    const chunks = encodeChunks({ ...makeModel({ opset: 17, graph: { inputs: [], outputs: [], nodes: [], initializers: tensors } }), payloads })[Symbol.iterator]();
    chunks.next();
    expect(fetched).toEqual([]);
    chunks.next();
    expect(fetched).toEqual(['a']);
  });

  it('writes a reference for tensors that are placed elsewhere', () => {
    const tensor = withFields(weights('w'), { externalData: [{ $typeName: 'onnx.StringStringEntryProto', key: 'checksum', value: 'old' }] });
    const model = makeModel({ opset: 17, graph: { inputs: [], outputs: [], nodes: [], initializers: [tensor] } });
    const chunks = [...encodeChunks(model, { external: new Map([[tensor, { location: 'w.data', offset: 64, length: large * 4 }]]) })];
    const read = fromBinary(ModelProtoSchema, Buffer.concat(chunks)).graph!.initializer[0];
    expect(read.dataLocation).toBe(TensorProto_DataLocation.EXTERNAL);
    expect(read.externalData.map(({ key, value }) => [key, value])).toEqual([['location', 'w.data'], ['offset', '64'], ['length', String(large * 4)]]);
    expect(read.rawData).toHaveLength(0);
  });
});
