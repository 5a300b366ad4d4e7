import type { Model, Tensor } from '@coppice/graph';

/** Tensors by the name of the graph's input or output. */
export type NamedTensors = Readonly<Record<string, Tensor>>;

export interface CompileOptions {
  /** Graph optimisation of the runtime. `none` keeps every value as the file has it and creates the session fastest. */
  readonly optimise?: 'none' | 'all';
  /** Threads within one operator; 1 makes results reproducible bit for bit. Default 1. */
  readonly threads?: number;
}

/** A compiled graph. Results are new tensors that the caller owns. */
export interface Executable {
  /**
   * Runs the graph once.
   * @param inputs one tensor for each graph input without a default
   * @param outputs which outputs to compute; all when left out
   * @throws CoppiceError `COPPICE_INPUT_MISMATCH` before anything runs, naming the input or output that does not fit;
   * `COPPICE_BACKEND_RUN` with the runtime's own words as cause, and after `dispose`
   */
  run(inputs: NamedTensors, outputs?: readonly string[]): Promise<NamedTensors>;
  /** Frees what the runtime holds. Calling it twice is harmless. */
  dispose(): Promise<void>;
}

export interface BackendInfo {
  readonly version: string;
  readonly device: string;
  /** Threads it can use at most. */
  readonly threads: number;
}

/** Something that runs ONNX graphs, and nothing else: gradients, scores and masks are graphs too. */
export interface Backend {
  readonly name: string;
  /** @throws CoppiceError `COPPICE_BACKEND_MISSING` when the runtime is not installed */
  info(): Promise<BackendInfo>;
  /**
   * @throws CoppiceError `COPPICE_BACKEND_REFUSED` when the runtime does not take the model; the message carries its words
   */
  compile(model: Model, options?: CompileOptions): Promise<Executable>;
}
