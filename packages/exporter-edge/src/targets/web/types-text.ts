import { recognizerTypes } from '../recognizer-types.ts';

/** `recognizer.d.ts` of a bundle for the web. */
export const typesText = `${recognizerTypes}  /** Frees the model, and the worker when nobody else uses it. */
  close(): Promise<void>;
  /** What opening took. */
  readonly opened: {
    /** Of the model's file. */
    readonly bytes: number;
    readonly downloadMs: number;
    readonly sessionMs: number;
    readonly runtimeMs: number;
    readonly runtimeBytes: number;
    readonly threads: number;
    readonly provider: 'wasm' | 'webgpu';
    /** Whether the model came from an earlier visit. */
    readonly cached: boolean;
  };
}

export interface RecognizerOptions {
  /** The bundle's own model, or the original where the bundle carries it. */
  readonly model?: 'slim' | 'original';
  /** Threads; more than one only where the page is cross-origin isolated. Default: up to 4 there, else 1. */
  readonly threads?: number;
  /** What computes: WebAssembly, or WebGPU where the bundle was exported with it. Default \`wasm\`. */
  readonly provider?: 'wasm' | 'webgpu';
  readonly onProgress?: (progress: { readonly path: string; readonly loaded: number; readonly total: number }) => void;
  /** Use the worker and the runtime of another recognizer of the page. */
  readonly sharing?: Recognizer;
}

/** Opens the model in a worker. Errors are in words for people. */
export function createRecognizer(options?: RecognizerOptions): Promise<Recognizer>;

/** What this browser lacks, in words for people; undefined when recognition can run. */
export function browserFault(): string | undefined;

export interface Heard {
  /** Counts from 0. */
  readonly utterance: number;
  /** Of each recognizer, in their order. */
  readonly results: readonly Result[];
  /** Whether the utterance is over. */
  readonly final: boolean;
}

export interface ListenOptions {
  readonly onHeard: (heard: Heard) => void;
  /** Every piece of sound, for a picture of it. */
  readonly onSound?: (samples: Float32Array, sampleRateHz: number) => void;
  readonly onError?: (error: Error) => void;
}

/** Listens to the microphone, cuts utterances at pauses, and recognises each again while it is being said. */
export function listen(recognizers: readonly Recognizer[], options: ListenOptions): Promise<{ readonly sampleRateHz: number; stop(): Promise<void> }>;

/** Runs the golden clips of the bundle in this browser and compares. */
export function verify(options?: { readonly threads?: number; readonly provider?: 'wasm' | 'webgpu' }): Promise<{
  readonly ranOn?: string;
  readonly clips: number;
  readonly findings: readonly { readonly about: string; readonly where: string; readonly message: string }[];
}>;
`;
