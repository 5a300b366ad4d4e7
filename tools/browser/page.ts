/** Runs in the browser: tries every claim of the testkit on the backend that the address names, and shows what came out. */
import { wasmBackend } from '@coppice/backend-onnx';
import { tfjsBackend, type EngineName } from '@coppice/backend-tfjs';
import type { Backend } from '@coppice/core';
import { checkBackend, countClaims } from '@coppice/testkit/backend';
import { memory } from '@tensorflow/tfjs-core';
import type { PageReport } from './page-report.ts';

const name = new URL(location.href).searchParams.get('backend') ?? 'onnx:wasm';
const show = (id: string, text: string): void => { document.getElementById(id)!.textContent = text; };

async function examine(): Promise<PageReport> {
  const tfjs = name.startsWith('tfjs');
  const backend: Backend = tfjs ? tfjsBackend({ engine: name.slice('tfjs:'.length) as EngineName, wasmFiles: '/wasm/' }) : wasmBackend();
  show('state', `${name} is being tried`);
  const info = await backend.info();
  const options = tfjs ? { memory: () => memory().numTensors } : {};
  const start = performance.now();
  const findings = await checkBackend(backend, options);
  show('state', `${name}: ${countClaims(backend, options)} claims tried in ${((performance.now() - start) / 1000).toFixed(1)} s, ${findings.length} findings`);
  return { info, claims: countClaims(backend, options), findings };
}

try {
  const report = await examine();
  for (const { family, title, kind, message } of report.findings ?? []) {
    const row = document.getElementById('findings')!.appendChild(document.createElement('tr'));
    for (const text of [family, title, kind, message]) row.appendChild(document.createElement('td')).textContent = text;
  }
  globalThis.coppiceReport = report;
} catch (error) {
  show('state', String(error));
  globalThis.coppiceReport = { error: String(error) };
}
