import { execFileSync, spawnSync } from 'node:child_process';
import { decodeModel, encodeModel, type Model, type Tensor } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { chooseBackend, nativeBackend, wasmBackend, type OnnxBackendName } from './index.ts';
import { missing } from './native.ts';
import { convGru, identity, product, single, spread, withDefault } from './sample-models.ts';

const hasNative = await nativeBackend().info().then(() => true, () => false);
const vector = (...values: number[]): Tensor => ({ dtype: 'float32', dims: [values.length], data: Float32Array.from(values) });
const speech: Tensor = { dtype: 'float32', dims: [2, 1, 8, 7], data: spread(112) };

async function once(name: OnnxBackendName, model: Model, x: Tensor, optimise: 'none' | 'all' = 'all'): Promise<Tensor> {
  const executable = await chooseBackend(name).compile(model, { optimise });
  const { y } = await executable.run({ x });
  await executable.dispose();
  return y;
}

it.skipIf(!hasNative)('gives the same numbers on both builds, at both levels', async () => {
  const expected = await once('onnx:wasm', convGru(), speech, 'none');
  expect(expected.dims).toEqual([7, 2, 10]);
  expect(Math.max(...(expected.data as Float32Array).map(Math.abs))).toBeGreaterThan(0.1);
  for (const [name, optimise] of [['onnx:wasm', 'all'], ['onnx:native', 'none'], ['onnx:native', 'all']] as const) {
    const y = await once(name, convGru(), speech, optimise);
    (y.data as Float32Array).forEach((value, k) => expect(value).toBeCloseTo(expected.data[k] as number, 6));
  }
});

it.skipIf(!hasNative)('loads a convolution in float16 on both builds', async () => {
  const half: Tensor = { dtype: 'float16', dims: [1, 1, 8, 3], data: new Uint16Array(24).fill(0x3800) };
  const [wasm, native] = [await once('onnx:wasm', convGru('float16'), half), await once('onnx:native', convGru('float16'), half)];
  expect(wasm).toMatchObject({ dtype: 'float16', dims: [3, 1, 10] });
  const floats = ({ data }: Tensor): number[] => [...new Float16Array((data as Uint16Array).buffer)];
  floats(wasm).forEach((value, k) => expect(value).toBeCloseTo(floats(native)[k], 2));
});

