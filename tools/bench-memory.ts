/**
 * Measures the memory that reading a model and writing it again takes at its peak beyond a bare process, as a multiple of
 * the size of the weights: once with all weights in the file, once with external data.
 * Usage: node tools/bench-memory.ts [megabytes = 400] [external megabytes = the same]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asExternal, makeInitializer, makeModel, makeNode, makeValueInfo, withFields, type Model, type Payload, type TensorProto } from '../packages/graph/src/index.ts';
import { readModel, writeModel } from '../packages/graph/src/node/index.ts';

const [job, ...args] = process.argv.slice(2);
const tensorBytes = 8e6;

/** A chain of dense layers whose weights exist only while they are written. */
function generate(megabytes: number, external: boolean): Model {
  const payload: Payload = { byteLength: tensorBytes, bytes: () => new Uint8Array(new Float32Array(tensorBytes / 4).fill(0.01).buffer) };
  const empty = makeInitializer('', 'float32', [0], []);
  const weights = Array.from({ length: Math.round((megabytes * 1e6) / tensorBytes) }, (_, k): TensorProto => {
    const tensor = withFields(empty, { name: `w${k}`, dims: [1000n, BigInt(tensorBytes / 4000)], rawData: undefined });
    return external ? asExternal(tensor, 'weights') : tensor;
  });
  const model = makeModel({
    opset: 17,
    graph: {
      inputs: [makeValueInfo('x', 'float32', [1, 1000])],
      outputs: [makeValueInfo('y0', 'float32', [1, tensorBytes / 4000])],
      nodes: weights.map(({ name }, k) => makeNode({ op: 'MatMul', inputs: ['x', name], outputs: [`y${k}`] })),
      initializers: weights,
    },
  });
  return { ...model, payloads: new Map(weights.map((tensor) => [tensor, payload])) };
}

/** The most memory that this process has held so far, in bytes. */
const peakBytes = (): number => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024;

/** Runs a job in a process of its own. Returns its peak in bytes. */
function peakOf(...job: string[]): number {
  const { status, stdout, stderr } = spawnSync(process.execPath, [import.meta.filename, ...job], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${job.join(' ')} failed:\n${stderr}`);
  return Number(stdout);
}

function compare(): void {
  const sizes = [Number(job ?? 400), Number(args[0] ?? job ?? 400)];
  const folder = mkdtempSync(join(tmpdir(), 'coppice-memory-'));
  try {
    const bare = peakOf('bare');
    console.log(`bare process: ${(bare / 1e6).toFixed(0)} MB`);
    for (const [k, kind] of ['inside', 'external'].entries()) {
      const [source, copy] = [join(folder, `${kind}.onnx`), join(folder, `${kind}-copy.onnx`)];
      peakOf('generate', String(sizes[k]), kind, source);
      const started = performance.now();
      const peak = peakOf('rewrite', source, copy);
      const seconds = (performance.now() - started) / 1000;
      console.log(`weights ${kind}, ${sizes[k]} MB: ${((peak - bare) / 1e6).toFixed(0)} MB more = ${((peak - bare) / (sizes[k] * 1e6)).toFixed(3)} times the weights, ${seconds.toFixed(1)} s`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (job === 'bare') console.log(peakBytes());
else if (job === 'generate') {
  writeModel(generate(Number(args[0]), args[1] === 'external'), args[2]);
  console.log(peakBytes());
} else if (job === 'rewrite') {
  writeModel(readModel(args[0]), args[1]);
  console.log(peakBytes());
} else compare();
