export { chooseBackend, type OnnxBackendName } from './choose.ts';
export { isolated, type IsolatedExecutable, type IsolationOptions } from './isolated.ts';
export { onnxModule } from './module.ts';
export { nativeBackend } from './native.ts';
export { wasmBackend, type WasmOptions } from './wasm.ts';