for (const name of ['onnx:wasm', 'onnx:native'] as const) {
  describe.skipIf(name === 'onnx:native' && !hasNative)(name, () => {
    const backend = chooseBackend(name);

    it('says what it is', async () => {
      expect(backend.name).toBe(name);
      expect(await backend.info()).toMatchObject({ version: expect.stringMatching(/^1\.\d+\.\d+$/), device: 'cpu' });
    });

    it('runs two executables in turn and at the same time', async () => {
      const plus = await backend.compile(single('Add', 'float32', ['a', 'b'], [['n'], ['n']]));
      const minus = await backend.compile(single('Sub', 'float32', ['a', 'b'], [['n'], ['n']]));
      const ask = (k: number): Promise<Tensor> => (k % 2 ? plus : minus).run({ a: vector(...Array<number>(1 + (k % 5)).fill(k)), b: vector(2) }).then(({ y }) => y);
      for (let k = 0; k < 6; k++) expect((await ask(k)).data[0]).toBe(k % 2 ? k + 2 : k - 2);
      const all = await Promise.all(Array.from({ length: 60 }, (_, k) => ask(k)));
      all.forEach((y, k) => expect(y).toEqual(vector(...Array<number>(1 + (k % 5)).fill(k % 2 ? k + 2 : k - 2))));
      await Promise.all([plus.dispose(), minus.dispose()]);
    });

    it('gives results that later runs and changes to the inputs leave alone', async () => {
      const executable = await backend.compile(identity('float32'));
      const x = vector(1, 2);
      const first = (await executable.run({ x })).y;
      (x.data as Float32Array)[0] = 9;
      await executable.run({ x: vector(5, 6) });
      await executable.dispose();
      expect(first).toEqual(vector(1, 2));
    });

    it('computes only the outputs that are asked for', async () => {
      const executable = await backend.compile(withDefault());
      expect(await executable.run({ x: vector(1) }, ['y'])).toEqual({ y: vector(4) });
      expect(await executable.run({ x: vector(1) }, [])).toEqual({});
      await expect(executable.run({ x: vector(1) }, ['z'])).rejects.toMatchObject({ code: 'COPPICE_INPUT_MISMATCH', message: expect.stringContaining('Its outputs are y') });
      await executable.dispose();
    });

    it('can be disposed twice, and says so when it is run afterwards', async () => {
      const executable = await backend.compile(identity('float32'));
      await executable.dispose();
      await executable.dispose();
      await expect(executable.run({ x: vector(1) })).rejects.toMatchObject({ code: 'COPPICE_BACKEND_RUN', message: expect.stringContaining('disposed') });
    });

    it('checks inputs itself and lists what the model expects', async () => {
      const executable = await backend.compile(convGru());
      const fault = async (inputs: Record<string, Tensor>): Promise<string> => executable.run(inputs).then(() => 'none', (error: Error & { code: string }) => `${error.code} ${error.message}`);
      expect(await fault({})).toBe("COPPICE_INPUT_MISMATCH The tensors do not fit the model: input 'x' is missing. It expects x float32[batch, 1, 8, time].");
      expect(await fault({ x: speech, audio: speech })).toContain("there is no input 'audio'");
      expect(await fault({ x: { dtype: 'int32', dims: [1, 1, 8, 1], data: new Int32Array(8) } })).toContain("input 'x' is int32 instead of float32");
      expect(await fault({ x: vector(1) })).toContain("input 'x' has dimensions [1] instead of [batch, 1, 8, time]");
      expect(await fault({ x: { ...speech, dims: [2, 1, 9, 7] } })).toContain('has dimensions [2, 1, 9, 7]');
      expect(await fault({ x: { ...speech, dims: [3, 1, 8, 7] } })).toContain('so 168 elements, and holds 112');
      await executable.dispose();
    });

    it('takes −1 in the file for an open dimension, and no dimensions for an open rank', async () => {
      expect(await once(name, identity('float32', [-1]), vector(1, 2, 3))).toEqual(vector(1, 2, 3));
      const open = await backend.compile(single('Relu', 'float32', ['x'], []));
      expect((await open.run({ x: speech })).y.dims).toEqual([2, 1, 8, 7]);
      await expect(open.run({ x: { dtype: 'int8', dims: [], data: Int8Array.of(1) } })).rejects.toMatchObject({ message: expect.stringContaining('It expects x float32 of any rank.') });
      await open.dispose();
    });

    it('does not ignore a tensor for an input whose value is in the file', async () => {
      const executable = await backend.compile(withDefault());
      await expect(executable.run({ x: vector(1), w: vector(7) })).rejects.toMatchObject({ code: 'COPPICE_INPUT_MISMATCH', message: expect.stringContaining("'w' has its value in the file") });
      await executable.dispose();
    });

    it('passes on why a run failed, with the node', async () => {
      const executable = await backend.compile(product());
      const matrix = (rows: number, columns: number): Tensor => ({ dtype: 'float32', dims: [rows, columns], data: new Float32Array(rows * columns) });
      await expect(executable.run({ a: matrix(2, 3), b: matrix(4, 5) })).rejects.toMatchObject({ code: 'COPPICE_BACKEND_RUN', message: expect.stringContaining("MatMul 'the MatMul': MatMul dimension mismatch"), cause: expect.any(Error) });
      expect((await executable.run({ a: matrix(2, 3), b: matrix(3, 5) })).y.dims).toEqual([2, 5]);
      await executable.dispose();
    });

    it('passes on why a model is refused', async () => {
      await expect(backend.compile(single('Nope', 'float32', ['x'], [['n']]))).rejects.toMatchObject({ code: 'COPPICE_BACKEND_REFUSED', message: expect.stringContaining(`${name} does not take the model: `) });
      await expect(backend.compile(single('Erf', 'float64', ['x'], [['n']]))).rejects.toMatchObject({ code: 'COPPICE_BACKEND_REFUSED', message: expect.stringContaining('try float32') });
    });

    it('runs a model from before opset 7', async () => {
      const old = single('Relu', 'float32', ['x'], [['n']]);
      const model = decodeModel(encodeModel({ proto: { ...old.proto, opsetImport: [{ ...old.proto.opsetImport[0], version: 5n }], irVersion: 3n } }));
      expect(await once(name, model, vector(-1, 2))).toEqual(vector(0, 2));
    });

    it('prints nothing, not even when a run fails, and lets the process end', () => {
      const here = JSON.stringify(new URL('.', import.meta.url).href);
      const program = `
        const { chooseBackend } = await import(${here} + 'index.ts'), { product } = await import(${here} + 'sample-models.ts');
        const executable = await chooseBackend('${name}').compile(product(), { threads: 2 });
        const matrix = { dtype: 'float32', dims: [2, 3], data: new Float32Array(6) };
        await executable.run({ a: matrix, b: matrix }).then(() => console.log('ran'), () => console.log('failed'));`;
      expect(spawnSync(process.execPath, ['-e', program], { encoding: 'utf8', timeout: 20_000 })).toMatchObject({ status: 0, stdout: 'failed\n', stderr: '' });
    });
  });
}

describe('threads of onnx:wasm', () => {
  it('stay what the first model of the process asked for', async () => {
    await (await wasmBackend().compile(identity('float32'))).dispose();
    await (await wasmBackend().compile(identity('float32'), { threads: 1 })).dispose();
    await expect(wasmBackend().compile(identity('float32'), { threads: 2 })).rejects.toMatchObject({ code: 'COPPICE_BACKEND_THREADS', message: expect.stringContaining('runs with 1 thread since its first model') });
  });

  it('are two when two are asked for first', () => {
    const here = JSON.stringify(new URL('.', import.meta.url).href);
    const program = `
      const { wasmBackend } = await import(${here} + 'index.ts'), { identity } = await import(${here} + 'sample-models.ts');
      const backend = wasmBackend({ threads: 2 });
      await backend.compile(identity('float32'));
      console.log((await backend.info()).threads);`;
    expect(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' })).toBe('2\n');
  });
});

describe('missing', () => {
  it('gives the command that installs the native runtime', async () => {
    const cause = await import('onnxruntime-node-that-is-not-there' as string).catch((error: Error) => new Error(error.message.replaceAll('-that-is-not-there', '')));
    expect(missing(cause)).toMatchObject({ code: 'COPPICE_BACKEND_MISSING', message: expect.stringContaining('pnpm add onnxruntime-node') });
  });

  it('tells a library that does not load from one that is not installed', () => {
    const cause = new Error("Cannot find module '../bin/napi-v6/linux/riscv64/onnxruntime_binding.node'\nRequire stack: /x");
    expect(missing(cause)).toMatchObject({ code: 'COPPICE_BACKEND_MISSING', message: expect.stringContaining('is installed but does not load') });
  });
});
