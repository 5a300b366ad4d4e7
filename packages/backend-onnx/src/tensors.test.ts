import { dataTypes, type DataType, type Tensor } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { chooseBackend, nativeBackend } from './index.ts';
import { identity, single } from './sample-models.ts';
import { faultOf, isCarried } from './tensors.ts';

const hasNative = await nativeBackend().info().then(() => true, () => false);

/** Six elements of each type, with the ends of its range; float16 as the bits of 1, −2, the largest, NaN, −∞ and the least. */
const samples: Readonly<Partial<Record<DataType, Tensor['data']>>> = {
  float32: Float32Array.of(1.5, -2, 3e38, 1e-40, -0, Infinity),
  float64: Float64Array.of(1.5, -2, 1e308, 5e-324, -0, NaN),
  float16: Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x7e01, 0xfc00, 0x0001),
  int8: Int8Array.of(-128, 127, 1, 2, 3, 4),
  int16: Int16Array.of(-32768, 32767, 1, 2, 3, 4),
  int32: Int32Array.of(-(2 ** 31), 2 ** 31 - 1, 1, 2, 3, 4),
  int64: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n + 1n, 2n, 3n, 4n),
  uint8: Uint8Array.of(255, 0, 1, 2, 3, 4),
  uint16: Uint16Array.of(65535, 0, 1, 2, 3, 4),
  uint32: Uint32Array.of(2 ** 32 - 1, 0, 1, 2, 3, 4),
  uint64: BigUint64Array.of(2n ** 64n - 1n, 0n, 1n, 2n, 3n, 4n),
  bool: Uint8Array.of(1, 0, 0, 1, 1, 0),
  string: ['one', '', 'naïve', '語音', '\u{1F332}', 'two words'],
};

it('has a sample of each type that is carried', () => {
  expect((Object.keys(dataTypes) as DataType[]).filter(isCarried).toSorted()).toEqual(Object.keys(samples).toSorted());
});

for (const name of ['onnx:wasm', 'onnx:native'] as const) {
  describe.skipIf(name === 'onnx:native' && !hasNative)(name, () => {
    const backend = chooseBackend(name);

    for (const [key, data] of Object.entries(samples)) {
      const dtype = key as DataType;
      it(`brings ${dtype} back bit for bit, as a matrix, a scalar and an empty tensor`, async () => {
        for (const dims of [[2, 3], [], [0], [2, 0, 3]]) {
          const count = dims.reduce((a, b) => a * b, 1);
          const x: Tensor = { dtype, dims, data: data.slice(0, count) };
          const executable = await backend.compile(identity(dtype, dims));
          expect((await executable.run({ x })).y).toEqual(x);
          await executable.dispose();
        }
      });
    }

    it('takes a view into a larger array', async () => {
      const executable = await backend.compile(identity('float16'));
      const data = Uint16Array.of(9, 9, 0x3c00, 0x4000, 9).subarray(2, 4);
      expect((await executable.run({ x: { dtype: 'float16', dims: [2], data } })).y.data).toEqual(Uint16Array.of(0x3c00, 0x4000));
      await executable.dispose();
    });

    it('refuses types that do not cross the JavaScript interface when the model is compiled', async () => {
      for (const dtype of ['bfloat16', 'int4', 'float8e4m3fn', 'complex64'] as const) {
        await expect(backend.compile(identity(dtype))).rejects.toMatchObject({ code: 'COPPICE_UNSUPPORTED_TYPE', message: expect.stringContaining(`Input 'x' is ${dtype}`) });
      }
      for (const dtype of ['bfloat16', 'uint4'] as const) {
        await expect(backend.compile(cast(dtype))).rejects.toMatchObject({ code: 'COPPICE_UNSUPPORTED_TYPE', message: expect.stringContaining('output') });
      }
    });
  });
}

describe('faultOf', () => {
  it('finds an array of the wrong kind, and a length that does not match the dimensions', () => {
    expect(faultOf({ dtype: 'float32', dims: [2], data: Float64Array.of(1, 2) })).toBe('is float32, whose elements belong in a Float32Array, and holds a Float64Array');
    expect(faultOf({ dtype: 'int64', dims: [2, 2], data: BigInt64Array.of(1n) })).toBe('has dimensions [2, 2], so 4 elements, and holds 1');
    expect(faultOf({ dtype: 'uint8', dims: [1], data: Buffer.from([1]) })).toBeUndefined();
  });
});

/** float32 in, `dtype` out. */
function cast(dtype: DataType) {
  const model = single('Cast', 'float32', ['x'], [['n']], { to: dataTypes[dtype] });
  return { ...model, proto: { ...model.proto, graph: { ...model.proto.graph!, output: identity(dtype).proto.graph!.output } } };
}
