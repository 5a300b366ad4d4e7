/** Becomes `worker.js`: features, runtime and decoder, away from the page's own thread. */
import { checkFiles, checkGolden, recogniseClip, tinyModel, transcribeWith, type BundleManifest, type Finding, type OnnxRuntime, type OnnxSession, type Verification } from '@coppice/exporter-edge/runtime';
import { download } from './download.ts';
import type { Message, OpenOptions, Opened, Provider, Request, Transcribed, Which } from './protocol.ts';

interface Ready {
  readonly manifest: BundleManifest;
  readonly runtime: OnnxRuntime;
  readonly session: OnnxSession;
}

/** Builds of the runtime; their WebAssembly is compressed, whatever the server does. */
const builds = {
  wasm: { script: 'runtime/ort.wasm.min.mjs', glue: 'runtime/ort-wasm-simd-threaded.mjs', wasm: 'runtime/ort-wasm-simd-threaded.wasm.packed' },
  webgpu: { script: 'runtime/ort.webgpu.min.mjs', glue: 'runtime/ort-wasm-simd-threaded.asyncify.mjs', wasm: 'runtime/ort-wasm-simd-threaded.asyncify.wasm.packed' },
} as const satisfies Record<Provider, object>;
const models = new Map<Which, Ready>();
let manifest: Promise<BundleManifest> | undefined;
let runtime: Promise<{ runtime: OnnxRuntime; provider: Provider; threads: number; bytes: number; milliseconds: number }> | undefined;
// The runtime keeps its arguments on one stack, so one call at a time.
let turn: Promise<unknown> = Promise.resolve();

const worker = globalThis as unknown as { postMessage(message: Message, transfer: readonly Transferable[]): void };
const post = (message: Message): void => worker.postMessage(message, []);

globalThis.addEventListener('message', ({ data }: MessageEvent<Request>) => {
  turn = turn.then(async () => {
    try {
      post({ id: data.id, result: await answer(data) });
    } catch (error) {
      post({ id: data.id, error: error instanceof Error ? error.message : String(error) });
    }
  });
});

function answer(request: Request): Promise<Opened | Transcribed | Verification | undefined> {
  if (request.do === 'open') return open(request.which, request.options);
  if (request.do === 'verify') return verify(request.options);
  if (request.do === 'close') return close(request.which);
  return transcribe(request);
}

async function open(which: Which, options: OpenOptions): Promise<Opened> {
  const loaded = await loadManifest(options.base);
  const entry = which === 'slim' ? loaded.model : loaded.original;
  if (entry === undefined) throw new Error('This bundle does not carry the original model.');
  const started = await startRuntime(loaded, options);
  const start = performance.now();
  const { bytes, cached } = await download(entry, options.base, (progress) => post({ progress }));
  const downloaded = performance.now();
  await close(which);
  const session = await started.runtime.InferenceSession.create(bytes, { executionProviders: [started.provider], logSeverityLevel: 4 });
  for (const [kind, name, names] of [['input', loaded.speech.input, session.inputNames], ['output', loaded.speech.output, session.outputNames]] as const) {
    if (!names.includes(name)) throw new Error(`The manifest is stale: it names the ${kind} '${name}', and the model has ${names.map((each) => `'${each}'`).join(', ')}.`);
  }
  // The first run allocates; whoever speaks first should not wait for that.
  await recogniseClip(started.runtime, session, loaded, { samples: Float32Array.from({ length: loaded.speech.features.sampleRateHz }, (_, n) => 0.01 * Math.sin(n)), sampleRateHz: loaded.speech.features.sampleRateHz });
  models.set(which, { manifest: loaded, runtime: started.runtime, session });
  return {
    manifest: loaded, bytes: entry.bytes, cached, threads: started.threads, provider: started.provider, downloadMs: downloaded - start, sessionMs: performance.now() - downloaded,
    runtimeMs: started.milliseconds, runtimeBytes: started.bytes,
  };
}

async function transcribe({ which, samples, sampleRateHz }: Extract<Request, { do: 'transcribe' }>): Promise<Transcribed> {
  const ready = models.get(which);
  if (ready === undefined) throw new Error('The model is not open.');
  return transcribeWith((audio) => recogniseClip(ready.runtime, ready.session, ready.manifest, audio), ready.manifest, { samples, sampleRateHz });
}

