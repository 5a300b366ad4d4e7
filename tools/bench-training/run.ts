/**
 * How long one training step takes (forward, CTC, backward, Adam) on ONNX Runtime, natively and in WebAssembly, and in PyTorch on the CPU,
 * in turns in one run.
 * Usage: node tools/bench-training/run.ts [--python path/to/python] [--threads 1] [--rounds 20] [--size small|reference|big]
 * Without a Python that has torch, the column of PyTorch is left out.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { adam, trainableParameters, trainingStep } from '@coppice/autodiff';
import { nativeBackend, wasmBackend } from '@coppice/backend-onnx';
import { createRandom, traceModel, type Backend, type NamedTensors } from '@coppice/core';
import type { Tensor } from '@coppice/graph';
import { buildReferenceModel, ctcLossGraph } from '@coppice/speech';

const sizes = {
  small: { mels: 40, channels: [32, 32], hidden: 96, layers: 2, tokens: 29, batch: 16, time: 100, labels: 10 },
  reference: { mels: 40, channels: [32, 32], hidden: 128, layers: 3, tokens: 29, batch: 16, time: 200, labels: 15 },
  big: { mels: 40, channels: [32, 32], hidden: 256, layers: 3, tokens: 29, batch: 8, time: 400, labels: 30 },
} as const;

const { values } = parseArgs({ options: { python: { type: 'string' }, threads: { type: 'string', default: '1' }, rounds: { type: 'string', default: '20' }, size: { type: 'string', default: 'small' } } });
const threads = Number(values.threads);
const size = sizes[values.size as keyof typeof sizes];
if (!size) throw new Error(`--size is one of ${Object.keys(sizes).join(', ')}`);

const runners: { readonly name: string; readonly step: () => Promise<number>; readonly end: () => Promise<void> }[] = [];
for (const backend of [nativeBackend(), wasmBackend()]) runners.push({ name: backend.name, ...(await onRuntime(backend)) });
if (values.python) runners.push({ name: 'PyTorch', ...(await onPyTorch(values.python)) });

const times = runners.map((): number[] => []);
for (let round = -2; round < Number(values.rounds); round++) {
  for (let k = 0; k < runners.length; k++) {
    const r = (k + round + 2) % runners.length;
    const ms = await runners[r].step();
    if (round >= 0) times[r].push(ms);
  }
}
const medians = times.map((list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]);
const reference = medians[runners.findIndex(({ name }) => name === 'PyTorch')];
console.log(`one training step, ${values.size} (batch ${size.batch}, ${size.time} frames, ${size.layers}×BiGRU ${size.hidden}), ${threads} thread${threads > 1 ? 's' : ''}, median of ${values.rounds}`);
runners.forEach(({ name }, k) => console.log(`${name.padEnd(12)} ${medians[k].toFixed(1).padStart(8)} ms${reference === undefined ? '' : `   ${(medians[k] / reference).toFixed(2)} of PyTorch`}`));
for (const { end } of runners) await end();

async function onRuntime(backend: Backend) {
  const { mels, channels, hidden, layers, tokens } = size;
  // Tracing in WebAssembly would settle its number of threads.
  const trace = await traceModel(buildReferenceModel({ mels, channels, hidden, layers, tokens }), nativeBackend());
  const made = trainingStep(trace, { loss: ctcLossGraph({ output: 'log_probs' }), parameters: trainableParameters(trace), optimizer: adam() });
  const executable = await backend.compile(made.model, { optimise: 'all', threads });
  const batch = randomBatch();
  let carried: NamedTensors = made.initial;
  let count = 0;
  return {
    step: async () => {
      const start = performance.now();
      const results = await executable.run({ ...batch, ...carried, [made.inputs.learningRate]: scalar(1e-3), [made.inputs.step]: scalar(++count) });
      carried = Object.fromEntries([...made.carried].map(([name, next]) => [name, results[next]]));
      return performance.now() - start;
    },
    end: () => executable.dispose(),
  };
}

function scalar(value: number): Tensor {
  return { dtype: 'float32', dims: [], data: Float32Array.of(value) };
}

function randomBatch(): NamedTensors {
  const random = createRandom('bench-training');
  const { batch, time, mels, labels, tokens } = size;
  const integers = (dims: readonly number[], draw: () => number): Tensor => ({ dtype: 'int64', dims, data: BigInt64Array.from({ length: dims.reduce((p, d) => p * d, 1) }, () => BigInt(draw())) });
  return {
    features: { dtype: 'float32', dims: [batch, time, mels], data: Float32Array.from({ length: batch * time * mels }, () => random.normal()) },
    targets: integers([batch, labels], () => 1 + random.integer(tokens - 1)),
    target_lengths: integers([batch], () => labels),
    input_lengths: integers([batch], () => Math.ceil(time / 2)),
  };
}

async function onPyTorch(python: string) {
  const child = spawn(python, [new URL('pytorch.py', import.meta.url).pathname], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.stdin.write(`${JSON.stringify({ ...size, threads })}\n`);
  return {
    step: async () => {
      child.stdin.write('step\n');
      const { value, done } = await lines.next();
      if (done) throw new Error('the PyTorch side ended; see its words above');
      return Number(value);
    },
    end: async () => {
      child.stdin.end();
      await once(child, 'close');
    },
  };
}
