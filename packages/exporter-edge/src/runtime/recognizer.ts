import { CoppiceError } from '@coppice/graph';
import type { Audio } from '@coppice/speech';

/** What has been recognised of the sound so far. */
export interface Result {
  readonly text: string;
  /** Of sound. */
  readonly seconds: number;
  /** Computing time: features, model and decoder together. */
  readonly milliseconds: number;
}

/** Recognises sound that comes in pieces: one utterance after the other, with `reset` in between. */
export interface Recognizer {
  /** What the model was trained on; other rates are resampled. */
  readonly sampleRateHz: number;
  /**
   * Takes the next samples, in [−1, 1], mono. They are copied.
   * @param sampleRateHz of these samples, the same for a whole utterance; default the model's
   */
  accept(samples: Float32Array, sampleRateHz?: number): void;
  /** Recognises all that was accepted since the last `reset`. Sound shorter than a window of the features has no text. */
  result(): Promise<Result>;
  /** Forgets the sound: another utterance begins. */
  reset(): void;
  /** Frees the model. */
  close(): Promise<void>;
}

/** What a recognizer needs of the place where it runs. */
export interface Engine {
  readonly sampleRateHz: number;
  /** Recognises sound of any rate; what is shorter than a window has no text. */
  transcribe(audio: Audio): Promise<Pick<Result, 'text' | 'milliseconds'>>;
  close(): Promise<void>;
}

/** A recognizer over an engine: it keeps the sound. */
export function recognizerOf({ sampleRateHz, transcribe, close }: Engine): Recognizer {
  let pieces: Float32Array[] = [];
  let rate = sampleRateHz;
  return {
    sampleRateHz,
    accept(samples, ofSamples = sampleRateHz) {
      if (pieces.length > 0 && ofSamples !== rate) throw new CoppiceError('COPPICE_AUDIO_INVALID', `Samples at ${ofSamples} a second follow samples at ${rate}. Call reset() before another utterance.`);
      rate = ofSamples;
      pieces.push(samples.slice());
    },
    async result() {
      const samples = join(pieces);
      pieces = samples.length === 0 ? [] : [samples];
      const seconds = samples.length / rate;
      return { ...await transcribe({ samples, sampleRateHz: rate }), seconds };
    },
    reset() {
      pieces = [];
      rate = sampleRateHz;
    },
    close,
  };
}

function join(pieces: readonly Float32Array[]): Float32Array {
  if (pieces.length === 1) return pieces[0];
  const all = new Float32Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
