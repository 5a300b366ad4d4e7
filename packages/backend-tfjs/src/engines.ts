import type { BackendInfo } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import { Device, type Engine, type TensorFlow } from './adapter.ts';
import { registerStrided } from './strided-kernel.ts';
import { inTurn } from './turns.ts';

/** The engines of TensorFlow.js, the best first: in this order `tfjs` tries them. */
export const engineNames = ['node-gpu', 'node', 'webgpu', 'webgl', 'wasm', 'cpu'] as const;
export type EngineName = (typeof engineNames)[number];

/** The version that everything here is written and tested against. */
export const tensorFlowVersion = '4.22.0';

/** An engine that runs. */
export interface Loaded {
  readonly device: Device;
  readonly info: BackendInfo;
  /** Says that the device is gone, once it is. @param error what a run has just thrown */
  lost(error?: unknown): string | undefined;
}

/** Why an engine is not there: absent, or there and not able to run; and what mends it. */
export class EngineFault extends Error {
  readonly state: 'missing' | 'broken';
  readonly fix: string;
  constructor(state: 'missing' | 'broken', message: string, fix: string, cause?: unknown) {
    super(message, { cause });
    this.state = state;
    this.fix = fix;
  }
}

/** How an engine is loaded: what is imported, and what it takes to start it. */
interface Loader extends Engine {
  /** The package on npm that it is in. */
  readonly package: string;
  /** @param files where the files of WebAssembly are, when they are not beside the package */
  start(files?: string): Promise<Omit<Loaded, 'device'> & { readonly tf: TensorFlow }>;
}

const never = (): undefined => undefined;
const install = (name: string): string => `pnpm add ${name}@${tensorFlowVersion}`;

const loaders: Readonly<Record<EngineName, Loader>> = {
  'node-gpu': { package: '@tensorflow/tfjs-node-gpu', backendName: 'tensorflow', readsAtOnce: true, transposesFree: true, slowTransposed: false, slowBatches: false, mostAxes: 6, start: () => startNode('@tensorflow/tfjs-node-gpu') },
  node: { package: '@tensorflow/tfjs-node', backendName: 'tensorflow', readsAtOnce: true, transposesFree: true, slowTransposed: false, slowBatches: false, mostAxes: 6, start: () => startNode('@tensorflow/tfjs-node') },
  webgpu: { package: '@tensorflow/tfjs-backend-webgpu', backendName: 'webgpu', readsAtOnce: false, transposesFree: true, slowTransposed: false, slowBatches: false, mostAxes: 5, start: startWebGpu },
  webgl: { package: '@tensorflow/tfjs-backend-webgl', backendName: 'webgl', readsAtOnce: true, transposesFree: true, slowTransposed: false, slowBatches: false, mostAxes: 5, start: startWebGl },
  wasm: { package: '@tensorflow/tfjs-backend-wasm', backendName: 'wasm', readsAtOnce: true, transposesFree: false, slowTransposed: true, slowBatches: true, mostAxes: 8, start: startWasm },
  cpu: { package: '@tensorflow/tfjs-backend-cpu', backendName: 'cpu', readsAtOnce: true, transposesFree: true, slowTransposed: true, slowBatches: false, mostAxes: 8, start: startCpu },
};

/** Which of the two packages for Node has brought its library. */
let library: EngineName | undefined;
const started = new Map<EngineName, Promise<Loaded>>();

/**
 * Loads an engine once for the process; a failure may be mended and tried again.
 * @param wasmFiles address of the folder with the files of WebAssembly, ending in `/`; for browsers
 * @throws EngineFault
 */
export function loadEngine(name: EngineName, wasmFiles?: string): Promise<Loaded> {
  let loading = started.get(name);
  if (!loading) {
    loading = inTurn(() => start(name, wasmFiles));
    started.set(name, loading);
    loading.catch(() => started.delete(name));
  }
  return loading;
}

async function start(name: EngineName, wasmFiles: string | undefined): Promise<Loaded> {
  const loader = loaders[name];
  if (loader.backendName === 'tensorflow' && library !== undefined && library !== name) {
    // What is not installed needs no other process.
    await bring(loader.package, async () => import.meta.resolve(loader.package));
    throw new EngineFault('broken', `${loader.package} cannot be loaded beside ${loaders[library].package}: both bring a TensorFlow library, and a process takes one`, `use tfjs:${library}, or start a new process`);
  }
  const { tf, info, lost } = await loader.start(wasmFiles);
  if (loader.backendName === 'tensorflow') library = name;
  if (tf.version_core !== tensorFlowVersion) throw wrongVersion('@tensorflow/tfjs-core', tf.version_core);
  return { device: new Device(tf, loader), info, lost };
}

const wrongVersion = (name: string, found: string): EngineFault =>
  new EngineFault('broken', `${name} is version ${found}, and ${tensorFlowVersion} is needed: the packages of TensorFlow.js only work with each other in the same version`, install(name));

/** Imports a package of TensorFlow.js and tells "not installed" from "does not load". */
async function bring<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw importFault(name, cause);
  }
}

