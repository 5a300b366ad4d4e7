import type { Backend, NamedTensors } from '../backend.ts';
import type { Loss } from '../loss.ts';
import type { Gradients } from '../scorer.ts';

/** How far scoring is. */
export interface ScoreProgress {
  readonly stage: 'weights' | 'activations' | 'gradients' | 'loss';
  /** Initializers; batches of data; for the loss, units measured, those of all batches together. */
  readonly done: number;
  /** Not known for batches that come one after another. */
  readonly total?: number;
}

/** A scorer between two batches, to be taken up later. `serialiseState` makes a text of it. */
export interface ScoreState {
  readonly scorer: string;
  /** Batches that it has heard of. */
  readonly batches: number;
  /** Which units it has heard of, 1 = yes, by unit id. */
  readonly seen: Uint8Array;
  /** The state of the scorer itself. */
  readonly state: unknown;
}

export interface ScoreOptions {
  /** For scorers with random numbers. Default 0. */
  readonly seed?: number;
  /** What runs the model, for scorers that need activations or the loss. */
  readonly backend?: Backend;
  /**
   * Batches of inputs for scorers that need activations (default: the random inputs of the trace) or the loss, which needs its labels
   * beside the inputs.
   */
  readonly data?: Iterable<NamedTensors> | AsyncIterable<NamedTensors>;
  /** For scorers that need gradients: one map for each batch, of the model that the units are of (`units.analysed.program.model`). */
  readonly gradients?: Iterable<Gradients> | AsyncIterable<Gradients>;
  /** For scorers that need the loss. */
  readonly loss?: Loss;
  /** Goes on from here: `data` and `gradients` are then what follows the first `resume.batches` batches. It stays as it was. */
  readonly resume?: ScoreState;
  /** Called after each batch. The state changes with the next one: copy it before returning. */
  readonly onState?: (state: ScoreState) => void | Promise<void>;
  readonly onProgress?: (progress: ScoreProgress) => void;
  /** Takes sentences that limit what the scores mean. */
  readonly onNote?: (note: string) => void;
}

/** How many batches there will be, where that is known. */
export const countOf = (batches: Iterable<unknown> | AsyncIterable<unknown>): number | undefined => (Array.isArray(batches) ? batches.length : undefined);

