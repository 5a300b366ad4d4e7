import type { AttributeValue, LegacyMeaning } from '@coppice/graph';

export type Shape = readonly number[];

/** What a row sees of a node: the newest form of its attributes, traced shapes, known contents of operands. No names, no graph. */
export interface NodeView {
  readonly op: string;
  readonly domain: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** What an old form of the operator means and its newest form cannot say. */
  readonly legacy?: LegacyMeaning;
  /** Shapes by input position in the first run; undefined where an optional input is absent. */
  readonly inputs: readonly (Shape | undefined)[];
  readonly outputs: readonly (Shape | undefined)[];
  /** Contents of operands that are the same in all runs and do not depend on data: literals and folded shape arithmetic. */
  readonly constants: readonly (readonly number[] | undefined)[];
  /** The shapes of every run, the first included, so that a row can tell a size that varies from one that does not. */
  readonly runs: readonly { readonly inputs: readonly (Shape | undefined)[]; readonly outputs: readonly (Shape | undefined)[] }[];
}

/**
 * The axes of a node as sums of products of labels: `n (g i@g) S0, (g o@g) i@g K0 -> n (g o@g) T0`.
 *
 * One entry for each input and output, separated by commas; one token for each axis:
 * - `c` a label. Axes with the same label are the same thing, index by index. Lower case: may be cut. Upper case: a position
 *   (time, kernel tap, gate), never cut.
 * - `1` an axis of size one, or one that is broadcast: it ties nothing.
 * - `(g c)` a product, outer factor first; `(a+b)` a sum: the parts lie end to end.
 * - `c@g` the label c has its own elements within each element of g, and the same number of them must go from each.
 * - `c~` the node mixes all elements of this axis (a norm): cutting it is exact only if the full width is restored around the node.
 * - `.` in place of a whole entry: an operand (a shape, bounds, an absent input) that has no axes of interest.
 *   An empty entry list before `->` is written `.` too.
 */
export interface Signature {
  readonly axes: string;
  /** Sizes that no axis states alone, e.g. the number of groups. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** A label whose elements are picked from another label's: element k of the key is element `at[k]` of `of` (-1: none). */
  readonly select?: Readonly<Record<string, { readonly of: string; readonly at: readonly number[] }>>;
  /** Products of labels whose value is one multiply–accumulate each; terms are added: `n o i K0 T0 + n o`. */
  readonly macs?: string;
  /** What repeats a size in the file, so that cutting rewrites it. */
  readonly restates?: readonly Restatement[];
  /** Attributes that are implied while absent and must be written out once `label` has lost elements, e.g. the 1/√d of Attention. */
  readonly pins?: readonly { readonly label: string; readonly attribute: string; readonly value: number }[];
  /** The sentence a user reads for a position label that freezes something: `{ S0: 'the convolution slides along this axis' }`. */
  readonly because?: Readonly<Record<string, string>>;
}

/** A place in the file that repeats sizes. `operand` counts the newest form's inputs; where the file has it as an attribute, that is rewritten. */
export type Restatement =
  /** An integer attribute equals an expression over labels: `{ attribute: 'group', is: 'g' }`. */
  | { readonly attribute: string; readonly is: string }
  /** An operand lists sizes, one expression each: `{ operand: 1, are: ['c0', 'c1'] }` (Split). `undefined` leaves that entry as it is. */
  | { readonly operand: number; readonly are: readonly (string | undefined)[] }
  /** An operand states the shape of an output, axis by axis (Reshape, Expand, ConstantOfShape). Entries 0 and -1 of Reshape stay. */
  | { readonly operand: number; readonly shapeOfOutput: number }
  /** An operand lists indices into the elements of label `of`, in the order of the elements of label `selected`; they are renumbered (Gather). */
  | { readonly operand: number; readonly indicesInto: string; readonly selected: string }
  /** An operand lists the coordinates of every element of a grid over labels; coordinates of labels that lost elements are renumbered (ScatterND). */
  | { readonly operand: number; readonly gridOver: readonly string[]; readonly coordinates: readonly (readonly number[])[] }
  /** Slice: the kept elements of `selected` within `of`, along the axis at position `entry` of the bounds. */
  | { readonly slice: string; readonly of: string; readonly entry: number };

/** A node that no signature describes: everything it touches is frozen, and this sentence says why. */
export interface Frozen { readonly frozen: string }
export const frozen = (because: string): Frozen => ({ frozen: because });

export type StructureRule = (node: NodeView) => Signature | Frozen;
export type StructureRows = Readonly<Record<string, StructureRule>>;

