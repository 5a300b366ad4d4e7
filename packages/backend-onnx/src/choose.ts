import type { Backend } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import { nativeBackend } from './native.ts';
import { wasmBackend } from './wasm.ts';

/** The two builds of ONNX Runtime. */
export type OnnxBackendName = 'onnx:wasm' | 'onnx:native';

const backends: Readonly<Record<OnnxBackendName | 'onnx', () => Backend>> = { onnx: wasmBackend, 'onnx:wasm': wasmBackend, 'onnx:native': nativeBackend };

/**
 * A backend by its name. `onnx` is WebAssembly, which is present everywhere and agrees between machines.
 * @throws CoppiceError `COPPICE_BACKEND_MISSING` for a name that is not one of these; whether the runtime itself is
 * installed shows at `info` and `compile`
 */
export function chooseBackend(name: OnnxBackendName | 'onnx' = 'onnx'): Backend {
  if (!Object.hasOwn(backends, name)) {
    throw new CoppiceError('COPPICE_BACKEND_MISSING', `There is no backend '${name}' here. Choose one of ${Object.keys(backends).join(', ')}.`);
  }
  return backends[name]();
}
