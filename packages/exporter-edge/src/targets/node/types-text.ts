import { recognizerTypes } from '../recognizer-types.ts';

/** `index.d.ts` of a bundle for Node. */
export const typesText = `${recognizerTypes}  /** Frees the model. */
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
