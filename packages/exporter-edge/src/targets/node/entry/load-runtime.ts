import type { OnnxRuntime } from '../../../runtime/index.ts';

export interface RuntimeOptions {
  /** Threads of the runtime within one operator. Default 1. */
  readonly threads?: number;
  /** `native` is onnxruntime-node, `wasm` onnxruntime-web; default native, and wasm where only that is installed. */
  readonly runtime?: 'native' | 'wasm';
  /** Where to import the runtime from, when it is not installed beside the bundle. */
  readonly runtimeModule?: string;
}

export interface LoadedRuntime {
  readonly runtime: OnnxRuntime;
  /** With its version. */
  readonly name: string;
  readonly sessionOptions: Readonly<Record<string, unknown>>;
}

const packages = { native: 'onnxruntime-node', wasm: 'onnxruntime-web' } as const;

/** Imports ONNX Runtime: the native one, or the one in WebAssembly where that is all there is. */
export async function loadRuntime({ threads = 1, runtime: wanted, runtimeModule }: RuntimeOptions): Promise<LoadedRuntime> {
  const faults: string[] = [];
  for (const kind of wanted === undefined ? (['native', 'wasm'] as const) : [wanted]) {
    try {
      const loaded = await import(runtimeModule ?? packages[kind]) as OnnxRuntime & { readonly default?: OnnxRuntime };
      const runtime = loaded.InferenceSession === undefined ? loaded.default! : loaded;
      runtime.env.logLevel = 'fatal';
      if (kind === 'wasm') runtime.env.wasm.numThreads = threads;
      const { node, web, common } = runtime.env.versions;
      return {
        runtime, name: `${packages[kind]} ${(kind === 'native' ? node : web) ?? common}`,
        sessionOptions: { executionProviders: [kind === 'native' ? 'cpu' : 'wasm'], logSeverityLevel: 4, ...(kind === 'native' ? { intraOpNumThreads: threads, interOpNumThreads: 1 } : {}) },
      };
    } catch (error) {
      faults.push(`${packages[kind]}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
    }
  }
  throw new Error(`ONNX Runtime cannot be loaded (${faults.join('; ')}). Run npm install in the bundle's folder; where the native library does not exist for a machine, npm install onnxruntime-web is enough.`);
}