/** One factor of a product. */
export interface Factor { readonly label: string; readonly within?: string; readonly mixed: boolean }
/** An axis: a sum of products; an empty list is the axis `1`. */
export type Axis = readonly (readonly Factor[])[];
export interface ParsedAxes { readonly inputs: readonly (readonly Axis[] | undefined)[]; readonly outputs: readonly (readonly Axis[] | undefined)[] }

/** Whether a label names a position, which is never cut. */
export const isPosition = (label: string): boolean => label[0] >= 'A' && label[0] <= 'Z';

const parsed = new Map<string, ParsedAxes>();

/** Reads the notation; the same string gives the same object. */
export function parseAxes(axes: string): ParsedAxes {
  let result = parsed.get(axes);
  if (!result) {
    const [left, right] = axes.split('->');
    if (right === undefined) throw new Error(`the signature '${axes}' has no '->'`);
    result = { inputs: parseSide(left), outputs: parseSide(right) };
    parsed.set(axes, result);
  }
  return result;
}

const parseSide = (side: string) => side.split(',').map((entry) => (entry.trim() === '.' ? undefined : [...entry.matchAll(/\(([^)]*)\)|(\S+)/g)].map((m) => parseAxis(m[1] ?? m[2]))));

const parseAxis = (text: string): Axis => (text === '1' ? [] : text.split('+').map((term) => parseProduct(term)));

/** Reads a product such as `g o@g`. */
export const parseProduct = (text: string): Factor[] =>
  text.trim().split(/\s+/).filter((t) => t !== '1' && t !== '').map((t) => {
    const mixed = t.endsWith('~');
    const [label, within] = (mixed ? t.slice(0, -1) : t).split('@');
    return { label, within, mixed };
  });

/** Value of an expression over sizes of labels: `g`, `k r`, `c0+c1`. */
export const evaluate = (expression: string, sizeOf: (label: string) => number): number =>
  expression.replace(/[()]/g, '').split('+').reduce((sum, term) => sum + parseProduct(term).reduce((p, { label }) => p * sizeOf(label), 1), 0);

/** The labels `a0 a1 …` for a value of some rank. */
export const letters = (rank: number, prefix = 'a'): string[] => Array.from({ length: rank }, (_, a) => `${prefix}${a}`);

/** An axis number as the specification allows it, made non-negative. */
export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/**
 * Sizes of all labels, from shapes and the stated sizes; shapes may disagree with the signature.
 * @returns the sizes, or a sentence that says where signature and shapes disagree
 */
export function labelSizes(signature: Signature, inputs: readonly (Shape | undefined)[], outputs: readonly (Shape | undefined)[]): Map<string, number> | string {
  const size = new Map(Object.entries(signature.sizes ?? {}));
  for (const [label, { at }] of Object.entries(signature.select ?? {})) size.set(label, at.length);
  const { inputs: ins, outputs: outs } = parseAxes(signature.axes);
  const pairs = [...ins.map((v, k) => [v, inputs[k]] as const), ...outs.map((v, k) => [v, outputs[k]] as const)];
  for (const [value, shape] of pairs) {
    if (value && shape && value.length !== shape.length) return `'${signature.axes}' states rank ${value.length} where the traced rank is ${shape.length}`;
  }
  for (let again = true; again; ) {
    again = false;
    for (const [value, shape] of pairs) {
      if (!value || !shape) continue;
      for (let a = 0; a < value.length; a++) {
        const axis = value[a];
        if (axis.length === 0) continue;
        let unknown: string | undefined;
        let unknownTerm: readonly Factor[] | undefined;
        let unknowns = 0;
        let known = 0;
        for (const term of axis) {
          let product = 1;
          let missing = 0;
          for (const { label } of term) {
            const n = size.get(label);
            if (n === undefined) { missing++; unknown = label; unknownTerm = term; } else product *= n;
          }
          if (missing) unknowns += missing; else known += product;
        }
        if (unknowns === 0) {
          if (known !== shape[a]) return `${axis.map((t) => t.map((f) => f.label).join('·')).join('+')} is ${known}, the traced axis is ${shape[a]}`;
        } else if (unknowns === 1 && unknownTerm && unknown) {
          const others = unknownTerm.reduce((p, f) => p * (size.get(f.label) ?? 1), 1);
          const n = (shape[a] - known) / others;
          if (!Number.isInteger(n) || n < 0) return `${shape[a]} elements do not divide into ${axis.map((t) => t.map((f) => f.label).join('·')).join('+')}`;
          size.set(unknown, n);
          again = true;
        }
      }
    }
  }
  return size;
}
