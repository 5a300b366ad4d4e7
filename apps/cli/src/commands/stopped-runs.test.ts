import { createRandom } from '@coppice/core';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeRecogniser } from '../speech/recogniser.ts';
import { newFolder, removeFolders } from '../testing/command-line.ts';
import { smallRecogniser } from '../testing/speech.ts';
import { onTones, toneDigits, trainOnTones } from '../testing/tone-digits.ts';

afterAll(removeFolders);

const main = join(import.meta.dirname, '../main.ts');
const random = createRandom('kills');
let corpus: string;
let model: string;

beforeAll(async () => {
  corpus = toneDigits();
  model = join(newFolder(), 'model.onnx');
  await writeRecogniser(smallRecogniser(), model, false);
});

/** What a process of its own did until it ended, by itself or by a signal. */
async function start(words: readonly string[], folder: string, stop?: { readonly signal: NodeJS.Signals; readonly when: () => Promise<unknown> }) {
  const child = spawn(process.execPath, [main, ...words], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  let err = '';
  child.stderr.on('data', (text) => (err += text));
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  if (stop) await Promise.race([ended, stop.when().then(() => child.kill(stop.signal))]);
  const [code, signal] = await ended;
  return { code, signal, err };
}

/** Resolves when a file is there, or has other contents than before, and a little later at random. */
const changed = (path: string) => async (): Promise<void> => {
  const contents = (): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');
  const before = contents();
  while (contents() === before) await wait(5);
  await wait(200 * random.uniform());
};

/** Kills a command again and again, then lets it end. */
async function killed(words: readonly string[], folder: string, times: number, when: () => Promise<unknown>): Promise<number> {
  let kills = 0;
  for (let k = 0; k < times; k++) if ((await start(words, folder, { signal: 'SIGKILL', when })).signal === 'SIGKILL') kills++;
  // A process may have been quicker than its end.
  if (!existsSync(join(folder, 'out.onnx'))) expect(await start(words, folder)).toMatchObject({ code: 0 });
  return kills;
}

const filesIn = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => !name.endsWith('.tmp')).toSorted();

describe('a training', () => {
  const words = (): string[] => [...trainOnTones(corpus), '--mels', '8', '--channels', '4,4', '--hidden', '6', '--steps', '60', '--augment', 'small', '--evaluate-every', '30', '--run', 'run', '--out', 'out.onnx'];
  let undisturbed: string;

  beforeAll(async () => {
    undisturbed = newFolder();
    expect(await start(words(), undisturbed)).toEqual({ code: 0, signal: null, err: '' });
  });

  it('that is killed and started again ends with the same bytes', async () => {
    const folder = newFolder();
    expect(await killed(words(), folder, 2, changed(join(folder, 'run/checkpoints/training.json')))).toBeGreaterThanOrEqual(1);
    for (const name of ['out.onnx', 'out.speech.json', 'run/checkpoints/training.json', 'run/checkpoints/training-60.onnx']) {
      expect(readFileSync(join(folder, name)).equals(readFileSync(join(undisturbed, name))), name).toBe(true);
    }
    expect(filesIn(folder)).toEqual(filesIn(undisturbed));
  });

  const stopped = async (signal: NodeJS.Signals, folder: string) => {
    const { code, err } = await start(words(), folder, { signal, when: changed(join(folder, 'run/checkpoints/training.json')) });
    const [, step] = /^stopping after this step; once more stops at once\nstopped after step (\d+) of 60; the same command goes on there\n$/.exec(err)!;
    expect(JSON.parse(readFileSync(join(folder, 'run/checkpoints/training.json'), 'utf8')).step).toBe(Number(step));
    expect(existsSync(join(folder, 'out.onnx'))).toBe(false);
    return { code, step: Number(step) };
  };

  it('ends after its step with code 130 on Ctrl-C, and goes on there', async () => {
    const folder = newFolder();
    const { code, step } = await stopped('SIGINT', folder);
    expect(code).toBe(130);
    expect(await start(words(), folder)).toEqual({ code: 0, signal: null, err: step < 60 ? `going on after step ${step} of 60\n` : '' });
    expect(readFileSync(join(folder, 'out.onnx')).equals(readFileSync(join(undisturbed, 'out.onnx')))).toBe(true);
  });

  it('whose device is lost keeps its last checkpoint, and goes on there with the same bytes', async () => {
    const folder = newFolder();
    // A backend whose device goes away in the fortieth training step, as TensorFlow.js tells it; while a file is there.
    writeFileSync(join(folder, 'device.ts'), `
      import { existsSync } from 'node:fs';
      import { wasmBackend } from ${JSON.stringify(import.meta.resolve('@coppice/backend-onnx'))};
      import { CoppiceError } from ${JSON.stringify(import.meta.resolve('@coppice/graph'))};
      const wasm = wasmBackend();
      let steps = 0;
      export default {
        name: 'device', info: () => wasm.info(),
        async compile(model, options) {
          const executable = await wasm.compile(model, options);
          const trains = model.proto.graph.node.length > 200;
          return { dispose: () => executable.dispose(), async run(...args) {
            if (trains && ++steps > 40 && existsSync('unplugged')) throw new CoppiceError('COPPICE_BACKEND_RUN', 'device lost its device: unplugged.');
            return executable.run(...args);
          } };
        },
      };`);
    const onDevice = words().map((word) => (word === 'onnx' ? 'device' : word)).concat('--plugin', 'device.ts');
    writeFileSync(join(folder, 'unplugged'), '');
    expect(await start(onDevice, folder)).toEqual({ code: 2, signal: null, err: 'error COPPICE_BACKEND_RUN: device lost its device: unplugged.\n' });
    expect(existsSync(join(folder, 'out.onnx'))).toBe(false);
    rmSync(join(folder, 'unplugged'));
    const again = await start(onDevice, folder);
    expect(again).toMatchObject({ code: 0, err: expect.stringMatching(/^going on after step (30|40) of 60\n$/) });
    expect(readFileSync(join(folder, 'out.onnx')).equals(readFileSync(join(undisturbed, 'out.onnx')))).toBe(true);
  });

  it('ends in the same way with code 143 when it is terminated', async () => {
    expect((await stopped('SIGTERM', newFolder())).code).toBe(143);
  });
});

describe('a pruning with speech', () => {
  const words = (): string[] => ['prune', model, ...onTones(corpus), '--macs', '0.6,0.4', '--steps', '40', '--round-steps', '20', '--batch-size', '16', '--peak', '0.005', '--calibration-batches', '2', '--evaluate-every', '20', '--run', 'run', '--out', 'out.onnx'];

  it('that is killed and started again ends with the same bytes and the same report, but for the time it took', async () => {
    const [undisturbed, folder] = [newFolder(), newFolder()];
    const began = performance.now();
    expect(await start(words(), undisturbed)).toEqual({ code: 0, signal: null, err: '' });
    const took = performance.now() - began;
    expect(await killed(words(), folder, 3, () => wait(Math.max(300, took * (0.15 + 0.5 * random.uniform()))))).toBeGreaterThanOrEqual(1);
    const report = (where: string): object => ({ ...JSON.parse(readFileSync(join(where, 'run/report.json'), 'utf8')), latency: undefined });
    expect(report(folder)).toEqual(report(undisturbed));
    expect(filesIn(folder)).toEqual(filesIn(undisturbed));
    for (const name of filesIn(folder).filter((file) => /\.(onnx|svg)$/.test(file))) expect(readFileSync(join(folder, name)).equals(readFileSync(join(undisturbed, name))), name).toBe(true);
  });
});
