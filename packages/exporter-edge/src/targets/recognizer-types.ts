/** Declarations of `Result`, and of `Recognizer` as far as all bundles with a module of ours have it; its closing brace is to follow. */
export const recognizerTypes = `/** What has been recognised of the sound so far. */
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
`;
