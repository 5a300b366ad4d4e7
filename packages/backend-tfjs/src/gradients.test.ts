import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { differentiate, trainableParameters } from '@coppice/autodiff';
import { nativeBackend } from '@coppice/backend-onnx';
import { createRandom, gradientName, traceModel, type Loss, type NamedTensors } from '@coppice/core';
import { graphOf, makeModel, makeNode, makeValueInfo, toFloat32, upgradeModel } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { tfjsBackend } from './index.ts';

const oracle = nativeBackend();
const hasNative = await oracle.info().then(() => true, () => false);
// Beside the repository where the project's shared material is present; skipped, visibly, elsewhere.
const shared = new URL('../../../../shared/zoo/', import.meta.url);
const files = existsSync(shared) ? readdirSync(shared).filter((file) => file.endsWith('.onnx')) : [];

/** No gradient goes through rounding, and no training through half floats. */
const WITHOUT_GRADIENT = /^(16a|16b|20a|20b)/;

/** Σ r·y over all float outputs, for r that are fed. */
function dotLoss(outputs: readonly string[]): Loss {
  const graph = makeModel({ opset: 21, graph: {
    inputs: outputs.flatMap((y) => [makeValueInfo(y, 'float32'), makeValueInfo(`r:${y}`, 'float32')]),
    outputs: [makeValueInfo('loss', 'float32', []), ...outputs.map((y) => makeValueInfo(gradientName(y), 'float32'))],
    nodes: [...outputs.flatMap((y) => [
      makeNode({ op: 'Mul', inputs: [y, `r:${y}`], outputs: [`p:${y}`] }),
      makeNode({ op: 'ReduceSum', inputs: [`p:${y}`], outputs: [`s:${y}`], attributes: { keepdims: 0 } }),
      makeNode({ op: 'Identity', inputs: [`r:${y}`], outputs: [gradientName(y)] }),
    ]), makeNode({ op: 'Sum', inputs: outputs.map((y) => `s:${y}`), outputs: ['loss'] })],
  } });
  return { name: 'dot', reads: outputs, labels: outputs.map((y) => `r:${y}`), graph };
}

describe.skipIf(files.length === 0 || !hasNative)('tfjs:wasm gives the gradients that ONNX Runtime gives, and keeps no tensor, for', () => {
  it.each(files.filter((file) => !WITHOUT_GRADIENT.test(file)))('%s', async (file) => {
    const model = upgradeModel(readModel(fileURLToPath(new URL(file, shared))));
    const trace = await traceModel(model, oracle);
    const parameters = trainableParameters(trace);
    const { inputs } = trace.runs[0];
    const forward = await oracle.compile(model);
    const results = await forward.run(inputs);
    await forward.dispose();
    const outputs = graphOf(model).output.map(({ name }) => name).filter((name) => results[name].dtype === 'float32');
    const random = createRandom(file);
    const labels: NamedTensors = Object.fromEntries(outputs.map((name) => [`r:${name}`, { ...results[name], data: Float32Array.from({ length: results[name].data.length }, () => random.normal()) }]));
    const made = differentiate(trace, { loss: dotLoss(outputs), parameters, training: false });
    const [expected, executable] = [await oracle.compile(made.model), await tfjsBackend({ engine: 'wasm' }).compile(made.model)];
    const wanted = [...made.gradients.values()];
    const [want, have] = [await expected.run({ ...inputs, ...labels }, wanted), await executable.run({ ...inputs, ...labels }, wanted)];
    const { numTensors } = tf.memory();
    await executable.run({ ...inputs, ...labels }, wanted);
    expect(tf.memory().numTensors).toBe(numTensors);
    for (const [name, output] of made.gradients) {
      const [a, b] = [toFloat32(want[output]), toFloat32(have[output])];
      const length = (of: (k: number) => number): number => Math.sqrt(a.reduce((sum, _, k) => sum + of(k) ** 2, 0));
      expect(have[output].dims, name).toEqual(want[output].dims);
      expect(length((k) => a[k] - b[k]), name).toBeLessThan(1e-4 + 2e-4 * length((k) => a[k]));
    }
    await Promise.all([expected.dispose(), executable.dispose()]);
  });
});
