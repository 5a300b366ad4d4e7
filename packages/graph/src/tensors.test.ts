import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { makeInitializer, makeModel, withFields } from './edit.ts';
import { TensorProtoSchema, TensorProto_DataLocation, type TensorProto } from './gen/onnx_pb.js';
import type { Model } from './model.ts';
import { dataTypeOf, dataTypes, elementBits, type DataType } from './tensor.ts';
import { readTensor, tensorByteLength, tensorBytes, toTensorProto } from './tensors.ts';

const model: Model = makeModel({ opset: 21, graph: { inputs: [], outputs: [], nodes: [] } });

const typed = (dtype: DataType, count: number, fields: Partial<TensorProto>): TensorProto =>
  withFields(create(TensorProtoSchema, { name: 'w', dataType: dataTypes[dtype], dims: [BigInt(count)] }), fields);

const numbers = (tensor: TensorProto): number[] => Array.from(readTensor(model, tensor).data as Float32Array, Number);

describe('readTensor', () => {
  it.each<[DataType, Partial<TensorProto>, number[]]>([
    ['float32', { floatData: [0.5, -2, 3] }, [0.5, -2, 3]],
    ['float64', { doubleData: [0.1, -2, 3] }, [0.1, -2, 3]],
    ['int64', { int64Data: [-1n, 2n ** 40n, 3n] }, [-1, 2 ** 40, 3]],
    ['uint64', { uint64Data: [1n, 2n ** 40n, 3n] }, [1, 2 ** 40, 3]],
    ['uint32', { uint64Data: [1n, 2n ** 32n - 1n, 3n] }, [1, 2 ** 32 - 1, 3]],
    ['int32', { int32Data: [-1, 2, 3] }, [-1, 2, 3]],
    ['int16', { int32Data: [-1, 2, 3] }, [-1, 2, 3]],
    ['uint16', { int32Data: [65535, 2, 3] }, [65535, 2, 3]],
    ['int8', { int32Data: [-128, 2, 3] }, [-128, 2, 3]],
    ['uint8', { int32Data: [255, 2, 3] }, [255, 2, 3]],
    ['bool', { int32Data: [1, 0, 1] }, [1, 0, 1]],
    ['float16', { int32Data: [0x3c00, 0xc000, 1] }, [0x3c00, 0xc000, 1]],
    ['bfloat16', { int32Data: [0x3f80, 0xc000, 1] }, [0x3f80, 0xc000, 1]],
    ['int4', { int32Data: [0x8f, 0x07] }, [-1, -8, 7]],
    ['uint4', { int32Data: [0x8f, 0x07] }, [15, 8, 7]],
    ['uint2', { int32Data: [0b111001] }, [1, 2, 3]],
    ['int2', { int32Data: [0b111001] }, [1, -2, -1]],
    ['float6e3m2', { int32Data: [40, 4, 34] }, [40, 4, 34]],
  ])('reads %s out of its typed field', (dtype, fields, expected) => {
    expect(numbers(typed(dtype, 3, fields))).toEqual(expected);
  });

  it.each<[DataType, number[]]>([
    ['int4', [-8, 7, 0, -1, 3]], ['uint4', [15, 0, 9, 1, 8]], ['int2', [-2, 1, 0, -1, 1]], ['uint2', [3, 0, 2, 1, 3]],
    ['float4e2m1', [15, 0, 9, 1, 8]], ['float6e2m3', [63, 0, 33, 1, 32]], ['float8e5m2', [255, 0, 33, 1, 128]],
  ])('unpacks what packing %s made', (dtype, values) => {
    const tensor = makeInitializer('w', dtype, [5], values);
    expect(tensor.rawData.byteLength).toBe(Math.ceil((5 * elementBits(dtype)) / 8));
    expect(numbers(tensor)).toEqual(values);
  });

  it('views aligned bytes in place and copies others', () => {
    const file = new Uint8Array(32);
    const at = (offset: number) => readTensor(model, typed('float32', 2, { rawData: file.subarray(offset, offset + 8) })).data as Float32Array;
    expect(at(8).buffer).toBe(file.buffer);
    expect(at(9).buffer).not.toBe(file.buffer);
  });

  it('reads strings, scalars and tensors without elements', () => {
    const strings = toTensorProto('labels', { dtype: 'string', dims: [2], data: ['ja', 'größer'] });
    expect(readTensor(model, strings).data).toEqual(['ja', 'größer']);
    expect(numbers(makeInitializer('s', 'float32', [], [3]))).toEqual([3]);
    expect(numbers(makeInitializer('e', 'float32', [0, 7], []))).toEqual([]);
  });

  it('reads complex numbers as pairs', () => {
    expect(numbers(typed('complex64', 2, { floatData: [1, 2, 3, 4] }))).toEqual([1, 2, 3, 4]);
  });

  it('prefers a payload to everything in the message', () => {
    const tensor = makeInitializer('w', 'float32', [2], [1, 2]);
    const payload = { byteLength: 8, bytes: () => new Uint8Array(Float32Array.of(5, 6).buffer) };
    const withPayload = { ...model, payloads: new Map([[tensor, payload]]) };
    expect([...(readTensor(withPayload, tensor).data as Float32Array)]).toEqual([5, 6]);
  });
});

