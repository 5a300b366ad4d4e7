import type { Attributes, LegacyMeaning, operators, OperatorName } from '@coppice/graph';
import type { Emit, Known, Value } from './emit.ts';

type Strip<S> = S extends `${infer N}?` ? N : S extends `${infer N}...` ? N : S;
type Names<L extends readonly string[]> = Strip<L[number]>;
type Slot<L extends readonly string[], N, V> = `${N & string}...` extends L[number] ? readonly V[] : `${N & string}?` extends L[number] ? V | undefined : V;
/** Something for each operand or result of an operator, by its name in the specification; optional ones may be undefined, variadic ones are lists. */
export type ByName<L extends readonly string[], V> = { readonly [N in Names<L>]: Slot<L, N, V> };

type InputsOf<N extends OperatorName> = (typeof operators)[N]['inputs'];
type OutputsOf<N extends OperatorName> = (typeof operators)[N]['outputs'];

/** A node on the way from a parameter to the loss, as a rule sees it: the newest form, whatever the opset of the file. */
export interface Call<N extends OperatorName = OperatorName> {
  readonly op: N;
  readonly attributes: Attributes<N>;
  /** What an old form of the operator means and its newest form cannot say. */
  readonly legacy: LegacyMeaning;
  readonly inputs: ByName<InputsOf<N>, Known>;
  readonly outputs: ByName<OutputsOf<N>, Known>;
  /** Contents of operands that are the same in all runs: axes, shapes, limits. */
  readonly constants: { readonly [I in Names<InputsOf<N>>]?: readonly number[] };
  /** Whether the model is being trained, so that batch norms use the statistics of the batch. */
  readonly training: boolean;
  /** Whether anyone asks for the gradient of this input; for rules that would compute something for it beforehand. */
  wants(input: Names<InputsOf<N>>): boolean;
  readonly emit: Emit;
}

/** What flows back into a node. */
export interface Cotangents<N extends OperatorName> {
  /** The derivative of the loss with respect to the first result; zeros where only others are used. */
  readonly dY: Value;
  /** The same for each result; undefined where nobody uses it. */
  readonly gradients: { readonly [O in Names<OutputsOf<N>>]?: Value };
}

/**
 * One thunk for each input that a gradient reaches (for variadic inputs a list), so that only those that are wanted are emitted. Inputs
 * that select or shape (indices, axes) have none.
 */
export type Gradients<N extends OperatorName> = { readonly [I in Names<InputsOf<N>>]?: Slot<InputsOf<N>, I, (() => Value) | undefined> };

/** The vector–Jacobian product of an operator. */
export type Rule<N extends OperatorName> = (call: Call<N> & Cotangents<N>) => Gradients<N>;

/** Results of an operator by name, those that nobody uses left out, and what training changes in initializers. */
export interface Forward<N extends OperatorName, S> {
  readonly outputs: { readonly [O in Names<OutputsOf<N>>]?: Value };
  /** What the backward pass needs beside inputs and results. */
  readonly saved: S;
  /** New contents of operands that are state, e.g. running statistics. */
  readonly updates?: { readonly [I in Names<InputsOf<N>>]?: Value };
}

/** A rule that computes the operator in another way, so that the backward pass finds what it needs (a custom VJP, Frostig et al. 2018). */
export interface RuleWithForward<N extends OperatorName, S = unknown> {
  /** Takes the place of the node; undefined leaves the node as it is. */
  forward(call: Call<N>): Forward<N, S> | undefined;
  /** @param call `saved` is what `forward` saved, undefined where the node stayed as it is */
  backward(call: Call<N> & Cotangents<N> & { readonly saved: S | undefined }): Gradients<N>;
}

/** A row that is missing on purpose, with the sentence a user reads instead. */
export interface Absent { readonly absent: string }
export const absent = (because: string): Absent => ({ absent: because });

/** Keeps the type of what `forward` saves. */
export const withForward = <N extends OperatorName, S>(rule: RuleWithForward<N, S>): RuleWithForward<N, S> => rule;

/** The rows of one family, by operator. */
export type Row<N extends OperatorName> = Rule<N> | RuleWithForward<N, unknown> | Absent;
export type Rows = { readonly [N in OperatorName]?: Row<N> };

/** Refused while the graph is built, with a sentence that completes "… has no gradient here: ". */
export class NoGradient extends Error {}
