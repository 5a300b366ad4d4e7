/** `index.d.ts` of a bundle for Node. */
export const typesText = `/** What has been recognised of the sound so far. */
export interface Result {
  readonly text: string;
  /** Of sound. */
  readonly seconds: number;
  /** Computing time: features, model and decoder together. */
  readonly milliseconds: number;
}

/** Recognises sound that comes in pieces: one utterance after the other, with \`reset\` in between. */
export interface Recognizer {
  /** What the model was trained on; other rates are resampled. */
  readonly sampleRateHz: number;
  /** Takes the next samples, in [-1, 1], mono; the rate is the same for a whole utterance, by default the model's. */
  accept(samples: Float32Array, sampleRateHz?: number): void;
  /** Recognises all that was accepted since the last \`reset\`. */
  result(): Promise<Result>;
  /** Forgets the sound: another utterance begins. */
  reset(): void;
  /** Frees the model. */
  close(): Promise<void>;
}

export interface RecognizerOptions {
  /** Which of the models: the bundle's own, or the original where the bundle carries it. */
  readonly model?: 'slim' | 'original';
  /** Threads of the runtime. Default 1. */
  readonly threads?: number;
  /** \`native\` is onnxruntime-node, \`wasm\` onnxruntime-web. Default: what is installed, native first. */
  readonly runtime?: 'native' | 'wasm';
}

/** A recogniser that takes sound in pieces. The bytes of the model are checked. */
export function createRecognizer(options?: RecognizerOptions): Promise<Recognizer>;

/** Recognises a WAV file, by its path or its bytes. */
export function transcribe(wav: string | URL | Uint8Array, options?: RecognizerOptions): Promise<Result>;
`;
