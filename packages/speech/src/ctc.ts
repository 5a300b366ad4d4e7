import { CoppiceError } from '@coppice/graph';
import type { LogProbs } from './log-probs.ts';

/** What `ctcLoss` finds. */
export interface CtcResult {
  /** −log P(labels | recording) in nats, from 0 on; Infinity when no path spells the labels. */
  readonly loss: number;
  /** Derivative of `loss` with respect to the log-probabilities [time, token]; zeros when the loss is Infinity. */
  readonly gradient: Float64Array;
}

/**
 * The fewest frames that can spell the labels: one for each, and one more for the blank that must stand between two equal ones.
 */
export function requiredFrames(labels: ArrayLike<number>): number {
  let frames = labels.length;
  for (let k = 1; k < labels.length; k++) if (labels[k] === labels[k - 1]) frames++;
  return frames;
}

/**
 * Connectionist temporal classification: how unlikely the labels are, summed over every path that spells them, and the exact gradient.
 * Graves et al. 2006, sections 3 and 4, in logarithms and float64, so that it stays finite at logits of ±1000.
 *
 * The log-probabilities count as free variables: `gradient` is −γ[time, token], the probability that the path is at `token` in that
 * frame, given the labels; each frame of it sums to −1. Where they come from a log-softmax of logits, the gradient with respect to the
 * logits is `softmax(logits) + gradient`, which is what the gradient of the log-softmax makes of it.
 *
 * Labels that need more frames than there are (`requiredFrames`), or a token of probability 0, have no path: the loss is Infinity and
 * the gradient 0. No labels: every frame is blank. No frames and no labels: 0.
 * @param logProbs [time, token]
 * @param labels tokens of the transcript, without blanks
 * @throws CoppiceError `COPPICE_TRANSCRIPT_INVALID` for a label that is the blank or no token
 */
export function ctcLoss({ data, frames, tokens }: LogProbs, labels: ArrayLike<number>, blank = 0): CtcResult {
  const states = interleave(labels, blank, tokens);
  const gradient = new Float64Array(frames * tokens);
  if (frames === 0) return { loss: labels.length === 0 ? 0 : Infinity, gradient };
  const size = states.length;
  const alpha = forwards(data, frames, tokens, states);
  const end = frames * size;
  const logLikelihood = size === 1 ? alpha[end - 1] : logAdd(alpha[end - 1], alpha[end - 2], -Infinity);
  if (logLikelihood === -Infinity) return { loss: Infinity, gradient };
  walkBackwards(data, frames, tokens, states, (t, beta) => {
    for (let s = 0; s < size; s++) gradient[t * tokens + states[s]] -= Math.exp(alpha[t * size + s] + beta[s] - logLikelihood);
  });
  return { loss: 0 - logLikelihood, gradient };
}

/** Labels with a blank before, between and after them: the states of a path. */
function interleave(labels: ArrayLike<number>, blank: number, tokens: number): Int32Array {
  const states = new Int32Array(2 * labels.length + 1).fill(blank);
  for (let k = 0; k < labels.length; k++) {
    const label = labels[k];
    if (!Number.isInteger(label) || label < 0 || label >= tokens || label === blank) {
      throw new CoppiceError('COPPICE_TRANSCRIPT_INVALID', `Label ${k + 1} of ${labels.length} is ${label}; labels are tokens from 0 to ${tokens - 1} other than the blank ${blank}. Check that the alphabet belongs to the model.`);
    }
    states[2 * k + 1] = label;
  }
  return states;
}

/** Whether a path may come to a state from the one before its neighbour, leaving out the blank between two different labels. */
const mayJumpTo = (states: Int32Array, s: number): boolean => s >= 2 && states[s] !== states[s - 2];

/** [time, state]: log of the summed probability of everything that starts a path and is in that state at that frame. */
function forwards(data: ArrayLike<number>, frames: number, tokens: number, states: Int32Array): Float64Array {
  const size = states.length;
  const alpha = new Float64Array(frames * size).fill(-Infinity);
  for (let s = 0; s < Math.min(2, size); s++) alpha[s] = data[states[s]];
  for (let t = 1; t < frames; t++) {
    const [now, before] = [t * size, (t - 1) * size];
    for (let s = 0; s < size; s++) {
      const step = s >= 1 ? alpha[before + s - 1] : -Infinity;
      const jump = mayJumpTo(states, s) ? alpha[before + s - 2] : -Infinity;
      alpha[now + s] = logAdd(alpha[before + s], step, jump) + data[t * tokens + states[s]];
    }
  }
  return alpha;
}

/** Visits the frames from the last with log of the summed probability of everything that ends a path from each state, that frame left out. */
function walkBackwards(data: ArrayLike<number>, frames: number, tokens: number, states: Int32Array, visit: (t: number, beta: Float64Array) => void): void {
  const size = states.length;
  let beta = new Float64Array(size).fill(-Infinity);
  for (let s = Math.max(0, size - 2); s < size; s++) beta[s] = 0;
  visit(frames - 1, beta);
  for (let t = frames - 1; t > 0; t--) {
    const earlier = new Float64Array(size);
    const through = beta.map((value, s) => value + data[t * tokens + states[s]]);
    for (let s = 0; s < size; s++) {
      const step = s + 1 < size ? through[s + 1] : -Infinity;
      const jump = s + 2 < size && mayJumpTo(states, s + 2) ? through[s + 2] : -Infinity;
      earlier[s] = logAdd(through[s], step, jump);
    }
    beta = earlier;
    visit(t - 1, beta);
  }
}

/** log(eᵃ + eᵇ + eᶜ), −Infinity for nothing; NaN stays NaN. */
function logAdd(a: number, b: number, c: number): number {
  const top = Math.max(a, b, c);
  return top === -Infinity ? top : top + Math.log(Math.exp(a - top) + Math.exp(b - top) + Math.exp(c - top));
}
