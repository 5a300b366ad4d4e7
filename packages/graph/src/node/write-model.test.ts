import { create } from '@bufbuild/protobuf';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeInitializer, makeModel, makeNode, makeValueInfo, withFields } from '../edit.ts';
import { externalRange } from '../external-data.ts';
import { TensorProtoSchema, TensorProto_DataLocation, type TensorProto } from '../gen/onnx_pb.js';
import { graphOf, type Model, type Payload } from '../model.ts';
import { readTensor } from '../tensors.ts';
import { encodeChunks, encodeModel } from '../write.ts';
import { readModel } from './read-model.ts';
import { writeModel } from './write-model.ts';

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'coppice-write-')); });
afterEach(() => { chmodSync(folder, 0o755); rmSync(folder, { recursive: true }); });

const at = (name: string): string => join(folder, name);
const files = (): string[] => readdirSync(folder).sort();

const external = (name: string, length: number, location: string, offset: number): TensorProto => withFields(
  create(TensorProtoSchema, { name, dataType: 1, dims: [BigInt(length)], dataLocation: TensorProto_DataLocation.EXTERNAL }),
  { externalData: create(TensorProtoSchema, { externalData: [{ key: 'location', value: location }, { key: 'offset', value: String(offset) }, { key: 'length', value: String(length * 4) }] }).externalData },
);

const modelOf = (...initializers: TensorProto[]): Model => makeModel({
  opset: 17,
  graph: { inputs: [makeValueInfo('x', 'float32')], outputs: [makeValueInfo('y', 'float32')], nodes: [makeNode({ op: 'Relu', inputs: ['x'], outputs: ['y'] })], initializers },
});

/** `model.onnx` with tensors a = 0 1 2 …, b = 100 101 … in one external file and c = 7 7 … in another. */
const writeSource = (alignment = 64, names = ['model.onnx.data', 'other.bin']): void => {
  const shared = new Uint8Array(alignment + 80);
  shared.set(new Uint8Array(Float32Array.from({ length: 10 }, (_, k) => k).buffer), 0);
  shared.set(new Uint8Array(Float32Array.from({ length: 20 }, (_, k) => 100 + k).buffer), alignment);
  writeFileSync(at(names[0]), shared);
  writeFileSync(at(names[1]), new Uint8Array(Float32Array.from({ length: 4 }, () => 7).buffer));
  writeFileSync(at('model.onnx'), encodeModelRaw(modelOf(external('b', 20, names[0], alignment), external('a', 10, names[0], 0), external('c', 4, names[1], 0), makeInitializer('d', 'float32', [1], [5]))));
};

/** Encodes with references kept, by telling the encoder where each tensor is already. */
const encodeModelRaw = (model: Model): Uint8Array => Buffer.concat([...encodeChunks(model, {
  external: new Map(graphOf(model).initializer.filter((tensor) => tensor.externalData.length > 0).map((tensor) => [tensor, externalRange(tensor) as Required<ReturnType<typeof externalRange>>])),
})]);

const contents = (model: Model): Record<string, number[]> => Object.fromEntries(graphOf(model).initializer.map((tensor) => [tensor.name, Array.from(readTensor(model, tensor).data as Float32Array)]));

const ranges = (path: string): Record<string, unknown> => Object.fromEntries(graphOf(readModel(path)).initializer.filter((tensor) => tensor.externalData.length > 0).map((tensor) => [tensor.name, externalRange(tensor)]));