describe('tensorBytes', () => {
  const external = (length?: number): TensorProto => typed('float32', 2, {
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: create(TensorProtoSchema, {
      externalData: [{ key: 'location', value: 'w.bin' }, { key: 'offset', value: '8' }, ...(length === undefined ? [] : [{ key: 'length', value: String(length) }])],
    }).externalData,
  });
  const file = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
  const externalData = { size: () => 16, read: (_: string, offset: number, length = 16 - offset) => file.subarray(offset, offset + length) };

  it('reads the range that an external tensor names', () => {
    expect([...(readTensor({ ...model, externalData }, external(8)).data as Float32Array)]).toEqual([3, 4]);
    expect([...(readTensor({ ...model, externalData }, external()).data as Float32Array)]).toEqual([3, 4]);
  });

  it('says which file is needed when nothing gives access to it', () => {
    expect(() => tensorBytes(model, external())).toThrow(expect.objectContaining({ code: 'COPPICE_EXTERNAL_DATA_MISSING', message: expect.stringContaining("'w.bin'") }));
  });

  it('refuses an external length that contradicts the dimensions', () => {
    expect(() => tensorBytes({ ...model, externalData }, external(4))).toThrow(expect.objectContaining({ code: 'COPPICE_MODEL_INVALID' }));
  });

  it.each<[string, TensorProto]>([
    ['too few raw bytes', typed('float32', 2, { rawData: new Uint8Array(4) })],
    ['too many raw bytes', typed('float32', 2, { rawData: new Uint8Array(12) })],
    ['too few typed values', typed('float32', 2, { floatData: [1] })],
    ['no data', typed('float32', 2, {})],
    ['a negative dimension', typed('float32', 2, { dims: [-1n, 2n], rawData: new Uint8Array(8) })],
    ['dimensions whose product overflows', typed('float32', 2, { dims: [2n ** 62n, 4n], rawData: new Uint8Array(8) })],
    ['contents where none belong', typed('float32', 0, { floatData: [1] })],
  ])('refuses a tensor with %s', (_, tensor) => {
    expect(() => tensorBytes(model, tensor)).toThrow(expect.objectContaining({ code: 'COPPICE_MODEL_INVALID', message: expect.stringContaining("'w'") }));
  });
});

describe('element types', () => {
  it('have a name for each number of the specification, and a size for each name but string', () => {
    for (let number = 1; number <= 28; number++) {
      const dtype = dataTypeOf(number);
      expect(dataTypes[dtype]).toBe(number);
      if (dtype !== 'string') expect(tensorByteLength(model, typed(dtype, 8, {}))).toBe(elementBits(dtype));
    }
  });

  it('refuse numbers that are not assigned', () => {
    for (const number of [0, 29, -1]) expect(() => dataTypeOf(number)).toThrow(expect.objectContaining({ code: 'COPPICE_UNSUPPORTED_TYPE' }));
  });
});