/** The same check as `coppice bundle verify`, here. */
async function verify(options: OpenOptions): Promise<Verification> {
  const loaded = await loadManifest(options.base);
  const read = async (path: string): Promise<Uint8Array | undefined> => {
    const response = await fetch(new URL(path, options.base)).catch(() => undefined);
    return response?.ok ? new Uint8Array(await response.arrayBuffer()) : undefined;
  };
  // Some hosts keep files for themselves.
  const findings: Finding[] = await checkFiles(loaded.files.filter(({ path }) => path !== '_headers'), read);
  if (findings.length > 0) return { clips: 0, findings, notes: [] };
  try {
    const opened = await open('slim', options);
    const ready = models.get('slim')!;
    const { versions } = ready.runtime.env;
    const golden = await checkGolden({ manifest: loaded, read, recognise: (audio) => recogniseClip(ready.runtime, ready.session, loaded, audio) });
    return { ...golden, ranOn: `onnxruntime-web ${versions.web ?? versions.common} ${opened.provider === 'webgpu' ? 'on WebGPU' : `with ${opened.threads} thread${opened.threads === 1 ? '' : 's'}`} in ${navigator.userAgent.replace(/^.*?((?:Headless)?Chrome|Firefox|Version)\//, '$1/')}`, notes: [] };
  } catch (error) {
    return { clips: 0, findings: [{ about: 'runtime', where: 'onnxruntime-web', message: error instanceof Error ? error.message : String(error) }], notes: [] };
  }
}

async function close(which: Which): Promise<undefined> {
  await models.get(which)?.session.release();
  models.delete(which);
  return undefined;
}

const loadManifest = (base: string): Promise<BundleManifest> => (manifest ??= readManifest(base).catch((error: unknown) => {
  manifest = undefined;
  throw error;
}));

async function readManifest(base: string): Promise<BundleManifest> {
  const response = await fetch(new URL('manifest.json', base)).catch((error: unknown) => {
    throw new Error(`manifest.json could not be downloaded: ${error instanceof Error ? error.message : String(error)}. Check the connection, and load the page again.`);
  });
  if (!response.ok) throw new Error(`manifest.json could not be downloaded: the server answered ${response.status}.`);
  const json = await response.json() as BundleManifest;
  if (json.format !== 'coppice-bundle' || json.version !== 1) throw new Error('manifest.json is not the manifest of a bundle of version 1.');
  return json;
}

/** Starts ONNX Runtime once, from bytes that were checked. */
function startRuntime(loaded: BundleManifest, { threads, base, provider = 'wasm' }: OpenOptions) {
  runtime ??= start().catch((error: unknown) => {
    runtime = undefined;
    throw error;
  });
  return runtime;

  async function start() {
    const begin = performance.now();
    const build = builds[provider];
    const entry = loaded.files.find(({ path }) => path === build.wasm);
    if (entry === undefined) throw new Error(provider === 'wasm' ? 'The manifest is stale: it does not name the runtime.' : 'This bundle was exported without WebGPU (--webgpu).');
    if (provider === 'webgpu' && !('gpu' in navigator)) throw new Error('This browser offers no WebGPU here. Use WebAssembly.');
    const { bytes } = await download(entry, base, (progress) => post({ progress }));
    const ort = await import(/* @vite-ignore */ new URL(build.script, base).href) as OnnxRuntime;
    const count = globalThis.crossOriginIsolated ? threads ?? Math.min(4, navigator.hardwareConcurrency ?? 1) : 1;
    ort.env.logLevel = 'fatal';
    ort.env.wasm.numThreads = count;
    ort.env.wasm.wasmBinary = await unpack(bytes);
    ort.env.wasm.wasmPaths = { mjs: new URL(build.glue, base).href };
    await (await ort.InferenceSession.create(tinyModel(), { executionProviders: ['wasm'], logSeverityLevel: 4 })).release();
    const packed = loaded.files.filter(({ path }) => Object.values(build).some((name) => name === path)).reduce((sum, file) => sum + file.bytes, 0);
    return { runtime: ort, provider, threads: count, bytes: packed, milliseconds: performance.now() - begin };
  }
}

const unpack = (bytes: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> => new Response(new Response(bytes).body!.pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
