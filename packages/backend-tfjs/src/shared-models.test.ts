import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { nativeBackend } from '@coppice/backend-onnx';
import { traceModel } from '@coppice/core';
import { toFloat32, type Tensor } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { describe, expect, it } from 'vitest';
import { tfjsBackend } from './index.ts';

const oracle = nativeBackend();
const hasNative = await oracle.info().then(() => true, () => false);
// Beside the repository where the project's shared material is present; skipped, visibly, elsewhere.
const shared = new URL('../../../../shared/', import.meta.url);
const files = ['models/', 'zoo/'].flatMap((folder) => (existsSync(new URL(folder, shared)) ? readdirSync(new URL(folder, shared)).filter((file) => file.endsWith('.onnx')).map((file) => folder + file) : []));

/**
 * Half floats keep eleven bits, and the two backends round at different steps; where a number is quantised, the last bit of a float can move it
 * by one of 255; the outputs of the third are near 0.
 */
const TOLERANCE: Readonly<Record<string, number>> = { 'zoo/20a_tdnn_unilstm_fp16.onnx': 2e-3, 'zoo/16a_crnn_int8_qdq.onnx': 2e-2, 'zoo/16b_lstm_dynamic_quant.onnx': 2e-2, 'models/silero_vad_16k.onnx': 5e-4 };

/** The largest difference, relative to the largest number. */
function distance(have: Tensor, want: Tensor): number {
  const [a, b] = [toFloat32(have), toFloat32(want)];
  let [most, wrong] = [1e-3, 0];
  for (let k = 0; k < b.length; k++) {
    most = Math.max(most, Math.abs(b[k]));
    wrong = Math.max(wrong, Object.is(a[k], b[k]) ? 0 : Math.abs(a[k] - b[k]));
    if (Number.isNaN(a[k]) !== Number.isNaN(b[k])) return Infinity;
  }
  return wrong / most;
}

describe.skipIf(files.length === 0 || !hasNative)('tfjs:wasm agrees with ONNX Runtime, at two sizes, on', () => {
  it.each(files)('%s', async (file) => {
    const model = readModel(fileURLToPath(new URL(file, shared)));
    const { runs } = await traceModel(model, oracle);
    const [expected, executable] = [await oracle.compile(model), await tfjsBackend({ engine: 'wasm' }).compile(model)];
    for (const { inputs } of runs) {
      const [want, have] = [await expected.run(inputs), await executable.run(inputs)];
      for (const [name, tensor] of Object.entries(want)) {
        expect(`${name} ${have[name].dtype}[${have[name].dims.join()}]`).toBe(`${name} ${tensor.dtype}[${tensor.dims.join()}]`);
        expect(distance(have[name], tensor), name).toBeLessThan(TOLERANCE[file] ?? 5e-5);
      }
    }
    await Promise.all([expected.dispose(), executable.dispose()]);
  });
});
