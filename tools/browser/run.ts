/**
 * Tries backends in a real browser: builds the page, serves it, opens it in headless Chromium once for each backend and collects what it
 * found. The graphics drivers are software ones, so that this says what is right, not what is fast.
 * Usage: node tools/browser/run.ts [--backend onnx:wasm,tfjs:webgl] [--chromium /usr/bin/chromium] [--out docs/results/browser-backends.md]
 * Ends with 1 when a backend has a finding.
 */
import { createServer, type Server } from 'node:http';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, extname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { build } from 'vite';
import type { PageReport } from './page-report.ts';

const { values } = parseArgs({ options: {
  backend: { type: 'string', default: 'onnx:wasm,tfjs:cpu,tfjs:wasm,tfjs:webgl,tfjs:webgpu' }, chromium: { type: 'string', default: '/usr/bin/chromium' }, out: { type: 'string' }, picture: { type: 'string' }, timeout: { type: 'string', default: '600' },
} });

const folder = mkdtempSync(join(tmpdir(), 'coppice-browser-'));
const site = join(folder, 'site');
await build({ root: import.meta.dirname, logLevel: 'error', build: { outDir: site, emptyOutDir: true, minify: false, target: 'esnext', chunkSizeWarningLimit: 1e6 }, worker: { format: 'es' } });
const wasmFolder = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));
mkdirSync(join(site, 'wasm'), { recursive: true });
for (const file of ['tfjs-backend-wasm.wasm', 'tfjs-backend-wasm-simd.wasm', 'tfjs-backend-wasm-threaded-simd.wasm']) copyFileSync(join(wasmFolder, file), join(site, 'wasm', file));

const { server, port } = await serve(site);
const browser = await chromium.launch({
  executablePath: values.chromium,
  args: ['--headless=new', '--no-sandbox', '--no-first-run', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--enable-unsafe-webgpu', '--enable-features=Vulkan'],
});
const reports: { readonly name: string; readonly report: PageReport; readonly seconds: number }[] = [];
try {
  for (const name of values.backend.split(',')) {
    const start = performance.now();
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    await page.goto(`http://127.0.0.1:${port}/?backend=${encodeURIComponent(name)}`);
    const report: PageReport = await page.waitForFunction(() => globalThis.coppiceReport, undefined, { timeout: 1000 * Number(values.timeout) })
      .then((handle) => handle.jsonValue() as Promise<PageReport>, (error: unknown) => ({ error: [String(error), ...problems].join('; ') }));
    const seconds = (performance.now() - start) / 1000;
    reports.push({ name, report, seconds });
    console.log(`${name}: ${inWords(report)}, ${seconds.toFixed(0)} s`);
    for (const { family, title, kind, message } of report.findings ?? []) console.log(`  ${family}, ${title}: ${kind}: ${message.split('\n')[0].slice(0, 200)}`);
    if (values.picture) await page.screenshot({ path: values.picture.replace('%', name.replace(':', '-')), fullPage: true });
    await page.close();
  }
  if (values.out) writeFileSync(values.out, pageOf(browser.version()));
} finally {
  await browser.close();
  server.close();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = reports.some(({ report }) => report.error || report.findings?.length) ? 1 : 0;

function inWords({ info, claims, findings, error }: PageReport): string {
  return error ? `does not run: ${error.split('\n')[0]}` : `${claims} claims, ${findings!.length === 0 ? 'no finding' : `${findings!.length} findings`} (${info!.device})`;
}

function pageOf(version: string): string {
  return `# Backends in a browser

\`checkBackend\` of the testkit (the contract of a backend, and small graphs of each family of operators against float64) in headless Chromium ${version}, drivers of graphics in software (SwiftShader): right or wrong, not fast or slow.

\`\`\`sh
node tools/browser/run.ts --out docs/results/browser-backends.md
\`\`\`

| backend | device | claims | findings | time, page load included |
|---|---|---|---|---|
${reports.map(({ name, report: { info, claims, findings, error }, seconds }) => `| ${name} | ${info?.device ?? ''} | ${claims ?? ''} | ${error ? `does not run: ${error.split('\n')[0].replaceAll('|', '/')}` : findings!.length} | ${seconds.toFixed(0)} s |`).join('\n')}
${reports.some(({ report }) => report.findings?.length) ? `\n${reports.flatMap(({ name, report }) => (report.findings ?? []).map(({ family, title, kind, message }) => `- ${name}, ${family}, ${title}: ${kind}: ${message.split('\n')[0].slice(0, 240)}`)).join('\n')}\n` : ''}`;
}

/** Serves a folder to this machine alone. Cross-origin isolated, because threads of WebAssembly need that. */
function serve(root: string): Promise<{ server: Server; port: number }> {
  const types: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm', '.css': 'text/css' };
  const server = createServer((request, response) => {
    const path = resolve(root, `.${decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname)}`);
    const file = path === root ? join(root, 'index.html') : path;
    if (!file.startsWith(root) || !statSync(file, { throwIfNoEntry: false })?.isFile()) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream', 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' }).end(readFileSync(file));
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done({ server, port: (server.address() as { port: number }).port })));
}
