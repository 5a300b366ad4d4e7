import type { Backend, CompileOptions } from '@coppice/core';
import { CoppiceError, encodeModel, everyTensor, graphOf, isExternal, storedByteLength, tensorByteLength, TensorProto_DataType, type Model, type TensorProto } from '@coppice/graph';
import type { InferenceSession } from 'onnxruntime-node';
import { withModelFile } from './model-file.ts';
import { compileOn, levelOf, quiet, takingTurns, type Build } from './session.ts';

type Runtime = typeof import('onnxruntime-node');

/**
 * ONNX Runtime as a native library, CPU only: the fastest way in Node. `onnxruntime-node` is an optional dependency; the CPU
 * library is in the package, its install script (which fetches CUDA) is not needed. Blocks the thread while it computes.
 */
export function nativeBackend(): Backend {
  const build: Build = { name: 'onnx:native', create: createSession, inTurn: takingTurns() };
  return {
    name: build.name,
    compile: (model, options) => compileOn(build, model, options),
    async info() {
      const { env } = await load();
      const { availableParallelism } = await import('node:os');
      return { version: env.versions.node ?? env.versions.common, device: 'cpu', threads: availableParallelism() };
    },
  };
}

async function createSession(model: Model, options: CompileOptions): Promise<InferenceSession> {
  const { InferenceSession } = await load();
  const level = levelOf(options.optimise);
  const settings: InferenceSession.SessionOptions = {
    executionProviders: ['cpu'],
    graphOptimizationLevel: level === 'all' && hasHalfConvolution(model) ? 'extended' : level,
    intraOpNumThreads: options.threads ?? 1,
    interOpNumThreads: 1,
    // Idle threads of one session would otherwise spin and take the cores from the next one.
    // Packed copies of weights pay off over many runs; a model that is compiled unoptimised is run a few times.
    extra: { session: { force_spinning_stop: '1', ...(level === 'disabled' && { disable_prepacking: '1' }) } },
    ...quiet,
  };
  // From a file the weights are read once; from memory the library copies what is in memory already, twice.
  const bytes = (tensor: TensorProto) => (isExternal(tensor) && !model.payloads?.has(tensor) ? tensorByteLength(model, tensor) : storedByteLength(model, tensor));
  const large = [...everyTensor(model.proto)].reduce((sum, tensor) => sum + bytes(tensor), 0) > INLINE_LIMIT;
  if (large) return withModelFile(model, (path) => InferenceSession.create(path, settings));
  return InferenceSession.create(encodeModel(model), settings);
}

/** Models with more bytes of weights than this are handed over as files. */
const INLINE_LIMIT = 64e6;

/** Whether convolutions compute in float16: such models can end the process at level "all" while they are loaded. */
function hasHalfConvolution(model: Model): boolean {
  const { node, initializer } = graphOf(model);
  const half = new Set(initializer.filter(({ dataType }) => dataType === TensorProto_DataType.FLOAT16).map(({ name }) => name));
  return node.some(({ opType, input }) => opType.startsWith('Conv') && input.some((name) => half.has(name)));
}

let runtime: Promise<Runtime> | undefined;

/** Loads the addon once; a failure may be mended and tried again. */
function load(): Promise<Runtime> {
  runtime ??= import('onnxruntime-node').then(
    (loaded) => {
      loaded.env.logLevel = 'fatal';
      return loaded;
    },
    (cause: unknown) => {
      runtime = undefined;
      throw missing(cause);
    },
  );
  return runtime;
}

/** The error for a runtime that cannot be loaded: not there at all, or there without a library that fits this machine. */
export function missing(cause: unknown): CoppiceError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const absent = /Cannot find (?:package|module) '?onnxruntime-node'?/.test(text);
  const message = absent
    ? 'The native ONNX Runtime (onnx:native) is not installed. Install it with: pnpm add onnxruntime-node@1.30.0. Or use onnx:wasm, which needs nothing.'
    : `The native ONNX Runtime (onnx:native) is installed but does not load on ${process.platform}-${process.arch}: ${text.split('\n')[0]}. Install it again with: pnpm install --force. Or use onnx:wasm, which runs everywhere.`;
  return new CoppiceError('COPPICE_BACKEND_MISSING', message, { cause });
}
