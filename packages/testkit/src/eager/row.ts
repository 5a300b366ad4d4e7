import type { Attributes, operators, OperatorName } from '@coppice/graph';
import type { Array64 } from './array64.ts';

/** The operands of an operator in the order of the specification; a variadic one is what is left. */
type Operands<L extends readonly string[]> = L extends readonly [infer Head, ...infer Rest extends readonly string[]]
  ? Head extends `${string}...`
    ? readonly Array64[]
    : readonly [Head extends `${string}?` ? Array64 | undefined : Array64, ...Operands<Rest>]
  : readonly [];

/**
 * An operator computed in float64: slow, and straight from the ONNX specification.
 * @param attributes defaults filled in
 * @param outputs how many results are wanted
 */
export type EagerOperator<N extends OperatorName> = (inputs: Operands<(typeof operators)[N]['inputs']>, attributes: Attributes<N>, outputs: number) => readonly Array64[];

/** The operators of one family. */
export type EagerRows = { readonly [N in OperatorName]?: EagerOperator<N> };
