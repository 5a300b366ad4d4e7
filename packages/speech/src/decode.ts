import type { LogProbs } from './log-probs.ts';

/** A labelling that a decoder proposes. */
export interface Hypothesis {
  /** Tokens without blanks. */
  readonly labels: readonly number[];
  /** Natural logarithm of its probability: of the one best path for greedy decoding, of all paths that were followed for a beam. */
  readonly logProb: number;
}

/** Greedy decoding of a recording that comes in pieces. */
export interface GreedyDecoder {
  /** Takes the next frames. */
  push(logProbs: LogProbs): void;
  /** What has been heard so far. */
  best(): Hypothesis;
}

/**
 * The likeliest token of each frame, the first of equals; runs of one token become one, and blanks go. Graves et al. 2006, 3.2, "best
 * path decoding". Pieces give the same as the whole.
 */
export function createGreedyDecoder({ blank = 0 }: { readonly blank?: number } = {}): GreedyDecoder {
  const labels: number[] = [];
  let before = blank;
  let logProb = 0;
  return {
    push({ data, frames, tokens }) {
      for (let t = 0; t < frames; t++) {
        let best = 0;
        for (let v = 1; v < tokens; v++) if (data[t * tokens + v] > data[t * tokens + best]) best = v;
        if (best !== blank && best !== before) labels.push(best);
        before = best;
        logProb += data[t * tokens + best];
      }
    },
    best: () => ({ labels: [...labels], logProb }),
  };
}

/** Greedy decoding of a whole recording [time, token]; see `createGreedyDecoder`. */
export function greedyDecode(logProbs: LogProbs, blank = 0): Hypothesis {
  const decoder = createGreedyDecoder({ blank });
  decoder.push(logProbs);
  return decoder.best();
}
