/** As much of ONNX Runtime's JavaScript interface as a bundle uses; the builds for Node and for browsers share it. */
export interface OnnxRuntime {
  readonly InferenceSession: { create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<OnnxSession> };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => OnnxTensor;
  readonly env: {
    logLevel?: string;
    readonly versions: { readonly node?: string; readonly web?: string; readonly common: string };
    readonly wasm: { numThreads?: number; wasmBinary?: ArrayBufferLike; wasmPaths?: unknown; proxy?: boolean };
  };
}

export interface OnnxSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Readonly<Record<string, OnnxTensor>>, outputs: readonly string[]): Promise<Readonly<Record<string, OnnxTensor>>>;
  release(): Promise<void>;
}

export interface OnnxTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
}
