import { makeGraph, makeInitializer, makeModel, makeNode, makeValueInfo, type Model, type Tensor } from '@coppice/graph';
import { buildReferenceModel } from '@coppice/speech';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { compileOn } from './backend.ts';
import { loadEngine, wasmFault } from './engines.ts';
import { tfjsBackend } from './index.ts';

const vector = (...values: readonly number[]): Tensor => ({ dtype: 'float32', dims: [values.length], data: Float32Array.from(values) });
const wave = (...dims: readonly number[]): Tensor => ({ dtype: 'float32', dims, data: Float32Array.from({ length: dims.reduce((p, d) => p * d, 1) }, (_, k) => Math.sin(k * 12.9898 + 1)) });

/** y = x + w, z = 2·y. */
const sums = (): Model => makeModel({ opset: 21, graph: {
  inputs: [makeValueInfo('x', 'float32', ['n'])],
  outputs: [makeValueInfo('y', 'float32', ['n']), makeValueInfo('z', 'float32', ['n'])],
  initializers: [makeInitializer('w', 'float32', [1], [3])],
  nodes: [makeNode({ op: 'Add', name: 'add', inputs: ['x', 'w'], outputs: ['y'] }), makeNode({ op: 'Add', name: 'double', inputs: ['y', 'y'], outputs: ['z'] })],
} });

/** A loop, a branch, a recurrent layer and a convolution, so that every kind of frame and memory is there. */
function everything(): Model {
  const body = makeGraph({
    inputs: [makeValueInfo('i', 'int64', []), makeValueInfo('c', 'bool', []), makeValueInfo('h', 'float32')],
    outputs: [makeValueInfo('c2', 'bool', []), makeValueInfo('h2', 'float32'), makeValueInfo('s', 'float32')],
    nodes: [makeNode({ op: 'Tanh', inputs: ['h'], outputs: ['h2'] }), makeNode({ op: 'Mul', inputs: ['h', 'k'], outputs: ['s'] }), makeNode({ op: 'Identity', inputs: ['c'], outputs: ['c2'] })],
  });
  const branch = (op: string) => makeGraph({ inputs: [], outputs: [makeValueInfo('out', 'float32')], nodes: [makeNode({ op, inputs: ['last'], outputs: ['out'] })] });
  return makeModel({ opset: 21, graph: {
    inputs: [makeValueInfo('x', 'float32', ['n', 3, 't'])],
    outputs: [makeValueInfo('y', 'float32')],
    initializers: [
      makeInitializer('w', 'float32', [4, 3, 3], Array.from({ length: 36 }, (_, k) => Math.cos(k))), makeInitializer('k', 'float32', [1], [0.5]),
      makeInitializer('W', 'float32', [1, 12, 4], Array.from({ length: 48 }, (_, k) => Math.sin(k))), makeInitializer('R', 'float32', [1, 12, 4], Array.from({ length: 48 }, (_, k) => Math.sin(2 * k))),
      makeInitializer('trips', 'int64', [], [3]), makeInitializer('yes', 'bool', [], [true]),
    ],
    nodes: [
      makeNode({ op: 'Conv', inputs: ['x', 'w'], outputs: ['c1'], attributes: { pads: [1, 1] } }),
      makeNode({ op: 'Transpose', inputs: ['c1'], outputs: ['seq'], attributes: { perm: [2, 0, 1] } }),
      makeNode({ op: 'GRU', inputs: ['seq', 'W', 'R'], outputs: ['', 'h0'], attributes: { hidden_size: 4, linear_before_reset: 1 } }),
      makeNode({ op: 'Loop', inputs: ['trips', 'yes', 'h0'], outputs: ['last', 'stack'], attributes: { body } }),
      makeNode({ op: 'ReduceMax', inputs: ['stack'], outputs: ['most'], attributes: { keepdims: 0 } }),
      makeNode({ op: 'Greater', inputs: ['most', 'k'], outputs: ['large'] }),
      makeNode({ op: 'Squeeze', inputs: ['large'], outputs: ['flag'] }),
      makeNode({ op: 'If', inputs: ['flag'], outputs: ['y'], attributes: { then_branch: branch('Neg'), else_branch: branch('Exp') } }),
    ],
  } });
}

