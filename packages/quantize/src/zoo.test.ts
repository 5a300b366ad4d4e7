import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { nativeBackend, wasmBackend } from '@coppice/backend-onnx';
import { traceModel } from '@coppice/core';
import { checkModel, graphOf } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { describe, expect, it } from 'vitest';
import { outputError, outputsOf } from './choose/compare.ts';
import { quantize } from './quantize.ts';

const native = nativeBackend();
const hasNative = await native.info().then(() => true, () => false);
const backend = hasNative ? native : wasmBackend();
const modes = ['int8-static', 'int8-dynamic', 'weight-int8', 'weight-int4'] as const;
const shared = new URL('../../../../shared/', import.meta.url);
const has = existsSync(new URL('zoo/', shared));

const zoo = has ? ['zoo/01_ds2_gru', 'zoo/09_dscnn_kws_dynamo', 'zoo/12a_rnnt_prediction', 'zoo/19_xvector_external', 'models/honk_kws'].filter((file) => readdirSync(new URL(`${file.split('/')[0]}/`, shared)).includes(`${file.split('/')[1]}.onnx`)) : [];

describe.skipIf(zoo.length === 0)('real exports (needs ../shared beside the repository)', () => {
  for (const file of zoo) it(`${file} quantises in every mode with a small error`, async () => {
    const model = readModel(fileURLToPath(new URL(`${file}.onnx`, shared)));
    const trace = await traceModel(model, backend);
    const inputs = trace.runs.map((r) => r.inputs);
    const expected = await outputsOf(model, backend, inputs);
    for (const mode of modes) {
      const { model: small, table } = await quantize(model, backend, async function* () { yield* inputs; }, { mode });
      checkModel(small);
      expect(outputError(await outputsOf(small, backend, inputs), expected), mode).toBeLessThan(mode === 'weight-int4' ? 0.5 : 0.1);
      expect(table.every(({ why }) => why.length > 10)).toBe(true);
      expect(graphOf(small).output).toEqual(graphOf(model).output);
    }
  });
});
