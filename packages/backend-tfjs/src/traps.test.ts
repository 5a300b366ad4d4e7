import type { NamedTensors } from '@coppice/core';
import { makeInitializer, makeModel, makeNode, makeValueInfo, type DataType, type Model, type NodeParts, type Tensor, type TensorData } from '@coppice/graph';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it, vi } from 'vitest';
import { tfjsBackend, type EngineName } from './index.ts';

const tensor = (dtype: DataType, dims: readonly number[], data: TensorData): Tensor => ({ dtype, dims, data });
const floats = (...values: readonly number[]): Tensor => tensor('float32', [values.length], Float32Array.from(values));
const longs = (...values: readonly bigint[]): Tensor => tensor('int64', [values.length], BigInt64Array.from(values));

/** Nodes between inputs and the output `y`, which is declared without a type. */
function modelOf(inputs: NamedTensors, nodes: readonly NodeParts[], constants: NamedTensors = {}): Model {
  return makeModel({ opset: 21, graph: {
    inputs: Object.entries(inputs).map(([name, { dtype, dims }]) => makeValueInfo(name, dtype, dims)),
    outputs: [{ ...makeValueInfo('y', 'float32'), type: undefined }],
    initializers: Object.entries(constants).map(([name, { dtype, dims, data }]) => makeInitializer(name, dtype, dims, data)),
    nodes: nodes.map(makeNode),
  } });
}

async function run(engine: EngineName, inputs: NamedTensors, nodes: readonly NodeParts[], constants: NamedTensors = {}): Promise<Tensor> {
  const executable = await tfjsBackend({ engine, fewOnHost: 0 }).compile(modelOf(inputs, nodes, constants));
  try {
    return (await executable.run(inputs)).y;
  } finally {
    await executable.dispose();
  }
}

const hasNode = await tfjsBackend({ engine: 'node' }).info().then(() => true, () => false);
const node = (op: string, inputs: readonly string[], attributes: NodeParts['attributes'] = {}, output = 'y'): NodeParts => ({ op, inputs, outputs: [output], attributes });

