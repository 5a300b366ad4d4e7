import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { nativeBackend, wasmBackend } from '@coppice/backend-onnx';
import { traceModel } from '@coppice/core';
import { checkModel, dataTypes, encodeModel, graphOf, makeInitializer, makeModel, makeNode, makeValueInfo, readTensor, toFloat32, type Model } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { describe, expect, it } from 'vitest';
import { outputError, outputsOf } from './choose/compare.ts';
import { toFloat16 } from './float16.ts';

const native = nativeBackend();
const hasNative = await native.info().then(() => true, () => false);
const backend = hasNative ? native : wasmBackend();
const zoo = new URL('../../../../shared/zoo/', import.meta.url);
const files = existsSync(zoo) ? readdirSync(zoo).filter((file) => /^(01|02|07|09|12a|15|16a|17)_.*\.onnx$/.test(file)) : [];

const typesOf = (model: Model) => graphOf(model).initializer.map(({ dataType }) => dataType);

/** x · W, clipped by a mask, softmax, resized: an operator of each kind. */
const mixed = makeModel({ opset: 17, graph: {
  inputs: [makeValueInfo('x', 'float32', ['n', 8])], outputs: [makeValueInfo('y', 'float32', ['n', 6])],
  initializers: [makeInitializer('W', 'float32', [8, 6], Float32Array.from({ length: 48 }, (_, k) => Math.sin(k + 1))), makeInitializer('mask', 'float32', [6], [0, 0, -3.4e38, 0, 0, 0]), makeInitializer('tiny', 'float32', [], [1e-9])],
  nodes: [
    makeNode({ op: 'MatMul', inputs: ['x', 'W'], outputs: ['a'] }), makeNode({ op: 'Add', inputs: ['a', 'mask'], outputs: ['b'] }),
    makeNode({ op: 'Softmax', name: 'soft', inputs: ['b'], outputs: ['c'] }), makeNode({ op: 'Add', inputs: ['c', 'tiny'], outputs: ['y'] }),
  ],
} });
const inputs = { x: { dtype: 'float32', dims: [3, 8], data: Float32Array.from({ length: 24 }, (_, k) => Math.cos(k)) } } as const;

describe('toFloat16', () => {
  it('stores and computes in float16 between Casts, and says what did not fit', async () => {
    const notes: string[] = [];
    const half = toFloat16(mixed, { onNote: (note) => notes.push(note) });
    checkModel(half);
    expect(new Set(typesOf(half))).toEqual(new Set([dataTypes.float16]));
    expect(graphOf(half).input).toEqual(graphOf(mixed).input);
    expect(notes).toEqual(['1 constants beyond ±65504 became ±65504.', '1 constants below 6e-8 became zero.']);
    const mask = graphOf(half).initializer.find(({ name }) => name === 'mask')!;
    expect(toFloat32(readTensor(half, mask))[2]).toBe(-65504);
    expect(outputError(await outputsOf(half, backend, [inputs]), await outputsOf(mixed, backend, [inputs]))).toBeLessThan(2e-3);
  });

  it('takes float16 and gives it when asked', async () => {
    const half = toFloat16(mixed, { keepIo: false });
    const { x } = inputs;
    const { y } = (await outputsOf(half, backend, [{ x: { dtype: 'float16', dims: x.dims, data: new Uint16Array(new Float16Array(x.data).buffer) } }]))[0];
    expect(y.dtype).toBe('float16');
    const [expected] = await outputsOf(mixed, backend, [inputs]);
    toFloat32(y).forEach((v, k) => expect(Math.abs(v - (expected.y.data as Float32Array)[k])).toBeLessThan(2e-3));
  });

  it('leaves blocked operators and named nodes in float32', () => {
    for (const options of [{ blocked: ['Softmax'] }, { keepFloat: ['soft'] }]) {
      const { node } = graphOf(toFloat16(mixed, options));
      const soft = node.find(({ opType }) => opType === 'Softmax')!;
      const before = node.find(({ output }) => output[0] === soft.input[0])!;
      const after = node.find(({ input }) => input[0] === soft.output[0])!;
      expect([before.opType, Number(before.attribute[0].i), after.opType, Number(after.attribute[0].i)]).toEqual(['Cast', dataTypes.float32, 'Cast', dataTypes.float16]);
    }
    // The weights that only a blocked node reads are not touched.
    expect(typesOf(toFloat16(mixed, { blocked: ['MatMul'] }))[0]).toBe(dataTypes.float32);
  });

  it('refuses names that no node has and models without float32', () => {
    expect(() => toFloat16(mixed, { keepFloat: ['nobody'] })).toThrow(/No node is named 'nobody'/);
    expect(() => toFloat16(toFloat16(mixed, { keepIo: false }))).toThrow(/no float32/);
  });

  describe.skipIf(files.length === 0 || !hasNative)('on real exports (needs ../shared/zoo)', () => {
    for (const file of files) it(`${file} stays within half a per cent`, async () => {
      const model = readModel(fileURLToPath(new URL(file, zoo)));
      const half = toFloat16(model);
      checkModel(half);
      const trace = await traceModel(model, native);
      const given = [trace.runs[0].inputs];
      expect(outputError(await outputsOf(half, native, given), await outputsOf(model, native, given))).toBeLessThan(file.startsWith('16a') ? 0.03 : 5e-3);
      expect(encodeModel(half).byteLength / encodeModel(model).byteLength).toBeLessThan(0.7);
    });
  });
});
