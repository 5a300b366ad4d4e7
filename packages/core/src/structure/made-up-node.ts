import { schemaOf, type AttributeValue, type LegacyMeaning } from '@coppice/graph';
import { labelSizes, parseAxes, type Axis, type NodeView, type Shape, type Signature } from './signature.ts';
import { ruleOf } from './table.ts';

type Shapes = readonly (Shape | undefined)[];

/** What a test states of a node besides its shapes; attributes that are left out have their defaults. */
export interface MadeUp {
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  /** Known contents by input position. */
  readonly constants?: Readonly<Record<number, readonly number[]>>;
  readonly domain?: string;
  readonly legacy?: LegacyMeaning;
  /** Shapes of a second run. */
  readonly again?: readonly [Shapes, Shapes];
}

/** A node that no model has, for tests of the table. */
export function nodeOf(op: string, inputs: Shapes, outputs: Shapes, { attributes = {}, constants = {}, domain = '', legacy, again }: MadeUp = {}): NodeView {
  const defaults = Object.entries(schemaOf(domain, op)?.attributes ?? {}).flatMap(([name, form]) => (typeof form === 'string' ? [] : [[name, form[1]] as const]));
  const runs = [{ inputs, outputs }, ...(again ? [{ inputs: again[0], outputs: again[1] }] : [])];
  return { op, domain, attributes: { ...Object.fromEntries(defaults), ...attributes }, legacy, inputs, outputs, constants: inputs.map((_, k) => constants[k]), runs };
}

/**
 * The signature of a made-up node.
 * @throws Error when the table has none, when it does not fit the shapes of a run, or leaves the size of a label open
 */
export function signatureOf(op: string, inputs: Shapes, outputs: Shapes, rest: MadeUp = {}): Signature {
  const rule = ruleOf(rest.domain ?? '', op);
  if (!rule || 'absent' in rule) throw new Error(`the table has no rule for ${op}`);
  const view = nodeOf(op, inputs, outputs, rest);
  const signature = rule(view);
  if ('frozen' in signature) throw new Error(signature.frozen);
  const parsed = parseAxes(signature.axes);
  const labels = [...parsed.inputs, ...parsed.outputs].flatMap((value) => (value ?? []).flatMap((axis: Axis) => axis.flat().map((factor) => factor.label)));
  for (const run of view.runs) {
    const sizes = labelSizes(signature, run.inputs, run.outputs);
    if (typeof sizes === 'string') throw new Error(sizes);
    const open = labels.find((label) => !sizes.has(label));
    if (open) throw new Error(`'${signature.axes}' leaves the size of ${open} open`);
  }
  return signature;
}

/** The printed axes of a made-up node. */
export const axesOf = (op: string, inputs: Shapes, outputs: Shapes, rest: MadeUp = {}): string => signatureOf(op, inputs, outputs, rest).axes;

/** Why the table freezes a made-up node. */
export function frozenBecause(op: string, inputs: Shapes, outputs: Shapes, rest: MadeUp = {}): string | undefined {
  const rule = ruleOf(rest.domain ?? '', op);
  if (!rule || 'absent' in rule) return undefined;
  const signature = rule(nodeOf(op, inputs, outputs, rest));
  return 'frozen' in signature ? signature.frozen : undefined;
}
