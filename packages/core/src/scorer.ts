import type { Tensor } from '@coppice/graph';
import type { GroupKind } from './analysis/groups.ts';

/** What core can lay beside a slice of a unit. A scorer receives what it names in `needs`; nothing else is computed. */
export interface Evidence {
  /** The unit's elements of one initializer, row-major, as 32-bit floats (quantised weights as their integers). Empty where activations meet no weight. */
  readonly weights: Float32Array;
  /** What the elements were in one batch where the model reads the unit: the unit's indices of the input of a consumer, all frames of all items. */
  readonly activations: Float32Array;
  /** The derivative of the mean loss of one batch with respect to each weight; zeros where an initializer has none. */
  readonly gradients: Float32Array;
  /** Measured: the mean loss of one batch with the activations of the unit alone forced to zero, minus that of the whole model. Negative where the model does better without it. */
  readonly loss: number;
}

export type Need = keyof Evidence;

/** The gradients of one batch: initializer → float32 tensor of its shape. */
export type Gradients = ReadonlyMap<string, Tensor>;

/** Where a slice lies. */
export interface SlicePlace {
  /** Id of the unit. */
  readonly unit: number;
  /** `out`: makes the unit (rows of a weight, its bias). `in`: reads it (columns of a weight). `along`: scales or shifts it (norms). */
  readonly role: 'out' | 'in' | 'along';
  /** ONNX operator that uses the slice, and the name of the input in its specification, e.g. `BatchNormalization`, `scale`. */
  readonly operator: string;
  readonly operand: string;
  /** Name of the initializer; empty where activations meet no weight, and for what is measured of a unit as a whole. */
  readonly initializer: string;
}

/** What `add` is told: a slice with the evidence that the scorer needs. */
export type ScoredSlice<N extends Need = Need> = SlicePlace & Pick<Evidence, N> & {
  /** Counts from 0; the slices of a batch come together. Always 0 where only weights are needed. */
  readonly batch: number;
};

/** What a scorer knows of each unit beforehand. */
export interface UnitInfo {
  readonly id: number;
  readonly group: string;
  readonly kind: GroupKind;
  /** The lane of the group that it lies in, e.g. a direction of a recurrent layer. */
  readonly lane: number;
}

export interface ScoreContext {
  readonly seed: number;
}

/**
 * An importance criterion. `start` makes a state, `add` is called for every slice of every unit (once for each batch where the scorer
 * needs activations or gradients; once for each unit and batch where it needs the loss), `finish` turns the state into one non-negative
 * number for each unit: higher = keep. State is an argument, so that it can be saved and taken up again: plain data, typed arrays, Maps and Sets.
 */
export interface Scorer<N extends Need = Need, S = unknown> {
  readonly name: string;
  readonly needs: readonly N[];
  /** Scores of different groups can be compared as they are. Otherwise global ranking divides by the mean of the group. */
  readonly comparable?: boolean;
  start(units: readonly UnitInfo[], context: ScoreContext): S;
  add(state: S, slice: ScoredSlice<N>): S | void;
  finish(state: S, units: readonly UnitInfo[]): ArrayLike<number>;
}

/** The short form of a criterion: from a unit's weight slices to a number. */
export interface WeightCriterion {
  readonly name: string;
  readonly comparable?: boolean;
  readonly score: (weights: readonly Float32Array[], unit: UnitInfo) => number;
}

/** Returns its argument; gives a plugin file its types. */
export const defineScorer = <const N extends Need, S>(scorer: Scorer<N, S>): Scorer<N, S> => scorer;

/** A scorer from the short form: `defineCriterion({ name: 'l1', score: (slices) => … })`. */
export const defineCriterion = ({ name, comparable, score }: WeightCriterion): Scorer<'weights', Float32Array[][]> => ({
  name,
  comparable,
  needs: ['weights'],
  start: (units) => units.map(() => []),
  add(slices, { unit, weights }) {
    slices[unit].push(weights);
  },
  finish: (slices, units) => slices.map((list, unit) => score(list, units[unit])),
});
