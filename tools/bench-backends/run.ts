/**
 * Inference and one training step of the reference model and of a small encoder in the manner of wav2vec 2.0, on every backend, in turns in
 * one process.
 * Usage: node tools/bench-backends/run.ts [--backend onnx:native,onnx:wasm,tfjs:wasm] [--rounds 10] [--threads 1] [--out docs/results/backends.md]
 */
import { adam, trainableParameters, trainingStep } from '@coppice/autodiff';
import { backendNamed, createContainer } from '@coppice/cli';
import { createRandom, traceModel, type Backend, type NamedTensors } from '@coppice/core';
import type { Model, Tensor } from '@coppice/graph';
import { buildReferenceModel, ctcLossGraph } from '@coppice/speech';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { buildSmallEncoder, framesOf } from './small-encoder.ts';

const { values } = parseArgs({ options: {
  backend: { type: 'string', default: 'onnx:native,onnx:wasm,tfjs:wasm' }, rounds: { type: 'string', default: '10' }, threads: { type: 'string', default: '1' }, out: { type: 'string' },
} });
const threads = Number(values.threads);
const random = createRandom('bench-backends');
const floats = (dims: readonly number[]): Tensor => ({ dtype: 'float32', dims, data: Float32Array.from({ length: dims.reduce((p, n) => p * n, 1) }, () => random.normal()) });
const integers = (dims: readonly number[], draw: () => number): Tensor => ({ dtype: 'int64', dims, data: BigInt64Array.from({ length: dims.reduce((p, n) => p * n, 1) }, () => BigInt(draw())) });
const scalar = (value: number): Tensor => ({ dtype: 'float32', dims: [], data: Float32Array.of(value) });
const labels = (batch: number, length: number, frames: number, tokens: number): NamedTensors => ({
  targets: integers([batch, length], () => 1 + random.integer(tokens - 1)), target_lengths: integers([batch], () => length), input_lengths: integers([batch], () => frames),
});

interface Task {
  readonly name: string;
  readonly model: Model;
  readonly one: NamedTensors;
  readonly batch: NamedTensors;
}

const tasks: readonly Task[] = [
  { name: 'reference CNN+RNN (3 × BiGRU 128)', model: buildReferenceModel({ tokens: 29 }), one: { features: floats([1, 300, 40]) }, batch: { features: floats([8, 200, 40]), ...labels(8, 15, 100, 29) } },
  { name: 'small wav2vec2-like encoder (width 96, 3 layers)', model: buildSmallEncoder(), one: { waveform: floats([1, 1, 48000]) }, batch: { waveform: floats([4, 1, 32000]), ...labels(4, 15, framesOf(32000), 32) } },
];

interface Contender {
  readonly run: () => Promise<void>;
  readonly end: () => Promise<void>;
  readonly times: number[];
}

const container = createContainer();
const backends = values.backend.split(',').map((name): Backend => backendNamed(container, name));
const tracer = backendNamed(container, 'onnx:native');
const rows: { readonly name: string; readonly medians: readonly number[] }[] = [];
for (const { name, model, one, batch } of tasks) {
  await compare(`${name}, inference, batch 1, 3 s`, async (backend) => {
    const executable = await backend.compile(model, { optimise: 'all', threads });
    return { run: async () => void (await executable.run(one)), end: () => executable.dispose(), times: [] };
  });
  const trace = await traceModel(model, tracer);
  const step = trainingStep(trace, { loss: ctcLossGraph({ output: 'log_probs' }), parameters: trainableParameters(trace), optimizer: adam() });
  await compare(`${name}, training step, batch of 2 s`, async (backend) => {
    const executable = await backend.compile(step.model, { optimise: 'all', threads });
    let carried = step.initial;
    let count = 0;
    return {
      async run() {
        const results = await executable.run({ ...batch, ...carried, [step.inputs.learningRate]: scalar(1e-3), [step.inputs.step]: scalar(++count) });
        carried = Object.fromEntries([...step.carried].map(([before, after]) => [before, results[after]]));
      },
      end: () => executable.dispose(), times: [],
    };
  });
}

async function compare(name: string, make: (backend: Backend) => Promise<Contender>): Promise<void> {
  const contenders: Contender[] = [];
  for (const backend of backends) contenders.push(await make(backend));
  for (let round = -2; round < Number(values.rounds); round++) {
    for (let k = 0; k < contenders.length; k++) {
      const { run, times } = contenders[(k + round + 2) % contenders.length];
      const start = performance.now();
      await run();
      if (round >= 0) times.push(performance.now() - start);
    }
  }
  for (const { end } of contenders) await end();
  const medians = contenders.map(({ times }) => times.toSorted((a, b) => a - b)[times.length >> 1]);
  rows.push({ name, medians });
  console.log(`${name}: ${medians.map((ms, k) => `${backends[k].name} ${ms.toFixed(1)} ms`).join(', ')}`);
}

if (values.out) {
  const infos = await Promise.all(backends.map((backend) => backend.info()));
  writeFileSync(values.out, `# Backends side by side

Median time in ms of ${values.rounds} runs in turns in one process, ${threads} thread${threads === 1 ? '' : 's'}; in brackets, of the first column.

\`\`\`sh
node tools/bench-backends/run.ts ${process.argv.slice(2).join(' ')}
\`\`\`

| | ${backends.map(({ name }, k) => `${name} ${infos[k].version}`).join(' | ')} |
|---|${backends.map(() => '---:|').join('')}
${rows.map(({ name, medians }) => `| ${name} | ${medians.map((ms, k) => `${ms.toFixed(1)}${k === 0 ? '' : ` (${(ms / medians[0]).toFixed(2)})`}`).join(' | ')} |`).join('\n')}
`);
}
process.exit(0);