for (const engine of ['wasm', 'cpu', 'node'] as const) {
  describe.skipIf(engine === 'node' && !hasNode)(`on tfjs:${engine}, where TensorFlow.js itself is wrong without an exception,`, () => {
    it('gives true for any float but 0, also below 1 and for NaN', async () => {
      const x = floats(0, 0.5, -0.25, 256, -0, NaN);
      expect((await run(engine, { x }, [node('Cast', ['x'], { to: 9 })])).data).toEqual(Uint8Array.of(0, 1, 1, 1, 0, 1));
      expect((await run(engine, { x }, [node('Cast', ['x'], { to: 9 }, 'b'), node('Cast', ['b'], { to: 1 })])).data).toEqual(Float32Array.of(0, 1, 1, 1, 0, 1));
    });

    it('clips, slices with steps and bends integers exactly', async () => {
      const x = tensor('int32', [6], Int32Array.of(-7, 2 ** 30 + 1, 5, -3, 16_777_217, 0));
      expect((await run(engine, { x }, [node('Clip', ['x', 'low', 'high'])], { low: tensor('int32', [], Int32Array.of(-5)), high: tensor('int32', [], Int32Array.of(16_777_217)) })).data).toEqual(Int32Array.of(-5, 16_777_217, 5, -3, 16_777_217, 0));
      expect((await run(engine, { x }, [node('Slice', ['x', 'from', 'to', 'axes', 'by'])], { from: longs(-1n), to: longs(-100n), axes: longs(0n), by: longs(-2n) })).data).toEqual(Int32Array.of(0, -3, 2 ** 30 + 1));
      expect((await run(engine, { x, s: tensor('int32', [1], Int32Array.of(2)) }, [node('PRelu', ['x', 's'])])).data).toEqual(Int32Array.of(-14, 2 ** 30 + 1, 5, -6, 16_777_217, 0));
    });

    it('gives zeros for a product over nothing, and sums of nothing', async () => {
      const [a, b] = [tensor('float32', [2, 0], new Float32Array()), tensor('float32', [0, 3], new Float32Array())];
      expect(await run(engine, { a, b }, [node('MatMul', ['a', 'b'])])).toEqual(tensor('float32', [2, 3], new Float32Array(6)));
      expect(await run(engine, { a }, [node('ReduceSum', ['a', 'axes'], { keepdims: 0 })], { axes: longs(1n) })).toEqual(tensor('float32', [2], new Float32Array(2)));
    });

    it('keeps 64-bit integers exact beyond 2⁵³, and cuts their quotients towards zero', async () => {
      const x = longs(2n ** 40n, -(2n ** 62n) - 1n, -7n);
      expect((await run(engine, { x, one: longs(1n) }, [node('Add', ['x', 'one'])])).data).toEqual(BigInt64Array.of(2n ** 40n + 1n, -(2n ** 62n), -6n));
      expect((await run(engine, { x, two: longs(2n) }, [node('Div', ['x', 'two'])])).data).toEqual(BigInt64Array.of(2n ** 39n, -(2n ** 61n), -3n));
      expect((await run(engine, { x, three: longs(3n) }, [node('Mod', ['x', 'three'])])).data).toEqual(BigInt64Array.of(1n, 1n, 2n));
      expect((await run(engine, { x }, [node('Reshape', ['x', 'shape'])], { shape: longs(3n, 1n) })).data).toEqual(x.data);
    });

    it('computes float64 in float64, or refuses', async () => {
      const x = tensor('float64', [2], Float64Array.of(1 + 2 ** -40, 1e300));
      expect((await run(engine, { x }, [node('Add', ['x', 'x'])])).data).toEqual(Float64Array.of(2 + 2 ** -39, 2e300));
      await expect(run(engine, { x }, [node('Attention', ['x', 'x', 'x'])])).rejects.toMatchObject({ code: 'COPPICE_BACKEND_REFUSED', message: expect.stringContaining('Attention: it is not computed for float64') });
    });

    it('rounds halves to even', async () => {
      const y = await run(engine, { x: floats(0.5, 1.5, 2.5, -0.5, -1.5, 3.49) }, [node('Round', ['x'])]);
      expect(Array.from(y.data as Float32Array, (x) => x + 0)).toEqual([0, 2, 2, 0, -2, 3]);
    });

    it('says so when an index is outside, instead of reading something', async () => {
      await expect(run(engine, { x: floats(1, 2, 3), i: longs(1n, 3n) }, [node('Gather', ['x', 'i'])])).rejects.toMatchObject({ code: 'COPPICE_BACKEND_RUN', message: expect.stringContaining('index 3 is outside 0 … 2') });
      await expect(run(engine, { x: floats(1, 2, 3), i: longs(2n ** 40n) }, [node('GatherElements', ['x', 'i'])])).rejects.toMatchObject({ code: 'COPPICE_BACKEND_RUN' });
    });

    it('leaves equal and contradicting limits to the upper one', async () => {
      const limits = (low: number, high: number): NamedTensors => ({ low: tensor('float32', [], Float32Array.of(low)), high: tensor('float32', [], Float32Array.of(high)) });
      const x = floats(-3, 0, 3);
      expect((await run(engine, { x }, [node('Clip', ['x', 'low', 'high'])], limits(1, 1))).data).toEqual(Float32Array.of(1, 1, 1));
      expect((await run(engine, { x }, [node('Clip', ['x', 'low', 'high'])], limits(2, -1))).data).toEqual(Float32Array.of(-1, -1, -1));
      expect((await run(engine, { x: floats(-Infinity, Infinity) }, [node('Clip', ['x', 'low'])], { low: limits(0, 0).low })).data).toEqual(Float32Array.of(0, Infinity));
    });

    it('takes every epsilon from the model', async () => {
      const x = tensor('float32', [1, 2], Float32Array.of(1e-5, -1e-5));
      const y = await run(engine, { x }, [node('LayerNormalization', ['x', 's'], { epsilon: { float: 1e-20 } })], { s: floats(1, 1) });
      expect(y.data[0]).toBeCloseTo(1, 4);
    });

    it('hands out memory of its own: results stay when inputs, other results or later runs change', async () => {
      const executable = await tfjsBackend({ engine, fewOnHost: 0 }).compile(makeModel({ opset: 21, graph: {
        inputs: [makeValueInfo('x', 'float32', ['n'])],
        outputs: ['same', 'again', 'fixed', 'flat'].map((name) => ({ ...makeValueInfo(name, 'float32'), type: undefined })),
        initializers: [makeInitializer('fixed', 'float32', [2], [5, 6]), makeInitializer('shape', 'int64', [2], [-1, 1])],
        nodes: [node('Identity', ['x'], {}, 'same'), node('Identity', ['x'], {}, 'again'), node('Reshape', ['x', 'shape'], {}, 'flat')].map(makeNode),
      } }));
      const x = floats(1, 2);
      const first = await executable.run({ x });
      for (const name of ['same', 'fixed']) (first[name].data as Float32Array).fill(9);
      (x.data as Float32Array).fill(7);
      expect(first.again.data).toEqual(Float32Array.of(1, 2));
      expect(first.flat.data).toEqual(Float32Array.of(1, 2));
      expect((await executable.run({ x: floats(3, 4) })).fixed.data).toEqual(Float32Array.of(5, 6));
      await executable.dispose();
    });
  });
}