/** What a failed import means. */
export function importFault(name: string, cause: unknown): EngineFault {
  const words = cause instanceof Error ? cause.message : String(cause);
  const { code } = cause as { code?: unknown };
  // A bundler says it in its own words.
  const absent = (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') && new RegExp(`Cannot find (?:package|module) '${name}'`).test(words);
  if (absent || words.startsWith(`Could not resolve "${name}"`)) {
    return new EngineFault('missing', `the package ${name} is not installed`, install(name), cause);
  }
  if (/tfjs_binding\.node/.test(words)) {
    return new EngineFault('broken', `${name} is installed, but its native part (tfjs_binding.node) is not there: its install script did not run, or could not download TensorFlow`, `allow its build script and install again: pnpm approve-builds && pnpm rebuild ${name}`, cause);
  }
  return new EngineFault('broken', `${name} is installed, but does not load: ${words.split('\n')[0]}`, `${install(name)} --force`, cause);
}

/** Makes an engine the one that computes, which starts it. */
async function activate(tf: TensorFlow, backendName: string, name: string, fix: string): Promise<void> {
  let because = 'it could not be started';
  try {
    if (await tf.setBackend(backendName)) {
      await tf.ready();
      return;
    }
  } catch (cause) {
    because = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
  }
  throw new EngineFault('broken', `${name} is installed, but ${because}`, fix);
}

const core = (): Promise<TensorFlow> => bring('@tensorflow/tfjs-core', () => import('@tensorflow/tfjs-core'));

async function startCpu(): ReturnType<Loader['start']> {
  const tf = await core();
  const { version_cpu: version } = await bring('@tensorflow/tfjs-backend-cpu', () => import('@tensorflow/tfjs-backend-cpu'));
  if (version !== tensorFlowVersion) throw wrongVersion('@tensorflow/tfjs-backend-cpu', version);
  await activate(tf, 'cpu', '@tensorflow/tfjs-backend-cpu', install('@tensorflow/tfjs-backend-cpu'));
  // It would advertise the native package on its first use.
  (tf.findBackend('cpu') as unknown as { firstUse: boolean }).firstUse = false;
  registerStrided(tf, 'cpu');
  return { tf, info: { version, device: 'cpu', threads: 1 }, lost: never };
}

async function startWasm(files?: string): ReturnType<Loader['start']> {
  const tf = await core();
  const { version_wasm: version, getThreadsCount, setWasmPaths } = await bring('@tensorflow/tfjs-backend-wasm', () => import('@tensorflow/tfjs-backend-wasm'));
  if (version !== tensorFlowVersion) throw wrongVersion('@tensorflow/tfjs-backend-wasm', version);
  if (files !== undefined) setWasmPaths(files);
  await withoutListeners(() => activate(tf, 'wasm', '@tensorflow/tfjs-backend-wasm', 'in a browser, serve the .wasm files of the package beside the script, or say where they are with tfjsBackend({ wasmFiles })'));
  registerStrided(tf, 'wasm');
  let gone: string | undefined;
  const lost = (error?: unknown): string | undefined => {
    gone ??= wasmFault(error);
    return gone;
  };
  return { tf, info: { version, device: 'cpu', threads: threadsOf(getThreadsCount) }, lost };
}

/** In Node the module would end the process on any rejected promise that nobody handles, also those of others. */
async function withoutListeners(work: () => Promise<void>): Promise<void> {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const node = typeof process === 'undefined' ? undefined : process;
  const before = events.map((event) => node?.listeners(event as 'uncaughtException') ?? []);
  await work();
  events.forEach((event, k) => {
    for (const listener of node?.listeners(event as 'uncaughtException') ?? []) if (!before[k].includes(listener)) node!.off(event, listener);
  });
}

/** What is wrong with WebAssembly as a whole after an error; undefined when it is only the node. */
export function wasmFault(error: unknown): string | undefined {
  const words = error instanceof Error ? error.message : '';
  return /Aborted\(|memory access out of bounds|unreachable/.test(words) ? `WebAssembly gave up (${words.split('\n')[0]}), most often for want of memory: it has 4 GB in all` : undefined;
}

/** Only known where threads are there at all. */
function threadsOf(count: () => number): number {
  try {
    return Math.max(1, count());
  } catch {
    return 1;
  }
}

async function startWebGpu(): ReturnType<Loader['start']> {
  const gpu = (globalThis.navigator as { gpu?: unknown } | undefined)?.gpu;
  if (!gpu) throw new EngineFault('missing', 'there is no WebGPU here (navigator.gpu)', 'use a browser with WebGPU; Node has none');
  const tf = await core();
  await bring('@tensorflow/tfjs-backend-webgpu', () => import('@tensorflow/tfjs-backend-webgpu'));
  await activate(tf, 'webgpu', 'WebGPU', 'use a machine with a graphics processor that the browser supports, or tfjs:wasm');
  const backend = tf.findBackend('webgpu') as unknown as { readonly device: { readonly lost: Promise<{ readonly message: string }> }; readonly adapterInfo?: { readonly vendor?: string; readonly architecture?: string } };
  let gone: string | undefined;
  void backend.device.lost.then(({ message }) => { gone = message || 'the graphics processor was reset'; });
  const { vendor, architecture } = backend.adapterInfo ?? {};
  return { tf, info: { version: tensorFlowVersion, device: ['webgpu', vendor, architecture].filter(Boolean).join(' '), threads: 1 }, lost: () => gone };
}

async function startWebGl(): ReturnType<Loader['start']> {
  if (typeof document === 'undefined' && typeof OffscreenCanvas === 'undefined') throw new EngineFault('missing', 'there is no WebGL here (no canvas)', 'use a browser; Node has no WebGL');
  const tf = await core();
  const { version_webgl: version } = await bring('@tensorflow/tfjs-backend-webgl', () => import('@tensorflow/tfjs-backend-webgl'));
  if (version !== tensorFlowVersion) throw wrongVersion('@tensorflow/tfjs-backend-webgl', version);
  await activate(tf, 'webgl', 'WebGL', 'use a browser with WebGL 2, or tfjs:wasm');
  if (!tf.env().getBool('WEBGL_RENDER_FLOAT32_CAPABLE')) throw new EngineFault('broken', 'WebGL of this machine only computes in half precision', 'use tfjs:wasm');
  const { gpgpu } = tf.findBackend('webgl') as unknown as { readonly gpgpu: { readonly gl: { isContextLost(): boolean } } };
  return { tf, info: { version, device: 'webgl', threads: 1 }, lost: () => (gpgpu.gl.isContextLost() ? 'the WebGL context was lost' : undefined) };
}

declare const document: unknown;
declare const OffscreenCanvas: unknown;

/** What the packages for Node bring beside the core. */
type NodePackage = Omit<TensorFlow, 'version'> & { readonly default?: NodePackage; readonly version: Readonly<Record<string, string>> };

async function startNode(name: string): ReturnType<Loader['start']> {
  if (typeof process === 'undefined' || process.versions?.node === undefined) throw new EngineFault('missing', `${name} is for Node, and this is none`, 'use tfjs:webgpu, tfjs:webgl or tfjs:wasm');
  const { default: util } = await import('node:util');
  // Node 23 removed what the packages still use; the correction is merged there and not released.
  const old = util as unknown as { isNullOrUndefined?: (value: unknown) => boolean; isArray?: (value: unknown) => boolean };
  old.isNullOrUndefined ??= (value) => value === null || value === undefined;
  old.isArray ??= Array.isArray;
  const loaded = (await bring(name, () => import(/* @vite-ignore */ /* webpackIgnore: true */ name) as Promise<unknown>)) as NodePackage;
  const whole = loaded.default ?? loaded;
  const tf = whole as unknown as TensorFlow;
  const version = whole.version['tfjs-node'] ?? tf.version_core;
  if (version !== tensorFlowVersion) throw wrongVersion(name, version);
  await activate(tf, 'tensorflow', name, `pnpm rebuild ${name}`);
  const backend = tf.findBackend('tensorflow') as unknown as { readonly isUsingGpuDevice: boolean };
  const { availableParallelism } = await import('node:os');
  return { tf, info: { version, device: backend.isUsingGpuDevice ? 'cuda' : 'cpu', threads: availableParallelism() }, lost: never };
}

/** The error of `compile` and `info` for an engine that is not there. */
export const missingEngine = (name: EngineName, fault: EngineFault): CoppiceError =>
  new CoppiceError('COPPICE_BACKEND_MISSING', `tfjs:${name} cannot run: ${fault.message}. To mend it: ${fault.fix}. Or use tfjs:wasm, which needs nothing.`, { cause: fault.cause ?? fault });

/** What is known of an engine on this machine. */
export interface EngineReport {
  readonly name: `tfjs:${EngineName}`;
  readonly state: 'present' | 'missing' | 'broken';
  readonly version?: string;
  readonly device?: string;
  readonly threads?: number;
  /** What was looked for and not found, or why it does not run. */
  readonly problem?: string;
  /** What mends it: a command where there is one. */
  readonly fix?: string;
}

/** Tries every engine and says what is there, the best first. Loads what can be loaded: some hundred megabytes. */
export async function tfjsEngines(): Promise<readonly EngineReport[]> {
  const reports: EngineReport[] = [];
  for (const engine of engineNames) {
    const name = `tfjs:${engine}` as const;
    try {
      const { info } = await loadEngine(engine);
      reports.push({ name, state: 'present', ...info });
    } catch (error) {
      const fault = error instanceof EngineFault ? error : new EngineFault('broken', String(error), `pnpm install`);
      reports.push({ name, state: fault.state, problem: fault.message, fix: fault.fix });
    }
  }
  return reports;
}

/**
 * The best engine that runs here, in the order of `engineNames`. Plain JavaScript is always there.
 * @throws EngineFault when even that does not load
 */
export async function bestEngine(wasmFiles?: string): Promise<EngineName> {
  let last: unknown;
  for (const name of engineNames) {
    try {
      await loadEngine(name, wasmFiles);
      return name;
    } catch (error) {
      last = error;
    }
  }
  throw last;
}
