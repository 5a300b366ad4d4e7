import { tokens, type Backend } from '@coppice/core';
import { Container } from 'inversify';
import { describe, expect, it } from 'vitest';
import { importFault, missingEngine } from './engines.ts';
import { chooseTfjsBackend, engineNames, tfjsBackend, tfjsEngines, tfjsModule } from './index.ts';

it('states the order in which engines are tried', () => {
  expect(engineNames).toEqual(['node-gpu', 'node', 'webgpu', 'webgl', 'wasm', 'cpu']);
});

it('chooses an engine by its name, and lists the names it knows', () => {
  expect(chooseTfjsBackend('tfjs:wasm').name).toBe('tfjs:wasm');
  expect(() => chooseTfjsBackend('tfjs:cuda' as 'tfjs')).toThrow(expect.objectContaining({ code: 'COPPICE_BACKEND_MISSING', message: expect.stringContaining('tfjs, tfjs:node-gpu, tfjs:node, tfjs:webgpu, tfjs:webgl, tfjs:wasm, tfjs:cpu') }));
});

it('takes the best engine that is there for plain tfjs, and bears its name from then on', async () => {
  const reports = await tfjsEngines();
  const best = reports.find(({ state }) => state === 'present')!;
  const backend = chooseTfjsBackend();
  expect(backend.name).toBe('tfjs');
  await backend.info();
  expect(backend.name).toBe(best.name);
});

it('reports every engine, with what mends those that are not there', async () => {
  const reports = await tfjsEngines();
  expect(reports.map(({ name }) => name)).toEqual(engineNames.map((name) => `tfjs:${name}`));
  for (const report of reports) expect(report).toEqual(report.state === 'present' ? expect.objectContaining({ version: '4.22.0', device: expect.any(String), threads: expect.any(Number) }) : expect.objectContaining({ problem: expect.any(String), fix: expect.any(String) }));
  expect(reports.filter(({ name }) => ['tfjs:wasm', 'tfjs:cpu'].includes(name)).map(({ state }) => state)).toEqual(['present', 'present']);
  // Node has neither.
  for (const name of ['tfjs:webgpu', 'tfjs:webgl']) expect(reports.find((report) => report.name === name)).toMatchObject({ state: 'missing' });
});

it('binds each engine to its name in a container, once', async () => {
  const container = new Container();
  await container.load(tfjsModule);
  for (const engine of engineNames) {
    const backend = container.get<Backend>(tokens.Backend, { name: `tfjs:${engine}` });
    expect(backend.name).toBe(`tfjs:${engine}`);
    expect(container.get<Backend>(tokens.Backend, { name: `tfjs:${engine}` })).toBe(backend);
  }
});

describe('an engine that cannot be loaded', () => {
  it('is absent when Node finds no package of that name', async () => {
    const name = '@tensorflow/tfjs-node-that-is-not-there';
    const cause = await import(/* @vite-ignore */ name).catch((error: unknown) => error);
    expect(importFault(name, cause)).toMatchObject({ state: 'missing', fix: `pnpm add ${name}@4.22.0` });
  });

  it('is broken when a part of it is not there', () => {
    const cause = Object.assign(new Error("Cannot find module '@mapbox/node-pre-gyp'\nRequire stack: /x"), { code: 'MODULE_NOT_FOUND' });
    expect(importFault('@tensorflow/tfjs-node', cause)).toMatchObject({ state: 'broken', message: expect.stringContaining("does not load: Cannot find module '@mapbox/node-pre-gyp'") });
  });

  it('is told to run its build script when only its binding is missing', () => {
    const cause = new Error('The Node.js native addon module (tfjs_binding.node) can not be found at path: /x/lib/napi-v8/tfjs_binding.node. \nPlease run command …');
    expect(importFault('@tensorflow/tfjs-node-gpu', cause)).toMatchObject({ state: 'broken', message: expect.stringContaining('tfjs_binding.node'), fix: expect.stringContaining('pnpm rebuild @tensorflow/tfjs-node-gpu') });
  });

  it('says what was looked for and what mends it', async () => {
    const fault = importFault('@tensorflow/tfjs-node', Object.assign(new Error("Cannot find package '@tensorflow/tfjs-node' imported from /x"), { code: 'ERR_MODULE_NOT_FOUND' }));
    expect(missingEngine('node', fault)).toMatchObject({
      code: 'COPPICE_BACKEND_MISSING',
      message: 'tfjs:node cannot run: the package @tensorflow/tfjs-node is not installed. To mend it: pnpm add @tensorflow/tfjs-node@4.22.0. Or use tfjs:wasm, which needs nothing.',
    });
    await expect(tfjsBackend({ engine: 'webgl' }).info()).rejects.toMatchObject({ code: 'COPPICE_BACKEND_MISSING', message: expect.stringContaining('no WebGL') });
  });
});
