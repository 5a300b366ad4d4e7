import type { LegacyMeaning } from '@coppice/graph';
import type { NodeView, Shape } from './signature.ts';

/** An integer attribute, or what its absence means. */
export const integer = (node: NodeView, name: string, absence: number): number => (node.attributes[name] as number | undefined) ?? absence;

/** A list of integers, undefined where the attribute is absent. */
export const integers = (node: NodeView, name: string): readonly number[] | undefined => node.attributes[name] as readonly number[] | undefined;

/** What the newest form of the operator cannot say about a node of an old operator set. */
export const legacyOf = (node: NodeView & { readonly legacy?: LegacyMeaning }): LegacyMeaning => node.legacy ?? {};

/** Whether an optional operand is there but nobody knows its contents before a run. */
export const unknownOperand = (node: NodeView, input: number): boolean => node.inputs[input] !== undefined && node.constants[input] === undefined;

/** The size of one axis in every run. */
export const sizesOf = (node: NodeView, side: 'inputs' | 'outputs', value: number, axis: number): number[] => node.runs.map((run) => run[side][value]![axis]);

/** Whether a size differs between the runs. */
export const varies = (sizes: readonly number[]): boolean => sizes.some((n) => n !== sizes[0]);

/** Whether two axes have the same size in every run. */
export const agree = (a: readonly number[], b: readonly number[]): boolean => a.every((n, run) => n === b[run]);

/** Whether an axis of the first input is as long as an axis of the first output in every run. */
export const passes = (node: NodeView, inputAxis: number, outputAxis: number = inputAxis): boolean =>
  agree(sizesOf(node, 'inputs', 0, inputAxis), sizesOf(node, 'outputs', 0, outputAxis));

/**
 * The notation for a node, one entry for each of its operands and results; those that are absent or have no entry become `.`.
 * A result or operand of rank 0 has the empty entry.
 */
export function notation(node: NodeView, inputs: readonly (string | undefined)[], outputs: readonly (string | undefined)[]): string {
  const side = (shapes: readonly (Shape | undefined)[], entries: readonly (string | undefined)[]) =>
    shapes.length === 0 ? '.' : shapes.map((shape, k) => (shape && entries[k] !== undefined ? entries[k] : '.')).join(', ');
  return `${side(node.inputs, inputs)} -> ${side(node.outputs, outputs)}`;
}

/** One sentence for all positions that begin with a letter: `{ S: 'time' }` explains `S0`, `S1`, … */
export function explain(axes: string, sentences: Readonly<Record<string, string>>): Record<string, string> {
  const because: Record<string, string> = {};
  for (const [label] of axes.matchAll(/[A-Z]\w*/g)) {
    const sentence = sentences[label] ?? sentences[label.replace(/[\d_]+$/, '')];
    if (sentence) because[label] = sentence;
  }
  return because;
}

/** The axes of an operand that broadcasting aligns with the tokens of the first result; the last axes align unless `shift` says otherwise. */
export function broadcastAxes(node: NodeView, tokens: readonly string[], input: number, count?: number, shift?: number): string {
  const shape = node.inputs[input];
  if (!shape) return '.';
  const axes = count ?? shape.length;
  const offset = shift ?? tokens.length - axes;
  return shape.slice(0, axes).map((_, a) => {
    const sizes = sizesOf(node, 'inputs', input, a);
    const aligned = sizesOf(node, 'outputs', node.outputs.findIndex((o) => o), a + offset);
    if (agree(sizes, aligned)) return tokens[a + offset];
    return sizes.every((n) => n === 1) ? '1' : `V${input}_${a}`;
  }).join(' ');
}

/** Why a broadcast axis can be a position: `V` of `broadcastAxes`. */
export const unevenBroadcast = 'it is broadcast in one run and not in another';
