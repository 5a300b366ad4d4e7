import { adam, differentiate, sgd, trainableParameters, trainingStep, type Optimizer } from '@coppice/autodiff';
import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom, traceModel, type NamedTensors } from '@coppice/core';
import { graphOf, type Tensor } from '@coppice/graph';
import { buildReferenceModel, ctcLossGraph } from '@coppice/speech';
import { expect, it } from 'vitest';

const backend = wasmBackend();
const model = buildReferenceModel({ mels: 8, channels: [3, 4], kernels: [[3, 3], [3, 3]], hidden: 5, layers: 2, tokens: 6 });
const trace = await traceModel(model, backend);
const parameters = trainableParameters(trace);
const loss = ctcLossGraph({ output: 'log_probs' });

const random = createRandom('training-step');
const integers = (dims: readonly number[], values: readonly number[]): Tensor => ({ dtype: 'int64', dims, data: BigInt64Array.from(values, BigInt) });
const batchOf = (time: number): NamedTensors => ({
  features: { dtype: 'float32', dims: [2, time, 8], data: Float32Array.from({ length: 2 * time * 8 }, () => random.normal()) },
  targets: integers([2, 3], [1, 2, 2, 5, 3, 0]), target_lengths: integers([2], [3, 2]), input_lengths: integers([2], [Math.ceil(time / 2), Math.ceil(time / 2) - 3]),
});
const scalar = (value: number): Tensor => ({ dtype: 'float32', dims: [], data: Float32Array.of(value) });
const numbers = ({ data }: Tensor): number[] => Array.from(data as Float32Array);

/** Steps of an optimiser on batches of different lengths: the losses and the last carried tensors. */
async function run(optimizer: Optimizer, steps: number, clipNorm?: number) {
  const step = trainingStep(trace, { loss, parameters, optimizer, clipNorm });
  const executable = await backend.compile(step.model);
  const batches = [batchOf(21), batchOf(30)];
  let carried = step.initial;
  const losses: number[] = [];
  const norms: number[] = [];
  for (let k = 1; k <= steps; k++) {
    const results = await executable.run({ ...batches[k % 2], ...carried, [step.inputs.learningRate]: scalar(0.02), [step.inputs.step]: scalar(k) });
    losses.push(numbers(results[step.outputs.loss])[0]);
    norms.push(numbers(results[step.outputs.gradientNorm])[0]);
    carried = Object.fromEntries([...step.carried].map(([name, next]) => [name, results[next]]));
  }
  await executable.dispose();
  return { step, batches, carried, losses, norms };
}

it('learns two batches by heart, whatever their lengths', async () => {
  const { losses } = await run(adam(), 60);
  expect(Math.max(...losses.slice(0, 2))).toBeGreaterThan(5);
  expect(Math.max(...losses.slice(-2))).toBeLessThan(1);
});

it('finds every weight of the reference model trainable, and no statistics', () => {
  const floats = graphOf(model).initializer.filter(({ dataType }) => dataType === 1).map(({ name }) => name);
  expect(parameters.toSorted()).toEqual(floats.filter((name) => !/\.(mean|variance)$/.test(name)).toSorted());
});

it('carries running statistics along: momentum × old + (1 − momentum) × those of the batch', async () => {
  const { carried, step } = await run(adam(), 1);
  for (const name of ['bn1.mean', 'bn2.variance']) {
    expect(step.weights).toContain(name);
    expect(numbers(carried[name])).not.toEqual(numbers(step.initial[name]));
  }
});

it.each([['without clipping', undefined], ['with clipping', 0.5]])('takes one step of SGD as the gradients say, %s', async (_, clipNorm) => {
  const { step, batches, carried, norms } = await run(sgd({ momentum: 0 }), 1, clipNorm);
  const plain = differentiate(trace, { loss, parameters, training: true });
  const executable = await backend.compile(plain.model);
  const results = await executable.run(batches[1]);
  await executable.dispose();
  const gradients = new Map([...plain.gradients].map(([name, output]) => [name, numbers(results[output])]));
  const norm = Math.hypot(...[...gradients.values()].flat());
  expect(norms[0]).toBeCloseTo(norm, 3);
  const scale = clipNorm === undefined ? 1 : Math.min(1, clipNorm / norm);
  for (const [name, gradient] of gradients) {
    const before = numbers(step.initial[name]);
    const wanted = before.map((w, k) => w - 0.02 * scale * gradient[k]);
    numbers(carried[name]).forEach((w, k) => expect(Math.abs(w - wanted[k])).toBeLessThan(1e-5));
  }
});

it('takes the first step of Adam by the learning rate, in the direction of the gradient', async () => {
  const { step, carried } = await run(adam({ weightDecay: 0.1 }), 1);
  const [before, after] = [step.initial, carried].map((tensors) => numbers(tensors['dense.bias']));
  // Biases do not decay; m/√v of the first step is the sign of the gradient.
  before.forEach((b, k) => expect(Math.abs(Math.abs(after[k] - b) - 0.02)).toBeLessThan(1e-4));
});