describe('kernels that are run', () => {
  const kernelsOf = async (engine: EngineName, model: Model, inputs: NamedTensors): Promise<readonly (readonly [string, unknown])[]> => {
    const executable = await tfjsBackend({ engine, fewOnHost: 0 }).compile(model);
    await executable.run(inputs);
    const spy = vi.spyOn(tf.engine(), 'runKernel');
    await executable.run(inputs);
    const calls = spy.mock.calls.map(([kernel, , attributes]) => [kernel, attributes] as const);
    spy.mockRestore();
    await executable.dispose();
    return calls;
  };

  it('never let WebAssembly multiply by a transposed operand, which takes it 15 to 45 times as long', async () => {
    const [a, b] = [tensor('float32', [3, 20], new Float32Array(60)), tensor('float32', [5, 20], new Float32Array(100))];
    const calls = await kernelsOf('wasm', modelOf({ a, b }, [node('Gemm', ['a', 'b'], { transB: 1 })]), { a, b });
    const products = calls.filter(([kernel]) => kernel === 'BatchMatMul');
    expect(products.map(([, attributes]) => attributes)).toEqual([{ transposeA: false, transposeB: false }]);
    expect(calls.filter(([kernel]) => kernel === 'Transpose')).toHaveLength(1);
  });

  it('turn a picture once on its way into a chain of convolutions, and once on its way out', async () => {
    const x = tensor('float32', [2, 3, 12, 12], Float32Array.from({ length: 864 }, (_, k) => Math.sin(k)));
    const weights = (dims: readonly number[]): Tensor => tensor('float32', dims, Float32Array.from({ length: dims.reduce((p, d) => p * d, 1) }, (_, k) => 0.1 + Math.abs(Math.cos(k))));
    const chain = [
      node('Conv', ['x', 'w1', 'b1'], { pads: [1, 1, 1, 1] }, 'c1'),
      node('BatchNormalization', ['c1', 'b1', 'b1', 'b1', 'b1'], {}, 'n1'),
      node('Relu', ['n1'], {}, 'r1'),
      node('Conv', ['r1', 'w2'], { pads: [1, 1, 1, 1] }, 'c2'),
      node('Add', ['c2', 'r1'], {}, 'sum'),
      node('Mul', ['sum', 'scale'], {}, 'scaled'),
      node('MaxPool', ['scaled'], { kernel_shape: [2, 2], strides: [2, 2] }, 'pooled'),
      node('Softplus', ['pooled']),
    ];
    const calls = await kernelsOf('wasm', modelOf({ x }, chain, { w1: weights([4, 3, 3, 3]), w2: weights([4, 4, 3, 3]), b1: weights([4]), scale: weights([1, 4, 1, 1]) }), { x });
    expect(calls.filter(([kernel]) => kernel === 'Transpose')).toHaveLength(2);
  });

  it('move nothing for transposes that a convolution over time undoes', async () => {
    const x = tensor('float32', [2, 30, 5], Float32Array.from({ length: 300 }, (_, k) => Math.sin(k)));
    const w = tensor('float32', [6, 5, 3], Float32Array.from({ length: 90 }, (_, k) => Math.cos(k)));
    const calls = await kernelsOf('wasm', modelOf({ x }, [node('Transpose', ['x'], { perm: [0, 2, 1] }, 't'), node('Conv', ['t', 'w'], {}, 'c'), node('Transpose', ['c'], { perm: [0, 2, 1] })], { w }), { x });
    expect(calls.filter(([kernel]) => kernel === 'Transpose')).toHaveLength(0);
  });
});

it('leaves the process to deal with rejected promises as it did before WebAssembly was loaded', async () => {
  await tfjsBackend({ engine: 'wasm' }).info();
  const words = (['uncaughtException', 'unhandledRejection'] as const).flatMap((event) => process.listeners(event as 'uncaughtException').map(String));
  expect(words.filter((source) => source.includes('ExitStatus') || source.includes('abort'))).toEqual([]);
});
