import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom, type Backend, type NamedTensors } from '@coppice/core';
import { buildReferenceModel, distillationLoss } from '@coppice/speech';
import { describe, expect, it } from 'vitest';
import { teach, teacherLabel } from './distillation.ts';

const onnx = wasmBackend();
const teacher = buildReferenceModel({ mels: 8, channels: [2], kernels: [[3, 3]], strides: [[2, 2]], hidden: 3, layers: 1, tokens: 4 });

/** Batches of other lengths in each step; those of steps 1, 4, 7, … are the same. */
const batch = (step: number): NamedTensors => {
  const random = createRandom(`batch/${step % 3}`);
  const time = 10 + 2 * (step % 3);
  return { features: { dtype: 'float32', dims: [2, time, 8], data: Float32Array.from({ length: 16 * time }, () => random.normal()) }, input_lengths: { dtype: 'int64', dims: [2], data: BigInt64Array.of(3n, 4n) } };
};

/** Counts runs. */
function counting(): { backend: Backend; runs: () => number; live: () => number } {
  let [runs, live] = [0, 0];
  const backend: Backend = { ...onnx, name: onnx.name, info: () => onnx.info(), async compile(model, options) {
    const executable = await onnx.compile(model, options);
    live++;
    return { run: (inputs, outputs) => (runs++, executable.run(inputs, outputs)), dispose: () => (live--, executable.dispose()) };
  } };
  return { backend, runs: () => runs, live: () => live };
}

describe('teach', () => {
  it('adds what the teacher says, under the label that the loss reads', async () => {
    const { backend, runs, live } = counting();
    const taught = await teach({ teacher, backend, batch });
    const executable = await onnx.compile(teacher);
    for (const step of [1, 2, 4]) {
      const { teacher_log_probs: said, ...given } = await taught.batch(step);
      expect(given).toEqual(batch(step));
      expect(said).toEqual((await executable.run({ features: batch(step).features })).log_probs);
    }
    expect(runs()).toBe(3);
    expect(distillationLoss().labels).toContain(teacherLabel('log_probs'));
    await executable.dispose();
    await taught.dispose();
    expect(live()).toBe(0);
  });

  it('remembers what comes again, never more than it may, and forgets what was not used for longest', async () => {
    // log_probs [2, 5…7, 4] are 160, 192 or 224 bytes.
    const asked = async (bytes: number, steps: readonly number[]) => {
      const { backend, runs } = counting();
      const taught = await teach({ teacher, backend, batch, remember: { key: (step) => (step >= 100 ? undefined : `${step % 3}`), bytes } });
      const plain = await teach({ teacher, backend: onnx, batch });
      const ran: number[] = [];
      for (const step of steps) {
        const before = runs();
        expect(await taught.batch(step)).toEqual(await plain.batch(step));
        if (runs() > before) ran.push(step);
      }
      await Promise.all([taught.dispose(), plain.dispose()]);
      return ran;
    };
    expect(await asked(10_000, [0, 1, 2, 3, 4, 5, 6])).toEqual([0, 1, 2]);
    expect(await asked(100, [0, 1, 3, 4])).toEqual([0, 1, 3, 4]);
    // Room for two: batch 0 is used again, so batch 1 goes when batch 2 comes.
    expect(await asked(400, [0, 1, 3, 2, 6, 4])).toEqual([0, 1, 2, 4]);
    expect(await asked(10_000, [0, 102, 102])).toEqual([0, 102, 102]);
  });

  it('refuses an output that there is not, and a label that is taken', async () => {
    await expect(teach({ teacher, backend: onnx, batch, outputs: ['logit'] })).rejects.toMatchObject({ code: 'COPPICE_LOSS_INVALID', message: expect.stringContaining("'logit'") });
    const taught = await teach({ teacher, backend: onnx, batch: () => ({ ...batch(1), teacher_log_probs: batch(1).features }) });
    await expect(taught.batch(1)).rejects.toMatchObject({ code: 'COPPICE_LOSS_INVALID', message: expect.stringContaining('teacher_log_probs') });
    await taught.dispose();
  });
});
