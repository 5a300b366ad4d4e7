import { createRandom, type Random } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import { rateOf, type UtteranceErrors } from './error-rate.ts';

type Counted = Pick<UtteranceErrors, 'errors' | 'length'>;

/** How often and from which seed to draw. */
export interface ResamplingOptions {
  /** Default 0. */
  readonly seed?: number | string;
  /** Default 10000. */
  readonly samples?: number;
  /** Share of the samples within the interval. Default 0.95. */
  readonly level?: number;
}

/** Where an error rate, or the difference of two, lies. */
export interface Interval {
  readonly low: number;
  readonly high: number;
  readonly level: number;
}

/**
 * Confidence interval of an error rate from the utterances alone: the corpus is drawn again and again, utterance by utterance with
 * replacement, and the middle `level` of the error rates is the interval. Bisani & Ney 2004, "Bootstrap estimates for confidence
 * intervals in ASR performance evaluation". It takes utterances as independent: with few speakers it is too narrow.
 * @throws CoppiceError `COPPICE_CONFIG_INVALID` for no utterances, samples or a level outside 0…1
 */
export function bootstrapInterval(utterances: readonly Counted[], options: ResamplingOptions = {}): Interval {
  const { seed, samples, level } = checked(utterances.length, options);
  const errors = Float64Array.from(utterances, (utterance) => utterance.errors);
  const lengths = Float64Array.from(utterances, (utterance) => utterance.length);
  const random = createRandom(`bootstrap/${seed}`);
  return intervalOf(Float64Array.from({ length: samples }, () => {
    const [drawnErrors, drawnLength] = draw(random, errors, lengths);
    return rateOf(drawnErrors, drawnLength);
  }), level);
}

/** How two systems differ on the same utterances. */
export interface Comparison {
  /** Error rate of the second less that of the first: above 0 when the second is worse. */
  readonly difference: number;
  /** Where the difference lies, by bootstrap over utterances, both systems drawn together. */
  readonly interval: Interval;
  /** Share of the bootstrap samples in which the second is better, those in which both are equal counted half. */
  readonly probabilityOfImprovement: number;
  /** Two-sided: how often systems that are equally good would differ as much as these or more. */
  readonly pValue: number;
}

/**
 * Whether a second system differs from a first one on the same utterances. The interval and the probability of improvement are the paired
 * bootstrap of Bisani & Ney 2004. The p-value is that of approximate randomisation with each utterance as a matched pair (Noreen 1989;
 * Yeh 2000): were the two equally good, it would be chance which result of an utterance belongs to which; so they are exchanged at random,
 * (1 + samples that differ as much) / (1 + samples).
 * @throws CoppiceError `COPPICE_CONFIG_INVALID` as `bootstrapInterval`, and when the two do not have the same utterances
 */
export function compareSystems(first: readonly Counted[], second: readonly Counted[], options: ResamplingOptions = {}): Comparison {
  const { seed, samples, level } = checked(first.length, options);
  const odd = first.findIndex(({ length }, k) => length !== second[k]?.length);
  if (odd >= 0 || first.length !== second.length) {
    const where = odd >= 0 && odd < second.length ? `utterance ${odd + 1} has ${first[odd].length} and ${second[odd].length} units of reference` : `one has ${first.length} utterances, the other ${second.length}`;
    throw invalid(`the two systems were not evaluated on the same utterances: ${where}`, 'Evaluate both on the same list, in the same order');
  }
  const lengths = Float64Array.from(first, ({ length }) => length);
  const differences = Float64Array.from(first, ({ errors }, k) => second[k].errors - errors);
  const length = lengths.reduce((a, b) => a + b, 0);
  const total = differences.reduce((a, b) => a + b, 0);

  const random = createRandom(`paired/${seed}`);
  let better = 0;
  const drawn = Float64Array.from({ length: samples }, () => {
    const [errors, drawnLength] = draw(random, differences, lengths);
    better += errors < 0 ? 1 : errors === 0 ? 0.5 : 0;
    return rateOf(errors, drawnLength);
  });
  const coins = createRandom(`randomisation/${seed}`);
  let asMuch = 0;
  for (let sample = 0; sample < samples; sample++) {
    let sum = 0;
    for (const difference of differences) if (difference !== 0) sum += coins.uniform() < 0.5 ? difference : -difference;
    if (Math.abs(sum) >= Math.abs(total)) asMuch++;
  }
  return { difference: rateOf(total, length), interval: intervalOf(drawn, level), probabilityOfImprovement: better / samples, pValue: (1 + asMuch) / (1 + samples) };
}

/** Sums over as many utterances as there are, drawn with replacement. */
function draw(random: Random, errors: Float64Array, lengths: Float64Array): [errors: number, length: number] {
  let [sum, length] = [0, 0];
  for (let k = 0; k < errors.length; k++) {
    const chosen = random.integer(errors.length);
    sum += errors[chosen];
    length += lengths[chosen];
  }
  return [sum, length];
}

/** The middle `level` of numbers, which it sorts; between two of them in proportion. */
function intervalOf(values: Float64Array, level: number): Interval {
  values.sort();
  const quantile = (share: number): number => {
    const place = share * (values.length - 1);
    const below = values[Math.floor(place)];
    const above = values[Math.ceil(place)];
    return below === above ? below : below + (place % 1) * (above - below);
  };
  return { low: quantile((1 - level) / 2), high: quantile((1 + level) / 2), level };
}

function checked(utterances: number, { seed = 0, samples = 10_000, level = 0.95 }: ResamplingOptions): Required<ResamplingOptions> {
  if (utterances === 0) throw invalid('there are no utterances', 'Evaluate at least one');
  if (!Number.isInteger(samples) || samples < 1) throw invalid(`samples is ${samples}`, 'Give a whole number from 1, usually 10000');
  if (!(level > 0 && level < 1)) throw invalid(`the level is ${level}`, 'Give a number between 0 and 1, usually 0.95');
  return { seed, samples, level };
}

const invalid = (what: string, next: string): CoppiceError => new CoppiceError('COPPICE_CONFIG_INVALID', `Error rates cannot be resampled: ${what}. ${next}.`);
