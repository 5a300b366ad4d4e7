import type { Backend, NamedTensors } from '@coppice/core';
import { toFloat32, type Model } from '@coppice/graph';

/** Outputs of a model on some inputs, one session for all. */
export async function outputsOf(model: Model, backend: Backend, inputs: readonly NamedTensors[]): Promise<NamedTensors[]> {
  const executable = await backend.compile(model);
  try {
    const results: NamedTensors[] = [];
    for (const input of inputs) results.push(await executable.run(input));
    return results;
  } finally {
    await executable.dispose();
  }
}

/**
 * How far outputs are from what they should be: the root mean square of the difference over that of what is expected, over all runs
 * together, of the worst output. Infinite where shapes or non-finite elements differ; outputs that are no floats do not count.
 */
export function outputError(got: readonly NamedTensors[], expected: readonly NamedTensors[]): number {
  let worst = 0;
  for (const name of Object.keys(expected[0] ?? {})) {
    let [difference, size] = [0, 0];
    for (const [k, results] of expected.entries()) {
      const [a, b] = [got[k][name], results[name]];
      if (!/^b?float/.test(b.dtype)) continue;
      const [x, y] = [toFloat32(a), toFloat32(b)];
      if (x.length !== y.length) return Infinity;
      for (let i = 0; i < x.length; i++) {
        // Masked scores are infinite in both.
        if (x[i] === y[i]) size += Number.isFinite(y[i]) ? y[i] * y[i] : 0;
        else if (!Number.isFinite(x[i]) || !Number.isFinite(y[i])) return Infinity;
        else {
          difference += (x[i] - y[i]) ** 2;
          size += y[i] * y[i];
        }
      }
    }
    worst = Math.max(worst, difference === 0 ? 0 : Math.sqrt(difference / (size || Number.MIN_VALUE)));
  }
  return worst;
}
