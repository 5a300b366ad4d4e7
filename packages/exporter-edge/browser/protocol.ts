import type { BundleManifest, Verification } from '@coppice/exporter-edge/runtime';

/** Which of the models of a bundle. */
export type Which = 'slim' | 'original';

/** WebAssembly, or WebGPU where the bundle was exported with it. */
export type Provider = 'wasm' | 'webgpu';

/** What is asked of the worker; answers carry the same number. */
export type Request = { readonly id: number } & (
  | { readonly do: 'open'; readonly which: Which; readonly options: OpenOptions }
  | { readonly do: 'transcribe'; readonly which: Which; readonly samples: Float32Array; readonly sampleRateHz: number }
  | { readonly do: 'verify'; readonly options: OpenOptions }
  | { readonly do: 'close'; readonly which: Which }
);

export interface OpenOptions {
  /** Threads; more than one only where the page is cross-origin isolated. */
  readonly threads?: number;
  /** What computes; default `wasm`. One for each worker. */
  readonly provider?: Provider;
  /** Where the bundle lies. */
  readonly base: string;
}

/** What the worker says. */
export type Message =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string }
  | { readonly progress: Progress };

/** A download. */
export interface Progress {
  readonly path: string;
  readonly loaded: number;
  readonly total: number;
}

/** A model that is ready, and what that took. */
export interface Opened {
  readonly manifest: BundleManifest;
  /** Of the model's file. */
  readonly bytes: number;
  /** Download and check of the model. */
  readonly downloadMs: number;
  /** Until the runtime could run it. */
  readonly sessionMs: number;
  /** Of the runtime, the first time: download, check, start. */
  readonly runtimeMs: number;
  /** What was transferred for the runtime. */
  readonly runtimeBytes: number;
  readonly threads: number;
  readonly provider: Provider;
  /** Whether the model came from an earlier visit. */
  readonly cached: boolean;
}

export interface Transcribed {
  readonly text: string;
  readonly milliseconds: number;
}

export type { Verification };
