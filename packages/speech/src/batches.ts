import { createRandom, type NamedTensors } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import { outputFrames, type SpeechDescription } from './description.ts';
import { featureWidth } from './features/index.ts';
import { layOutFeatures } from './input-layout.ts';
import type { Example } from './prepare.ts';
import { specAugment, type SpecAugmentPolicy } from './spec-augment.ts';

export interface BatchOptions {
  readonly description: Pick<SpeechDescription, 'features' | 'input' | 'inputAxes' | 'frameStride'>;
  /** Examples of a batch; the last one may have fewer. */
  readonly batchSize: number;
  /** Of the order and of the masks. With the same seed and epoch everything is the same. */
  readonly seed: number | string;
  /** Counts from 0. */
  readonly epoch: number;
  /**
   * Batches whose examples are sorted by length together: 1 pads most and mixes best, more pad less. All at once, in order of
   * length and not shuffled, for `in-order`, which is for evaluation. Default 16.
   */
  readonly pool?: number | 'in-order';
  /** Masks features; none when left out. */
  readonly augment?: SpecAugmentPolicy;
}

/** What a training step reads. */
export interface Batch {
  /** Of its examples, in order. */
  readonly examples: readonly Example[];
  /**
   * The features under the name of the model's input, laid out as its axes, zeros after the end of each item; `targets` int64
   * [batch, label], zeros after the end; `target_lengths` int64 [batch]; `input_lengths` int64 [batch], in frames of the model's output.
   */
  readonly tensors: NamedTensors;
  /** Frames of the model's output for each item. */
  readonly inputLengths: readonly number[];
}

/** The batches of an epoch, made when they are asked for, in any order: to go on after a stop, begin at the next. */
export interface Batches {
  readonly count: number;
  /** Share of all frames that are padding. */
  readonly paddingShare: number;
  /** @throws RangeError for a number that is not from 0 to below `count` */
  batch(index: number): Batch;
}

/**
 * Examples of like length together, in an order that depends on the seed and the epoch alone: examples are shuffled, sorted by
 * length within pools of batches, cut into batches, and the batches shuffled.
 * @throws CoppiceError `COPPICE_CONFIG_INVALID` for numbers that make no sense, `COPPICE_DESCRIPTION_INVALID` when examples have
 * another width than the description says
 */
export function makeBatches(examples: readonly Example[], options: BatchOptions): Batches {
  const { description, batchSize, seed, epoch, pool = 16, augment } = options;
  for (const [name, value] of Object.entries({ batchSize, ...(pool === 'in-order' ? {} : { pool }) })) {
    if (!Number.isInteger(value) || value < 1) throw new CoppiceError('COPPICE_CONFIG_INVALID', `Batches cannot be made: ${name} is ${value}, and must be a whole number from 1.`);
  }
  const width = featureWidth(description.features);
  const wrong = examples.find(({ features, frames }) => features.length !== frames * width);
  if (wrong) throw new CoppiceError('COPPICE_DESCRIPTION_INVALID', `${wrong.id} has ${wrong.features.length / wrong.frames} features a frame, and the description says ${width}. Compute its features with that description.`);
  const order = pool === 'in-order' ? cut([...examples].sort(byFrames), batchSize) : shuffled(examples, batchSize, pool, `${seed}/order/${epoch}`);
  const [real, padded] = order.reduce(([sum, all], batch) => [sum + total(batch), all + batch.length * longest(batch)], [0, 0]);
  return {
    count: order.length,
    paddingShare: padded === 0 ? 0 : 1 - real / padded,
    batch(index) {
      const chosen = order[index];
      if (chosen === undefined) throw new RangeError(`There is no batch ${index}: they are 0 to ${order.length - 1}.`);
      return makeBatch(chosen, description, augment && ((batch) => specAugment(batch, augment, createRandom(`${seed}/augment/${epoch}/${index}`))));
    },
  };
}

const byFrames = (a: Example, b: Example): number => a.frames - b.frames;
const total = (batch: readonly Example[]): number => batch.reduce((sum, { frames }) => sum + frames, 0);
const longest = (batch: readonly Example[]): number => batch.reduce((most, { frames }) => Math.max(most, frames), 0);

function cut<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, k) => items.slice(k * size, (k + 1) * size));
}

function shuffled(examples: readonly Example[], batchSize: number, pool: number, seed: string): Example[][] {
  const random = createRandom(seed);
  const pools = cut(random.shuffle(examples), batchSize * pool);
  return random.shuffle(pools.flatMap((items) => cut(items.sort(byFrames), batchSize)));
}

/**
 * One batch of these examples, in their order.
 * @param change what happens to the features [batch, time, feature] before they are laid out, in place
 */
export function makeBatch(
  examples: readonly Example[],
  description: BatchOptions['description'],
  change?: (batch: Parameters<typeof specAugment>[0]) => void,
): Batch {
  const width = featureWidth(description.features);
  const [batch, time, labels] = [examples.length, longest(examples), examples.reduce((most, each) => Math.max(most, each.labels.length), 0)];
  const data = new Float32Array(batch * time * width);
  // At least one column, so that a batch of silence has a shape that runtimes accept.
  const columns = Math.max(1, labels);
  const targets = new BigInt64Array(batch * columns);
  for (const [item, { features, labels: own }] of examples.entries()) {
    data.set(features, item * time * width);
    for (let k = 0; k < own.length; k++) targets[item * columns + k] = BigInt(own[k]);
  }
  change?.({ data, time, width, lengths: examples.map(({ frames }) => frames) });
  const inputLengths = examples.map(({ frames }) => outputFrames(frames, description));
  const counts = (values: readonly number[]) => ({ dtype: 'int64', dims: [batch], data: BigInt64Array.from(values, BigInt) }) as const;
  return {
    examples,
    inputLengths,
    tensors: {
      [description.input]: layOutFeatures(data, { batch, time, feature: width }, description.inputAxes),
      targets: { dtype: 'int64', dims: [batch, columns], data: targets },
      target_lengths: counts(examples.map((each) => each.labels.length)),
      input_lengths: counts(inputLengths),
    },
  };
}
