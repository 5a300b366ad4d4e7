import { tokens, type Backend } from '@coppice/core';
import { Container } from 'inversify';
import { expect, it } from 'vitest';
import { chooseBackend, onnxModule } from './index.ts';

it('takes WebAssembly unless told otherwise', () => {
  expect(chooseBackend().name).toBe('onnx:wasm');
  expect(chooseBackend('onnx').name).toBe('onnx:wasm');
  expect(chooseBackend('onnx:native').name).toBe('onnx:native');
});

it('lists the names it knows when it is given another one', () => {
  expect(() => chooseBackend('onnx:gpu' as 'onnx')).toThrow(expect.objectContaining({ code: 'COPPICE_BACKEND_MISSING', message: expect.stringContaining('onnx, onnx:wasm, onnx:native') }));
});

it('binds each backend to its name in a container, once', async () => {
  const container = new Container();
  await container.load(onnxModule);
  for (const name of ['onnx:wasm', 'onnx:native']) {
    const backend = container.get<Backend>(tokens.Backend, { name });
    expect(backend.name).toBe(name);
    expect(container.get<Backend>(tokens.Backend, { name })).toBe(backend);
  }
  expect(container.get<Backend>(tokens.Backend, { name: 'onnx' }).name).toBe('onnx:wasm');
});
