import { adam, trainableParameters, trainingStep } from '@coppice/autodiff';
import { nativeBackend } from '@coppice/backend-onnx';
import { traceModel, type NamedTensors } from '@coppice/core';
import type { Tensor } from '@coppice/graph';
import { buildReferenceModel, ctcLossGraph } from '@coppice/speech';
import { describe, expect, it } from 'vitest';
import { tfjsBackend } from './index.ts';

const oracle = nativeBackend();
const hasNative = await oracle.info().then(() => true, () => false);
const scalar = (value: number): Tensor => ({ dtype: 'float32', dims: [], data: Float32Array.of(value) });
const longs = (dims: readonly number[], of: (k: number) => number): Tensor => ({ dtype: 'int64', dims, data: BigInt64Array.from({ length: dims.reduce((p, d) => p * d, 1) }, (_, k) => BigInt(of(k))) });

const [batch, time, labels] = [4, 40, 5];
const fed: NamedTensors = {
  features: { dtype: 'float32', dims: [batch, time, 40], data: Float32Array.from({ length: batch * time * 40 }, (_, k) => Math.sin(k * 12.9898 + 1)) },
  targets: longs([batch, labels], (k) => 1 + ((k * 7) % 28)),
  target_lengths: longs([batch], (k) => 2 + k),
  input_lengths: longs([batch], (k) => time / 2 - k),
};

describe.skipIf(!hasNative)('a training step (forward, CTC, backward, clipping, Adam)', () => {
  for (const rnn of ['gru', 'lstm'] as const) {
    it(`of the reference model with ${rnn.toUpperCase()}s changes the weights as on ONNX Runtime, three steps on`, async () => {
      const trace = await traceModel(buildReferenceModel({ hidden: 16, layers: 2, channels: [4, 6], rnn }), oracle);
      // The biases before a batch norm have a gradient of 0, of which only rounding is left, and Adam makes steps of any rounding.
      const parameters = trainableParameters(trace).filter((name) => !/^conv\d\.bias$/.test(name));
      const step = trainingStep(trace, { loss: ctcLossGraph(), parameters, optimizer: adam(), clipNorm: 5 });
      const [expected, executable] = [await oracle.compile(step.model), await tfjsBackend({ engine: 'wasm' }).compile(step.model)];
      let [want, have]: NamedTensors[] = [step.initial, step.initial];
      for (let n = 1; n <= 3; n++) {
        const run = async (on: typeof expected, state: NamedTensors) => {
          const results = await on.run({ ...fed, ...state, [step.inputs.learningRate]: scalar(1e-3), [step.inputs.step]: scalar(n) });
          return { results, state: Object.fromEntries([...step.carried].map(([input, output]) => [input, results[output]])) };
        };
        const [a, b] = [await run(expected, want), await run(executable, have)];
        const loss = a.results[step.outputs.loss].data[0] as number;
        expect(loss).toBeGreaterThan(1);
        expect(Math.abs((b.results[step.outputs.loss].data[0] as number) / loss - 1)).toBeLessThan(1e-5);
        expect(Math.abs((b.results[step.outputs.gradientNorm].data[0] as number) / (a.results[step.outputs.gradientNorm].data[0] as number) - 1)).toBeLessThan(1e-3);
        [want, have] = [a.state, b.state];
      }
      for (const name of step.weights) {
        const [a, b] = [want[name].data as Float32Array, have[name].data as Float32Array];
        const moved = Math.sqrt(a.reduce((sum, x, k) => sum + (x - (step.initial[name].data[k] as number)) ** 2, 0));
        const apart = Math.sqrt(a.reduce((sum, x, k) => sum + (x - b[k]) ** 2, 0));
        expect(moved, name).toBeGreaterThan(0);
        expect(apart / moved, name).toBeLessThan(0.02);
      }
      await Promise.all([expected.dispose(), executable.dispose()]);
    });
  }
});
