import type { Backend } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import { tfjsBackend } from './backend.ts';
import { engineNames, type EngineName } from './engines.ts';

/** TensorFlow.js on one engine. */
export type TfjsBackendName = `tfjs:${EngineName}`;

/**
 * A backend by its name. `tfjs` is the best engine that is there: node-gpu, node, webgpu, webgl, wasm, cpu, in this order.
 * @throws CoppiceError `COPPICE_BACKEND_MISSING` for a name that is not one of these; whether the engine itself is installed shows at
 * `info` and `compile`
 */
export function chooseTfjsBackend(name: TfjsBackendName | 'tfjs' = 'tfjs'): Backend {
  if (name === 'tfjs') return tfjsBackend();
  const engine = engineNames.find((known) => name === `tfjs:${known}`);
  if (!engine) throw new CoppiceError('COPPICE_BACKEND_MISSING', `There is no backend '${name}' here. Choose one of tfjs, ${engineNames.map((known) => `tfjs:${known}`).join(', ')}.`);
  return tfjsBackend({ engine });
}
