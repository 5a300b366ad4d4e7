/**
 * What loading a model and running it once takes at most in memory, beyond the process with the runtime loaded: each in a process of its own.
 * Usage: node tools/bench-loading.ts original.onnx slim.onnx … [--backend onnx|onnx:native] [--frames 300] [--rounds 3]
 * Models are those of `buildReferenceModel`: `features` [batch, time, 40].
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { nativeBackend, wasmBackend } from '@coppice/backend-onnx';
import { makeGraph, makeModel, makeNode, makeValueInfo } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';

const { positionals: models, values } = parseArgs({ allowPositionals: true, options: { backend: { type: 'string', default: 'onnx' }, frames: { type: 'string', default: '300' }, rounds: { type: 'string', default: '3' }, measure: { type: 'boolean', default: false } } });
if (models.length === 0) throw new Error('Say which models: node tools/bench-loading.ts original.onnx slim.onnx');

const frames = Number(values.frames);

/** High-water mark of the resident set, bytes. */
const peak = (): number => Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024;

async function measure(path: string): Promise<number> {
  const backend = values.backend === 'onnx' ? wasmBackend() : nativeBackend();
  const identity = makeModel({ opset: 17, graph: makeGraph({ inputs: [makeValueInfo('x', 'float32', [1])], outputs: [makeValueInfo('y', 'float32', [1])], nodes: [makeNode({ op: 'Identity', inputs: ['x'], outputs: ['y'] })] }) });
  await (await backend.compile(identity)).run({ x: { dtype: 'float32', dims: [1], data: new Float32Array(1) } });
  const before = peak();
  const executable = await backend.compile(readModel(path), { optimise: 'all' });
  await executable.run({ features: { dtype: 'float32', dims: [1, frames, 40], data: new Float32Array(40 * frames) } });
  return peak() - before;
}

if (values.measure) console.log(await measure(models[0]));
else {
  for (const path of models) {
    const peaks = Array.from({ length: Number(values.rounds) }, () => {
      const { stdout, stderr, status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), path, '--measure', '--backend', values.backend, '--frames', values.frames], { encoding: 'utf8' });
      if (status !== 0) throw new Error(stderr);
      return Number(stdout);
    }).toSorted((a, b) => a - b);
    const [bytes, median] = [statSync(path).size, peaks[Math.floor(peaks.length / 2)]];
    console.log(`${path}: file ${(bytes / 1e6).toFixed(2)} MB, at most ${(median / 1e6).toFixed(1)} MB more memory, ${(median / bytes).toFixed(1)} times the file`);
  }
}