for (const engine of ['wasm', 'cpu'] as const) {
  describe(`tfjs:${engine}`, () => {
    const backend = tfjsBackend({ engine });

    it('says what it is', async () => {
      expect(backend.name).toBe(`tfjs:${engine}`);
      expect(await backend.info()).toEqual({ version: '4.22.0', device: 'cpu', threads: 1 });
    });

    it('takes other sizes in every run of one executable', async () => {
      const executable = await backend.compile(buildReferenceModel({ hidden: 8, layers: 1, channels: [4, 4] }));
      const alone = await executable.run({ features: wave(1, 40, 40) });
      expect((await executable.run({ features: wave(3, 25, 40) })).log_probs.dims).toEqual([3, 13, 29]);
      expect(await executable.run({ features: wave(1, 40, 40) })).toEqual(alone);
      await executable.dispose();
    });

    it('answers calls that come at the same time each with its own result, on two executables', async () => {
      const [plus, other] = [await backend.compile(sums()), await tfjsBackend({ engine: engine === 'wasm' ? 'cpu' : 'wasm' }).compile(sums())];
      const results = await Promise.all(Array.from({ length: 40 }, (_, k) => (k % 2 ? plus : other).run({ x: vector(...Array<number>(70 + (k % 3)).fill(k)) })));
      results.forEach(({ y, z }, k) => expect([y.dims[0], y.data[69], z.data[0]]).toEqual([70 + (k % 3), k + 3, 2 * k + 6]));
      await Promise.all([plus.dispose(), other.dispose()]);
    });

    it('holds as many tensors after a thousand runs as after one, and none when it is disposed', async () => {
      const before = tf.memory().numTensors;
      const executable = await tfjsBackend({ engine, fewOnHost: 0 }).compile(everything());
      const x = wave(2, 3, 7);
      const first = await executable.run({ x });
      const [{ numTensors, numBytes }, data] = [tf.memory(), tf.engine().backend.numDataIds()];
      for (let k = 0; k < 1000; k++) await executable.run({ x });
      expect(tf.memory()).toMatchObject({ numTensors, numBytes });
      expect(tf.engine().backend.numDataIds()).toBe(data);
      expect(await executable.run({ x })).toEqual(first);
      await executable.dispose();
      expect(tf.memory().numTensors).toBe(before);
    });

    it('computes only what the wanted outputs need', async () => {
      const executable = await backend.compile(sums());
      expect(await executable.run({ x: vector(1) }, ['y'])).toEqual({ y: vector(4) });
      expect(await executable.run({ x: vector(1) }, [])).toEqual({});
      expect(await executable.run({ x: vector(1) }, ['z', 'y'])).toEqual({ z: vector(8), y: vector(4) });
      await expect(executable.run({ x: vector(1) }, ['q'])).rejects.toMatchObject({ code: 'COPPICE_INPUT_MISMATCH', message: expect.stringContaining('Its outputs are y, z') });
      await executable.dispose();
    });

    it('can be disposed twice, and says so when it is run afterwards', async () => {
      const executable = await backend.compile(sums());
      await executable.dispose();
      await executable.dispose();
      await expect(executable.run({ x: vector(1) })).rejects.toMatchObject({ code: 'COPPICE_BACKEND_RUN', message: expect.stringContaining('disposed') });
    });

    it('names the node and the shapes when a run fails, and goes on afterwards without a leak', async () => {
      const executable = await tfjsBackend({ engine, fewOnHost: 0 }).compile(makeModel({ opset: 21, graph: {
        inputs: [makeValueInfo('a', 'float32', ['m', 'k']), makeValueInfo('b', 'float32', ['l', 'n'])], outputs: [makeValueInfo('y', 'float32')],
        nodes: [makeNode({ op: 'Exp', inputs: ['a'], outputs: ['e'] }), makeNode({ op: 'MatMul', name: 'project', inputs: ['e', 'b'], outputs: ['y'] })],
      } }));
      await executable.run({ a: wave(2, 3), b: wave(3, 4) });
      const { numTensors } = tf.memory();
      await expect(executable.run({ a: wave(2, 3), b: wave(5, 4) })).rejects.toMatchObject({ code: 'COPPICE_BACKEND_RUN', message: expect.stringContaining("node 'project' (MatMul) failed on float32[2, 3], float32[5, 4]: inner sizes 3 and 5 differ") });
      expect(tf.memory().numTensors).toBe(numTensors);
      expect((await executable.run({ a: wave(2, 3), b: wave(3, 4) })).y.dims).toEqual([2, 4]);
      await executable.dispose();
    });

    it('frees what a kernel had made before it failed', async () => {
      const executable = await tfjsBackend({ engine, fewOnHost: 0 }).compile(makeModel({ opset: 21, graph: {
        inputs: [makeValueInfo('x', 'float32', ['n', 'c', 't'])], outputs: [makeValueInfo('y', 'float32')],
        initializers: [makeInitializer('w', 'float32', [4, 3, 3], Array.from({ length: 36 }, (_, k) => Math.cos(k)))],
        nodes: [makeNode({ op: 'Conv', inputs: ['x', 'w'], outputs: ['y'], attributes: { pads: [1, 1] } })],
      } }));
      const first = await executable.run({ x: wave(2, 3, 5) });
      const { numTensors } = tf.memory();
      await expect(executable.run({ x: wave(2, 4, 5) })).rejects.toMatchObject({ code: 'COPPICE_BACKEND_RUN' });
      expect(tf.memory().numTensors).toBe(numTensors);
      expect(await executable.run({ x: wave(2, 3, 5) })).toEqual(first);
      await executable.dispose();
    });

    it('refuses by name, before it runs, and lists every operator', async () => {
      const model = makeModel({ opset: 17, graph: {
        inputs: [makeValueInfo('x', 'float32', [2])], outputs: [makeValueInfo('y', 'float32')],
        nodes: [
          makeNode({ op: 'RandomNormalLike', name: 'noise', inputs: ['x'], outputs: ['n'] }),
          makeNode({ op: 'SequenceConstruct', name: 'list', inputs: ['n', 'x'], outputs: ['s'] }),
          makeNode({ op: 'ConcatFromSequence', name: 'back', inputs: ['s'], outputs: ['y'], attributes: { axis: 0 } }),
        ],
      } });
      const fault = await backend.compile(model).catch((error: Error & { code: string }) => error);
      expect(fault).toMatchObject({ code: 'COPPICE_BACKEND_REFUSED' });
      for (const words of ["node 'noise' (RandomNormalLike)", 'SequenceConstruct: it holds a sequence', "node 'back' (ConcatFromSequence)", 'Use onnx:wasm']) expect((fault as Error).message).toContain(words);
    });

    it('checks inputs and lists what the model expects', async () => {
      const executable = await backend.compile(sums());
      await expect(executable.run({})).rejects.toMatchObject({ code: 'COPPICE_INPUT_MISMATCH', message: "The tensors do not fit the model: input 'x' is missing. It expects x float32[n]." });
      await expect(executable.run({ x: { dtype: 'int32', dims: [1], data: Int32Array.of(1) } })).rejects.toMatchObject({ message: expect.stringContaining('is int32 instead of float32') });
      await expect(executable.run({ x: { dtype: 'float32', dims: [3], data: new Float32Array(2) } })).rejects.toMatchObject({ message: expect.stringContaining('so 3 elements, and holds 2') });
      await executable.dispose();
    });
  });
}

it('says what to do when the device is lost in the middle of a training', async () => {
  let gone: string | undefined;
  const executable = await compileOn('tfjs:webgpu', { ...(await loadEngine('wasm')), lost: () => gone }, sums());
  expect((await executable.run({ x: vector(1) })).y).toEqual(vector(4));
  gone = 'the graphics processor was reset';
  await expect(executable.run({ x: vector(1) })).rejects.toMatchObject({
    code: 'COPPICE_BACKEND_RUN',
    message: 'tfjs:webgpu lost its device: the graphics processor was reset. What was saved before is intact: start again from the last checkpoint, in a new process, or with tfjs:wasm.',
  });
  await executable.dispose();
});

it('tells WebAssembly that has given up from a node that has failed', () => {
  expect(wasmFault(new Error('Aborted(OOM)'))).toContain('4 GB');
  expect(wasmFault(new Error('inner sizes 3 and 5 differ'))).toBeUndefined();
});