describe('writeModel', () => {
  it('writes what readModel reads, byte for byte', () => {
    const model = modelOf(makeInitializer('w', 'float32', [3], [1, 2, 3]));
    expect(writeModel(model, at('slim.onnx'))).toEqual([at('slim.onnx')]);
    expect(readFileSync(at('slim.onnx')).equals(encodeModel(model))).toBe(true);
    expect(files()).toEqual(['slim.onnx']);
  });

  it('keeps external tensors external, in as many files, by the new name', () => {
    writeSource();
    const model = readModel(at('model.onnx'));
    writeModel(model, at('slim.onnx'));
    expect(files()).toEqual(['model.onnx', 'model.onnx.data', 'other.bin', 'slim.onnx', 'slim.onnx.2.data', 'slim.onnx.data']);
    expect(contents(readModel(at('slim.onnx')))).toEqual(contents(model));
    expect(ranges(at('slim.onnx'))).toEqual({
      a: { location: 'slim.onnx.data', offset: 0, length: 40 }, b: { location: 'slim.onnx.data', offset: 64, length: 80 }, c: { location: 'slim.onnx.2.data', offset: 0, length: 16 },
    });
    expect(readFileSync(at('slim.onnx.data')).equals(readFileSync(at('model.onnx.data')))).toBe(true);
  });

  it('recomputes offsets when contents shrink, on pages where the file used pages', () => {
    writeSource(4096);
    const model = readModel(at('model.onnx'));
    const graph = graphOf(model);
    const a = withFields(graph.initializer[1], { dims: [2n] });
    const payload: Payload = { byteLength: 8, bytes: () => new Uint8Array(Float32Array.of(-1, -2).buffer) };
    const slim: Model = {
      ...model,
      proto: withFields(model.proto, { graph: withFields(graph, { initializer: [graph.initializer[0], a, ...graph.initializer.slice(2)] }) }),
      payloads: new Map([[a, payload]]),
    };
    writeModel(slim, at('slim.onnx'));
    expect(ranges(at('slim.onnx'))).toMatchObject({ a: { offset: 0, length: 8 }, b: { offset: 4096, length: 80 } });
    expect(contents(readModel(at('slim.onnx')))).toMatchObject({ a: [-1, -2], c: [7, 7, 7, 7], d: [5] });
  });

  it('lets tensors that shared bytes go on sharing them', () => {
    writeFileSync(at('w.bin'), new Uint8Array(80));
    writeFileSync(at('model.onnx'), encodeModelRaw(modelOf(external('a', 10, 'w.bin', 0), external('tied', 10, 'w.bin', 0), external('b', 10, 'w.bin', 40))));
    writeModel(readModel(at('model.onnx')), at('slim.onnx'));
    expect(ranges(at('slim.onnx'))).toMatchObject({ a: { offset: 0 }, tied: { offset: 0 }, b: { offset: 64 } });
  });

  it('refuses an existing file without force and leaves it alone', () => {
    writeFileSync(at('slim.onnx'), 'mine');
    expect(() => writeModel(modelOf(), at('slim.onnx'))).toThrow(expect.objectContaining({ code: 'COPPICE_FILE_EXISTS', message: expect.stringContaining('--force') }));
    expect(readFileSync(at('slim.onnx'), 'utf8')).toBe('mine');
    writeModel(modelOf(), at('slim.onnx'), { force: true });
    expect(readModel(at('slim.onnx'))).toBeDefined();
    expect(files()).toEqual(['slim.onnx']);
  });

  it('never overwrites the external file that the model is read from, even when the model replaces itself', () => {
    writeSource();
    const model = readModel(at('model.onnx'));
    const before = readFileSync(at('model.onnx.data'));
    const expected = contents(model);
    writeModel(model, at('model.onnx'), { force: true });
    expect(readFileSync(at('model.onnx.data')).equals(before)).toBe(true);
    expect(contents(model)).toEqual(expected);
    expect(contents(readModel(at('model.onnx')))).toEqual(expected);
    expect(files()).toEqual(['model.onnx', 'model.onnx.2.data', 'model.onnx.3.data', 'model.onnx.data', 'other.bin']);
  });

  it('removes the data files of a model that it replaces', () => {
    writeSource();
    const model = readModel(at('model.onnx'));
    for (let round = 0; round < 3; round++) writeModel(model, at('slim.onnx'), { force: true });
    expect(files().filter((name) => name.startsWith('slim'))).toHaveLength(3);
    expect(contents(readModel(at('slim.onnx')))).toEqual(contents(model));
  });

  it('does not take over a data file that belongs to someone else', () => {
    writeSource();
    writeFileSync(at('slim.onnx.data'), 'mine');
    writeModel(readModel(at('model.onnx')), at('slim.onnx'), { force: true });
    expect(readFileSync(at('slim.onnx.data'), 'utf8')).toBe('mine');
  });

  it.each([['a new file', false], ['an existing file', true]])('leaves nothing behind when it fails halfway into %s', (_, exists) => {
    writeSource();
    const model = readModel(at('model.onnx'));
    if (exists) writeModel(model, at('slim.onnx'));
    const before = files().map((name) => [name, readFileSync(at(name), 'base64')]);
    const failing: Payload = { byteLength: 4, bytes: () => { throw new Error('the pruner failed'); } };
    const payloads = new Map([[graphOf(model).initializer[3], failing]]);
    expect(() => writeModel({ ...model, payloads }, at('slim.onnx'), { force: true })).toThrow(expect.objectContaining({ code: 'COPPICE_FILE_WRITE', message: expect.stringContaining('the pruner failed') }));
    expect(files().map((name) => [name, readFileSync(at(name), 'base64')])).toEqual(before);
  });

  it('writes through a symbolic link, and refuses folders', () => {
    writeModel(modelOf(), at('real.onnx'));
    symlinkSync('real.onnx', at('link.onnx'));
    writeModel(modelOf(makeInitializer('w', 'float32', [1], [1])), at('link.onnx'), { force: true });
    expect(graphOf(readModel(at('real.onnx'))).initializer).toHaveLength(1);
    mkdirSync(at('sub'));
    expect(() => writeModel(modelOf(), at('sub'), { force: true })).toThrow(expect.objectContaining({ code: 'COPPICE_FILE_WRITE' }));
    expect(() => writeModel(modelOf(), at('no/slim.onnx'))).toThrow(expect.objectContaining({ code: 'COPPICE_FILE_WRITE', message: expect.stringContaining('no folder') }));
  });
});

