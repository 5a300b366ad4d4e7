import type { Emit, Value } from '../../emit.ts';
import type { Activation } from './activations.ts';

/** One direction of a layer of G gates and H hidden units. */
export interface Direction {
  /** Reads from the last step to the first. */
  readonly reversed: boolean;
  /** [G·H, input]. */
  readonly W: Value;
  /** [G·H, H]. */
  readonly R: Value;
  /** Biases of the input's side and of the state's side, each [G·H]. */
  readonly biases?: readonly [Value, Value];
  /** [3·H]. */
  readonly peepholes?: Value;
  readonly hidden: number;
  readonly functions: readonly Activation[];
}

/** What one step leaves, [batch, H] each. */
export interface Stepped {
  /** The hidden state, and the cell's own state where it has one. */
  readonly states: readonly Value[];
  /** What the way back needs beside the states. */
  readonly gates: readonly Value[];
}

/** All steps of one direction, stacked along time. */
export interface Trajectory {
  /** The states after each step [time, batch, H]. */
  readonly states: readonly Value[];
  /** The states before each step [time, batch, H]. */
  readonly previous: readonly Value[];
  /** As the steps left them, [time, batch, H] each. */
  readonly gates: readonly Value[];
}

/** The way back through one direction. */
export interface WayBack {
  /** What the steps need, prepared for all of them at once, [time, …] each: the less is left to the loop, the better. */
  readonly sequences: readonly Value[];
  /**
   * One step back.
   * @param slices of the sequences
   * @param d cotangents of the states after the step [batch, H]
   * @returns cotangents of the states before the step, and what `finish` needs
   */
  step(emit: Emit, slices: readonly Value[], d: readonly Value[]): { readonly d: readonly Value[]; readonly kept: readonly Value[] };
  /** @param kept what the steps returned, stacked along time */
  finish(kept: readonly Value[]): Sums;
}

/** What the gradients of the parameters are made of, in large products over all steps. */
export interface Sums {
  /** Cotangents of W·x + its bias, [time, batch, G·H]. */
  readonly input: Value;
  /** Cotangents of R·h + its bias, [time, batch, G·H]. */
  readonly state: Value;
  /** What R was multiplied with: the rows of so many gates with [time, batch, H]; default: all with the states before each step. */
  readonly multiplied?: readonly { readonly gates: number; readonly by: Value }[];
  /** Cotangents of what the peepholes were multiplied with, and that, gate by gate. */
  readonly peepholes?: readonly (readonly [Value, Value])[];
}

/** A kind of recurrent layer. */
export interface Cell {
  /** Blocks of rows in W and R. */
  readonly gates: number;
  /** Activation functions of one direction where the node names none. */
  readonly functions: readonly string[];
  /** How many gates a step leaves for the way back. */
  readonly saves: number;
  /** How many values a step back leaves for `finish`. */
  readonly keeps: number;
  /** How many states go from step to step. */
  readonly states: 1 | 2;
  /** What is added to W·x before the loop; undefined without biases. */
  bias(emit: Emit, direction: Direction): Value | undefined;
  /**
   * The step of one direction; what does not change from step to step is computed here.
   * @returns a function of W·x + bias [batch, G·H] and the states before the step
   */
  forward(emit: Emit, direction: Direction): (emit: Emit, projected: Value, states: readonly Value[]) => Stepped;
  backward(emit: Emit, direction: Direction, trajectory: Trajectory): WayBack;
}
