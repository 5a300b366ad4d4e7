import type { Random } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';

/** How many masks of which width (Park et al. 2019, table 1: F, m_F, T, p, m_T). */
export interface SpecAugmentPolicy {
  readonly frequencyMasks: number;
  /** Features that one mask covers at most (F). */
  readonly frequencyWidth: number;
  readonly timeMasks: number;
  /** Frames that one mask covers at most (T). */
  readonly timeWidth: number;
  /** Share of a recording's frames that one time mask covers at most (p), so that short ones keep something. */
  readonly timeShare: number;
  /** What masked features become. 0 is the mean where features are normalised, as the paper has it. */
  readonly value: number;
}

/** Policies of Park et al. 2019 for 80 mel bands of LibriSpeech, and a weaker one. */
export const specAugmentPolicies = {
  /** LibriSpeech basic, LB. */
  basic: { frequencyMasks: 1, frequencyWidth: 27, timeMasks: 1, timeWidth: 100, timeShare: 1, value: 0 },
  /** LibriSpeech double, LD. */
  double: { frequencyMasks: 2, frequencyWidth: 27, timeMasks: 2, timeWidth: 100, timeShare: 1, value: 0 },
  /** Between them, for 40 bands and recordings of a few seconds. */
  small: { frequencyMasks: 2, frequencyWidth: 8, timeMasks: 2, timeWidth: 20, timeShare: 0.2, value: 0 },
} as const satisfies Record<string, SpecAugmentPolicy>;

/** A batch of features, row-major. */
export interface FeatureBatch {
  /** [batch, time, feature] */
  readonly data: Float32Array;
  readonly time: number;
  readonly width: number;
  /** Frames of each item; what follows is padding and stays as it is. */
  readonly lengths: readonly number[];
}

/**
 * Masks bands of features and stretches of time, in place, for each item of a batch anew. A width is drawn evenly from 0 to its
 * most, then a place. Without time warping, which the paper finds to help least.
 * @throws CoppiceError `COPPICE_CONFIG_INVALID` for a policy with a number that makes no sense
 */
export function specAugment({ data, time, width, lengths }: FeatureBatch, policy: SpecAugmentPolicy, random: Random): void {
  checkPolicy(policy);
  const { frequencyMasks, frequencyWidth, timeMasks, timeWidth, timeShare, value } = policy;
  for (const [item, length] of lengths.entries()) {
    const begin = item * time * width;
    for (let mask = 0; mask < frequencyMasks; mask++) {
      const [first, end] = stretch(Math.min(frequencyWidth, width), width, random);
      for (let frame = 0; frame < length; frame++) data.fill(value, begin + frame * width + first, begin + frame * width + end);
    }
    for (let mask = 0; mask < timeMasks; mask++) {
      const [first, end] = stretch(Math.min(timeWidth, Math.floor(timeShare * length)), length, random);
      data.fill(value, begin + first * width, begin + end * width);
    }
  }
}

function stretch(most: number, length: number, random: Random): [first: number, end: number] {
  const covered = random.integer(most + 1);
  const first = random.integer(length - covered + 1);
  return [first, first + covered];
}

function checkPolicy(policy: SpecAugmentPolicy): void {
  const invalid = (name: string, rule: string): CoppiceError => new CoppiceError('COPPICE_CONFIG_INVALID', `The policy of SpecAugment makes no sense: ${name} ${rule}.`);
  for (const name of ['frequencyMasks', 'frequencyWidth', 'timeMasks', 'timeWidth'] as const) {
    if (!Number.isInteger(policy[name]) || policy[name] < 0) throw invalid(name, `is ${policy[name]}, and must be a whole number from 0`);
  }
  if (!(policy.timeShare >= 0 && policy.timeShare <= 1)) throw invalid('timeShare', `is ${policy.timeShare}, and must be from 0 to 1`);
  if (!Number.isFinite(policy.value)) throw invalid('value', `is ${policy.value}, and must be finite`);
}