describe('readModel', () => {
  it('names the path in every refusal', () => {
    writeFileSync(at('model.onnx'), 'PK\x03\x04');
    mkdirSync(at('folder.onnx'));
    for (const [name, code] of [['absent.onnx', 'COPPICE_FILE_NOT_FOUND'], ['folder.onnx', 'COPPICE_FILE_NOT_FOUND'], ['model.onnx', 'COPPICE_MODEL_MALFORMED']]) {
      expect(() => readModel(at(name))).toThrow(expect.objectContaining({ code, message: expect.stringContaining(at(name)) }));
    }
  });

  it('finds out at once that external data are incomplete or missing', () => {
    writeSource();
    truncateSync(at('model.onnx.data'), 100);
    expect(() => readModel(at('model.onnx'))).toThrow(expect.objectContaining({ code: 'COPPICE_EXTERNAL_DATA_MISSING', message: expect.stringMatching(/'b' wants the bytes 64 to 144.*only 100/) }));
    rmSync(at('model.onnx.data'));
    expect(() => readModel(at('model.onnx'))).toThrow(expect.objectContaining({ code: 'COPPICE_EXTERNAL_DATA_MISSING' }));
    expect(readModel(at('model.onnx'), { check: false })).toBeDefined();
  });

  it('refuses external data outside the folder of the model', () => {
    mkdirSync(at('sub'));
    writeFileSync(at('secret.bin'), new Uint8Array(40));
    writeFileSync(at('sub/model.onnx'), encodeModelRaw(modelOf(external('a', 10, '../secret.bin', 0))));
    expect(() => readModel(at('sub/model.onnx'))).toThrow(expect.objectContaining({ code: 'COPPICE_EXTERNAL_DATA_PATH' }));
  });
});
