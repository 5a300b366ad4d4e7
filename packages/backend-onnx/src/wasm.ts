import type { Backend, CompileOptions } from '@coppice/core';
import { CoppiceError, encodeModel, type Model } from '@coppice/graph';
import type { InferenceSession } from 'onnxruntime-web';
import { isAbort } from './runtime-words.ts';
import { compileOn, levelOf, quiet, takingTurns, type Build, type Turns } from './session.ts';

type Runtime = typeof import('onnxruntime-web');

/** How `wasmBackend` starts its runtime. */
export interface WasmOptions {
  /**
   * Threads of the runtime. It starts with the first compile of the process and keeps their number, for all models.
   * Default: what that first compile asks for, else 1.
   */
  readonly threads?: number;
}

/** There is one WebAssembly instance for each process (or page), whoever asks; so this is the state of the module. */
const instance: { threads?: number; runtime?: Promise<Runtime>; lost?: unknown } = {};
const turns = takingTurns();
const inTurn: Turns = async (work) => {
  try {
    return await turns(work);
  } catch (error) {
    if (isAbort(error)) instance.lost = error;
    throw error;
  }
};

/**
 * ONNX Runtime compiled to WebAssembly: runs everywhere, Node and browsers, without installing anything. About 3 to 5 times
 * slower than the native build, and limited to 4 GB together with the model. Blocks the thread while it computes.
 */
export function wasmBackend({ threads }: WasmOptions = {}): Backend {
  const build: Build = {
    name: 'onnx:wasm',
    inTurn,
    create: (model, options) => createSession(model, { ...options, threads: options.threads ?? threads }),
  };
  return {
    name: build.name,
    compile: (model, options) => compileOn(build, model, options),
    async info() {
      const { env } = await load();
      return { version: env.versions.web ?? env.versions.common, device: 'cpu', threads: instance.threads ?? hardwareThreads() };
    },
  };
}

const hardwareThreads = (): number => globalThis.navigator?.hardwareConcurrency ?? 1;

async function createSession(model: Model, options: CompileOptions): Promise<InferenceSession> {
  const runtime = await start(options.threads);
  const bytes = encode(model);
  return runtime.InferenceSession.create(bytes, { executionProviders: ['wasm'], graphOptimizationLevel: levelOf(options.optimise), ...quiet });
}

function encode(model: Model): Uint8Array {
  try {
    return encodeModel(model);
  } catch (cause) {
    if (!(cause instanceof CoppiceError) || cause.code !== 'COPPICE_MODEL_TOO_LARGE') throw cause;
    throw new CoppiceError('COPPICE_MODEL_TOO_LARGE', 'The model is larger than the 2 GB that ONNX Runtime takes in WebAssembly. Use the native runtime (onnx:native).', { cause });
  }
}

/** The running instance with the wanted number of threads; undefined wants what there is. */
async function start(threads: number | undefined): Promise<Runtime> {
  if (instance.lost !== undefined) {
    throw new CoppiceError('COPPICE_BACKEND_REFUSED', 'onnx:wasm broke down earlier in this process and cannot be started again. Start a new process; isolated(\'onnx:wasm\') gives each model its own.', { cause: instance.lost });
  }
  const runtime = await load();
  if (instance.threads === undefined) {
    instance.threads = threads ?? 1;
    runtime.env.wasm.numThreads = instance.threads;
    runtime.env.logLevel = 'fatal';
  } else if (threads !== undefined && threads !== instance.threads) {
    throw new CoppiceError('COPPICE_BACKEND_THREADS', `onnx:wasm runs with ${count(instance.threads)} since its first model, and cannot change to ${count(threads)} in the same process. Ask for the same number everywhere (wasmBackend({ threads: ${threads} }) before the first compile), or use isolated('onnx:wasm').`);
  }
  return runtime;
}

const count = (threads: number): string => `${threads} thread${threads === 1 ? '' : 's'}`;

/** Which bundle this is, package.json says under `imports`: browsers get the one without WebGPU; in Node that one cannot start threads. */
function load(): Promise<Runtime> {
  instance.runtime ??= import('#onnxruntime-web').catch((cause: unknown) => {
    instance.runtime = undefined;
    throw new CoppiceError('COPPICE_BACKEND_MISSING', 'onnxruntime-web cannot be loaded. Install the dependencies again: pnpm install.', { cause });
  });
  return instance.runtime;
}
