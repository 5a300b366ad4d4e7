import type { NamedTensors } from '@coppice/core';
import { makeBatches, perturbSpeed, specAugmentPolicies, type Batches, type Dataset, type Example, type SpeechDescription } from '@coppice/speech';
import type { Terminal } from '../terminal.ts';
import { preparePart } from './corpus.ts';

/** The policies of SpecAugment by name. */
export type AugmentName = keyof typeof specAugmentPolicies | 'none';

export interface TrainingDataRequest {
  readonly dataset: Dataset;
  readonly split: string;
  readonly description: SpeechDescription;
  readonly batchSize: number;
  readonly seed: number;
  readonly augment: AugmentName;
  /** Factors that the speed of a recording is drawn from; `[1]` leaves it. */
  readonly speeds: readonly number[];
  /** Whether the corpus and its speeds are drawn anew every few epochs, where they can be. */
  readonly redraw: boolean;
}

/** Batches of training, step by step. The same step always has the same batch, whatever was asked for before. */
export interface TrainingData {
  readonly stepsPerEpoch: number;
  /** Mean number of output frames of an utterance. */
  readonly meanFrames: number;
  readonly paddingShare: number;
  /** The batch of a step; steps count from 1. */
  batch(step: number): Promise<NamedTensors>;
}

/**
 * Prepares a part of a corpus for training. Every epoch has as many steps as the first one, so that the place of a step is known without
 * going through the epochs before; where a later draw has fewer batches, its first ones come again.
 */
export async function trainingData({ dataset, split, description, batchSize, seed, augment, speeds, redraw }: TrainingDataRequest, terminal: Terminal): Promise<TrainingData> {
  const policy = augment === 'none' ? undefined : specAugmentPolicies[augment];
  const heard = perturbSpeed(dataset, speeds, seed);
  const drawn = async (draw: number): Promise<readonly Example[]> => (await preparePart(heard, { split, description, purpose: 'training', epoch: draw }, terminal)).examples;
  const first = await drawn(0);
  const batchesOf = (examples: readonly Example[], epoch: number): Batches => makeBatches(examples, { description, batchSize, seed, epoch, augment: policy });
  const opening = batchesOf(first, 0);
  const stepsPerEpoch = opening.count;
  let current = { draw: 0, examples: first, epoch: 0, batches: opening };
  return {
    stepsPerEpoch,
    meanFrames: first.reduce((sum, { frames }) => sum + Math.ceil(frames / description.frameStride), 0) / first.length,
    paddingShare: opening.paddingShare,
    async batch(step) {
      const epoch = Math.floor((step - 1) / stepsPerEpoch);
      if (epoch !== current.epoch) {
        const draw = redraw ? Math.floor(epoch / EPOCHS_OF_A_DRAW) : 0;
        const examples = draw === current.draw ? current.examples : await drawn(draw);
        current = { draw, examples, epoch, batches: batchesOf(examples, epoch) };
      }
      return current.batches.batch(((step - 1) % stepsPerEpoch) % current.batches.count).tensors;
    },
  };
}

/** Putting recordings together and computing features anew each time takes as long as a training step; masks and order change in every epoch anyway. */
const EPOCHS_OF_A_DRAW = 4;
