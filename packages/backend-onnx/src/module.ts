import { tokens, type Backend } from '@coppice/core';
import { ContainerModule } from 'inversify';
import { nativeBackend } from './native.ts';
import { wasmBackend } from './wasm.ts';

/** Binds both builds of ONNX Runtime to `tokens.Backend` under their names, and WebAssembly once more as plain `onnx`. */
export const onnxModule = new ContainerModule(({ bind }) => {
  bind<Backend>(tokens.Backend).toDynamicValue(() => wasmBackend()).inSingletonScope().whenNamed('onnx');
  bind<Backend>(tokens.Backend).toDynamicValue(() => wasmBackend()).inSingletonScope().whenNamed('onnx:wasm');
  bind<Backend>(tokens.Backend).toDynamicValue(() => nativeBackend()).inSingletonScope().whenNamed('onnx:native');
});
