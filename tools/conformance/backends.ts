import type { Backend } from '@coppice/core';
import { eagerBackend, lifting } from '@coppice/testkit';

/** What can be run against the official tests, by the name that `--backend` takes. Loaded when it is asked for. */
export const backends: Readonly<Record<string, () => Promise<Backend>>> = {
  'onnx:native': async () => (await import('@coppice/backend-onnx')).nativeBackend(),
  'onnx:wasm': async () => (await import('@coppice/backend-onnx')).wasmBackend(),
  'tfjs:wasm': async () => (await import('@coppice/backend-tfjs')).chooseTfjsBackend('tfjs:wasm'),
  'tfjs:cpu': async () => (await import('@coppice/backend-tfjs')).chooseTfjsBackend('tfjs:cpu'),
  'tfjs:node': async () => (await import('@coppice/backend-tfjs')).chooseTfjsBackend('tfjs:node'),
  'tfjs:node-gpu': async () => (await import('@coppice/backend-tfjs')).chooseTfjsBackend('tfjs:node-gpu'),
};

/** Pieces of Coppice that the same tests are an oracle for; operators of our scope may be missing in them. */
export const oracles: Readonly<Record<string, () => Promise<Backend>>> = {
  'onnx:native, lifted': async () => lifting(await backends['onnx:native']()),
  eager: async () => eagerBackend(),
};
