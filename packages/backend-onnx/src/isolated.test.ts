import { spawn, spawnSync } from 'node:child_process';
import type { Tensor } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { chooseBackend, isolated, nativeBackend } from './index.ts';
import { convGru, endless, identity, product, single, spread } from './sample-models.ts';

const hasNative = await nativeBackend().info().then(() => true, () => false);
const speech: Tensor = { dtype: 'float32', dims: [2, 1, 8, 7], data: spread(112) };
const one: Tensor = { dtype: 'float32', dims: [1], data: Float32Array.of(1) };

/** Whether a process still computes; a dead one may linger in the table of its parent. */
const isAlive = (pid: number): boolean => /^[^Z]/.test(spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim());

async function untilDead(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 50 && isAlive(pid); tries++) await new Promise((resolve) => { setTimeout(resolve, 100); });
  return !isAlive(pid);
}

for (const name of ['onnx:wasm', 'onnx:native'] as const) {
  describe.skipIf(name === 'onnx:native' && !hasNative)(`isolated ${name}`, () => {
    it('gives the same results as in the same process, all types included', async () => {
      const here = await chooseBackend(name).compile(convGru());
      const there = await isolated(name).compile(convGru());
      expect(await there.run({ x: speech })).toEqual(await here.run({ x: speech }));
      await Promise.all([here.dispose(), there.dispose()]);
      for (const x of [{ dtype: 'float16', dims: [1], data: Uint16Array.of(0x3c00) }, { dtype: 'int64', dims: [1], data: BigInt64Array.of(-5n) }, { dtype: 'string', dims: [2], data: ['a', 'é'] }, { dtype: 'bool', dims: [0], data: new Uint8Array() }] as const) {
        const executable = await isolated(name).compile(identity(x.dtype));
        expect((await executable.run({ x })).y).toEqual(x);
        await executable.dispose();
      }
    });

    it('turns a crash into an error that says what to try, also for later runs', async () => {
      const executable = await isolated(name).compile(endless());
      const running = executable.run({ x: one });
      setTimeout(() => process.kill(executable.pid, 'SIGSEGV'), 200);
      await expect(running).rejects.toMatchObject({ code: 'COPPICE_BACKEND_RUN', message: expect.stringMatching(/crashed its process \(SIGSEGV\)\. Compile with optimise: 'none', or use onnx:/) });
      await expect(executable.run({ x: one })).rejects.toMatchObject({ code: 'COPPICE_BACKEND_RUN', message: expect.stringContaining('crashed') });
      await executable.dispose();
    });

    it('ends a run, and a compile, that takes too long', async () => {
      const executable = await isolated(name, { timeLimitMs: 5000 }).compile(identity('float32'));
      await executable.dispose();
      const hanging = await isolated(name, { timeLimitMs: 5000 }).compile(endless(), { optimise: 'none' });
      await expect(hanging.run({ x: one })).rejects.toMatchObject({ code: 'COPPICE_BACKEND_RUN', message: expect.stringMatching(/did not finish within 5 s.*timeLimitMs/) });
      expect(await untilDead(hanging.pid)).toBe(true);
      await expect(isolated(name, { timeLimitMs: 1 }).compile(convGru())).rejects.toMatchObject({ code: 'COPPICE_BACKEND_REFUSED', message: expect.stringContaining('did not finish within 0.001 s') });
    });

    it('passes on errors with their code and the words of the runtime', async () => {
      await expect(isolated(name).compile(single('Nope', 'float32', ['x'], [['n']]))).rejects.toMatchObject({ code: 'COPPICE_BACKEND_REFUSED', message: expect.stringContaining('Nope'), cause: expect.any(Error) });
      const executable = await isolated(name).compile(product());
      const matrix: Tensor = { dtype: 'float32', dims: [2, 3], data: new Float32Array(6) };
      await expect(executable.run({ a: matrix })).rejects.toMatchObject({ code: 'COPPICE_INPUT_MISMATCH' });
      await expect(executable.run({ a: matrix, b: matrix })).rejects.toMatchObject({ code: 'COPPICE_BACKEND_RUN', message: expect.stringContaining('MatMul dimension mismatch') });
      await executable.dispose();
    });

    it('takes several runs at once and ends its process with dispose, twice if you like', async () => {
      const executable = await isolated(name).compile(identity('float32'));
      const results = await Promise.all([1, 2, 3].map((k) => executable.run({ x: { dtype: 'float32', dims: [1], data: Float32Array.of(k) } })));
      expect(results.map(({ y }) => y.data[0])).toEqual([1, 2, 3]);
      await executable.dispose();
      expect(isAlive(executable.pid)).toBe(false);
      await executable.dispose();
      await expect(executable.run({ x: one })).rejects.toMatchObject({ code: 'COPPICE_BACKEND_RUN', message: expect.stringContaining('disposed') });
    });

    it('dies with its parent, even in the middle of a run', async () => {
      const here = JSON.stringify(new URL('.', import.meta.url).href);
      const program = `
        const { isolated } = await import(${here} + 'index.ts'), { endless } = await import(${here} + 'sample-models.ts');
        const executable = await isolated('${name}').compile(endless());
        executable.run({ x: { dtype: 'float32', dims: [1], data: Float32Array.of(1) } });
        console.log(executable.pid);`;
      const parent = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
      const pid = Number(await new Promise<Buffer>((resolve) => { parent.stdout.once('data', resolve); }));
      expect(isAlive(pid)).toBe(true);
      parent.kill('SIGKILL');
      expect(await untilDead(pid)).toBe(true);
    });
  });
}

it('lets each model have its own number of threads', async () => {
  const executables = await Promise.all([1, 2].map((threads) => isolated('onnx:wasm').compile(identity('float32'), { threads })));
  for (const executable of executables) expect((await executable.run({ x: one })).y).toEqual(one);
  await Promise.all(executables.map((executable) => executable.dispose()));
});
