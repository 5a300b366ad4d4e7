/**
 * What the interpreter of `backend-tfjs` costs beside the kernels that it calls: a run is recorded, kernel by kernel, and played again without
 * the interpreter, in turns with it. Reference model, inference or a training step.
 * Usage: node tools/bench-backends/overhead.ts [--engine wasm] [--task inference|training] [--rounds 25]
 */
import { adam, trainableParameters, trainingStep } from '@coppice/autodiff';
import { nativeBackend } from '@coppice/backend-onnx';
import { tfjsBackend, type EngineName } from '@coppice/backend-tfjs';
import { createRandom, traceModel, type NamedTensors } from '@coppice/core';
import type { Model, Tensor } from '@coppice/graph';
import { buildReferenceModel, ctcLossGraph } from '@coppice/speech';
import * as tf from '@tensorflow/tfjs-core';
import { parseArgs } from 'node:util';

/** What happened in a run; tensors are numbers. */
type Event =
  | { readonly kind: 'kernel'; readonly name: string; readonly inputs: readonly number[] | Readonly<Record<string, number>>; readonly attributes: object; readonly outputs: readonly number[] }
  | { readonly kind: 'upload'; readonly arguments: Parameters<Engine['makeTensor']>; readonly output: number }
  | { readonly kind: 'dispose' | 'read'; readonly tensor: number };

type Engine = ReturnType<typeof tf.engine>;
type Kernel = (name: string, inputs: tf.NamedTensorMap | tf.Tensor[], attributes: object) => tf.Tensor | tf.Tensor[];

const { values } = parseArgs({ options: { engine: { type: 'string', default: 'wasm' }, task: { type: 'string', default: 'training' }, rounds: { type: 'string', default: '25' } } });
const { model, inputs } = values.task === 'training' ? await trainingTask() : inferenceTask();
const executable = await tfjsBackend({ engine: values.engine as EngineName }).compile(model);
for (let k = 0; k < 2; k++) await executable.run(inputs);
const play = await record(() => executable.run(inputs));

const times = { interpreter: [] as number[], kernels: [] as number[] };
for (let round = -2; round < Number(values.rounds); round++) {
  const start = performance.now();
  await executable.run(inputs);
  const middle = performance.now();
  play();
  if (round < 0) continue;
  times.interpreter.push(middle - start);
  times.kernels.push(performance.now() - middle);
}
const at = (list: readonly number[], share: number): number => list.toSorted((a, b) => a - b)[Math.floor(share * list.length)];
for (const [name, share] of [['median', 0.5], ['fastest', 0]] as const) {
  const [whole, kernels] = [at(times.interpreter, share), at(times.kernels, share)];
  console.log(`${values.task}, tfjs:${values.engine}, ${name} of ${values.rounds}: ${whole.toFixed(1)} ms, its kernels alone ${kernels.toFixed(1)} ms, overhead ${(100 * (whole / kernels - 1)).toFixed(1)} %`);
}
process.exit(0);

/** Runs something and gives a function that calls the same kernels on the same tensors, uploads, reads and disposals included. */
async function record(run: () => Promise<unknown>): Promise<() => void> {
  const engine = tf.engine() as unknown as { runKernel: Kernel; makeTensor: Engine['makeTensor'] };
  const numbers = new Map<tf.Tensor, number>();
  const before: (tf.Tensor | undefined)[] = [];
  const tape: Event[] = [];
  let count = 0;
  let depth = 0;
  const made = (tensor: tf.Tensor): number => {
    numbers.set(tensor, count);
    return count++;
  };
  const numberOf = (tensor: tf.Tensor): number => {
    const known = numbers.get(tensor);
    if (known !== undefined) return known;
    before[count] = tensor;
    return made(tensor);
  };
  const { runKernel, makeTensor } = engine;
  const { dispose, dataSync } = tf.Tensor.prototype;
  engine.runKernel = (name, given, attributes) => {
    // A kernel may call others, which playing it calls again.
    depth++;
    const result = runKernel.call(engine, name, given, attributes);
    depth--;
    if (depth === 0) {
      const own = Array.isArray(given) ? given.map(numberOf) : Object.fromEntries(Object.entries(given).map(([key, tensor]) => [key, numberOf(tensor)]));
      tape.push({ kind: 'kernel', name, inputs: own, attributes, outputs: [result].flat().map(made) });
    }
    return result;
  };
  engine.makeTensor = (...given) => {
    const tensor = makeTensor.apply(engine, given);
    if (depth === 0) tape.push({ kind: 'upload', arguments: given, output: made(tensor) });
    return tensor;
  };
  tf.Tensor.prototype.dispose = function () {
    if (depth === 0 && !this.isDisposed && numbers.has(this)) tape.push({ kind: 'dispose', tensor: numbers.get(this)! });
    return dispose.call(this);
  };
  tf.Tensor.prototype.dataSync = function <D extends tf.DataType>(this: tf.Tensor) {
    if (depth === 0) tape.push({ kind: 'read', tensor: numberOf(this) });
    return dataSync.call(this) as tf.DataTypeMap[D];
  };
  await run();
  Object.assign(engine, { runKernel, makeTensor });
  Object.assign(tf.Tensor.prototype, { dispose, dataSync });
  return () => {
    const tensors = before.slice() as tf.Tensor[];
    for (const event of tape) {
      if (event.kind === 'kernel') {
        const given = Array.isArray(event.inputs) ? event.inputs.map((k: number) => tensors[k]) : Object.fromEntries(Object.entries(event.inputs).map(([key, k]) => [key, tensors[k]]));
        const results = [engine.runKernel(event.name, given as tf.NamedTensorMap, event.attributes)].flat();
        event.outputs.forEach((k, position) => { tensors[k] = results[position]; });
      } else if (event.kind === 'upload') tensors[event.output] = engine.makeTensor(...event.arguments);
      else if (event.kind === 'dispose') tensors[event.tensor].dispose();
      else tensors[event.tensor].dataSync();
    }
  };
}

function features(batch: number, time: number): Tensor {
  const random = createRandom('overhead');
  return { dtype: 'float32', dims: [batch, time, 40], data: Float32Array.from({ length: batch * time * 40 }, () => random.normal()) };
}

function inferenceTask(): { model: Model; inputs: NamedTensors } {
  return { model: buildReferenceModel({ tokens: 29 }), inputs: { features: features(1, 300) } };
}

async function trainingTask(): Promise<{ model: Model; inputs: NamedTensors }> {
  const [batch, time] = [16, 100];
  const trace = await traceModel(buildReferenceModel({ tokens: 29 }), nativeBackend());
  const step = trainingStep(trace, { loss: ctcLossGraph({}), parameters: trainableParameters(trace), optimizer: adam(), clipNorm: 5 });
  const whole = (dims: readonly number[], value: (k: number) => number): Tensor => ({ dtype: 'int64', dims, data: BigInt64Array.from({ length: dims.reduce((p, n) => p * n, 1) }, (_, k) => BigInt(value(k))) });
  const scalar = (value: number): Tensor => ({ dtype: 'float32', dims: [], data: Float32Array.of(value) });
  return {
    model: step.model,
    inputs: {
      features: features(batch, time), targets: whole([batch, 5], (k) => 1 + ((k * 7) % 28)), target_lengths: whole([batch], (k) => 2 + (k % 4)), input_lengths: whole([batch], (k) => time / 2 - (k % 3)),
      [step.inputs.learningRate]: scalar(1e-3), [step.inputs.step]: scalar(1), ...step.initial,
    },
  };
}
