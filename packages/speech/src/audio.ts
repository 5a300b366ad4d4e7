/** Mono sound. */
export interface Audio {
  /** In [−1, 1]. */
  readonly samples: Float32Array;
  readonly sampleRateHz: number;
}
