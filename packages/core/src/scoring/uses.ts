import { schemaOf } from '@coppice/graph';
import { tokensOf, type Occurrence } from '../analysis/axis-table.ts';
import { CONSUMED, PRODUCED, rolesOf } from '../analysis/collect.ts';
import { isFrozen, type AnalysedStep } from '../analysis/steps.ts';
import type { Units } from '../analysis/units.ts';
import type { SlicePlace } from '../scorer.ts';
import { isPosition } from '../structure/signature.ts';

/** What the model does with some elements of an axis of an initializer. */
export interface Use extends Pick<SlicePlace, 'role' | 'operator' | 'operand'> {
  readonly step: AnalysedStep;
  /** The label of the step's signature that these elements have. */
  readonly label: string;
}

/** A part of an axis, `to` excluded. */
interface Stretch { readonly from: number; readonly to: number; readonly use: Use }

/**
 * Tells how elements of initializers are used. Weights that the graph computes from others (Cast, DequantizeLinear, Transpose, Slice,
 * Concat, …) are followed to the first operator that applies them to data; what scales or shifts all of a weight on the way
 * (a scale of DequantizeLinear, the gain of a weight norm) is `along`. Of several uses the first in the order of the graph counts,
 * one that makes or reads units before one that goes along.
 */
export class Uses {
  readonly #units: Units;
  readonly #readers = new Map<number, { readonly step: AnalysedStep; readonly entry: number }[]>();
  readonly #known = new Map<string, readonly Stretch[]>();
  readonly #roles = new Map<AnalysedStep, ReadonlyMap<string, number>>();

  constructor(units: Units) {
    this.#units = units;
    for (const step of units.analysed.steps) {
      step.inputs.forEach((id, entry) => {
        if (id >= 0) (this.#readers.get(id) ?? this.#readers.set(id, []).get(id)!).push({ step, entry });
      });
    }
  }

  /** The use of one element of an axis of a value; undefined where nobody reads it. */
  of(value: number, position: number, index: number): Use | undefined {
    return this.#stretches(value, position).find(({ from, to }) => index >= from && index < to)?.use;
  }

  /** Which labels of a step are made from parameters and which are read and gone, see `rolesOf`. */
  rolesIn(step: AnalysedStep): ReadonlyMap<string, number> {
    let roles = this.#roles.get(step);
    if (!roles) this.#roles.set(step, (roles = rolesOf(this.#units.elements, step)));
    return roles;
  }

  #stretches(value: number, position: number): readonly Stretch[] {
    const key = `${value}/${position}`;
    const known = this.#known.get(key);
    if (known) return known;
    // The borders of loop bodies are links in both directions, so a walk may come back here.
    this.#known.set(key, []);
    const found = (this.#readers.get(value) ?? []).flatMap(({ step, entry }) =>
      this.#units.elements.table.occurrences(step).filter((o) => o.entry === entry && o.position === position).flatMap((o) => this.#used(step, o)));
    const sorted = [...found.filter(({ use }) => use.role !== 'along'), ...found.filter(({ use }) => use.role === 'along')];
    this.#known.set(key, sorted);
    return sorted;
  }

  #used(step: AnalysedStep, o: Occurrence): Stretch[] {
    const { values } = this.#units.analysed.program;
    const whole = (use: Use): Stretch => ({ from: o.offset, to: o.offset + o.size, use });
    const applies = step.step.link === undefined && step.outputs.some((id) => id >= 0 && values[id].tainted);
    if (applies) return [whole(this.#use(step, o, this.#roleOf(step, o)))];
    if (this.#spreads(step, o.entry)) return [whole(this.#use(step, o, 'along'))];
    const { label } = carrierOf(o);
    return this.#units.elements.table.occurrences(step).filter((p) => p.entry >= step.inputs.length && p.factors.some((f) => f.label === label)).flatMap((p) => {
      const beyond = this.#stretches(step.outputs[p.entry - step.inputs.length], p.position);
      if (o.factors.length > 1 || p.factors.length > 1) return beyond.slice(0, 1).map(({ use }) => whole(use));
      const shift = o.offset - p.offset;
      return beyond.flatMap(({ from, to, use }) => {
        const [start, end] = [Math.max(from, p.offset), Math.min(to, p.offset + p.size)];
        return start < end ? [{ from: start + shift, to: end + shift, use }] : [];
      });
    });
  }

  #use(step: AnalysedStep, o: Occurrence, role: Use['role']): Use {
    return { role, ...operandName(step, o.entry), step, label: carrierOf(o).label };
  }

  #roleOf(step: AnalysedStep, o: Occurrence): Use['role'] {
    const roles = this.rolesIn(step);
    const has = (role: number) => o.factors.some(({ label }) => roles.get(label) === role);
    if (has(PRODUCED)) return readsBack(step, o) ? 'in' : 'out';
    return has(CONSUMED) ? 'in' : 'along';
  }

  /** Whether an operand has one number for many of the result: some axis of the result is not its own. */
  #spreads(step: AnalysedStep, entry: number): boolean {
    const occurrences = this.#units.elements.table.occurrences(step);
    const own = new Set(occurrences.filter((o) => o.entry === entry).flatMap((o) => o.factors.map((f) => f.label)));
    const select = isFrozen(step.signature) ? {} : (step.signature.select ?? {});
    return occurrences.some((o) => o.entry >= step.inputs.length && o.size > 1 && o.factors.every(({ label }) => !own.has(label) && !own.has(select[label]?.of)) && !isSummand(step, o));
  }
}

/** An input of a step as the specification calls it. */
export function operandName({ step: { node } }: AnalysedStep, entry: number): { operator: string; operand: string } {
  const names = schemaOf(node.domain, node.op)?.inputs ?? [];
  return { operator: node.op, operand: names[Math.min(entry, names.length - 1)]?.replace(/\?$|\.\.\.$/, '') ?? '' };
}

/** The factor that can carry units, or the last one. */
const carrierOf = ({ factors }: Occurrence) => factors.findLast((f) => !isPosition(f.label)) ?? factors.at(-1)!;

/** Whether a term is one of several that lie end to end. */
const isSummand = (step: AnalysedStep, { entry, position }: Occurrence): boolean => (tokensOf(step, entry)?.[position].length ?? 0) > 1;

/** A recurrent matrix names the units twice: its rows (gate by gate) make them, its columns read them one step later. */
function readsBack(step: AnalysedStep, o: Occurrence): boolean {
  const tokens = tokensOf(step, o.entry)!;
  const { label } = carrierOf(o);
  const beside = (position: number) => tokens[position].some((term) => term.length > 1 && term.some((f) => f.label === label));
  return !beside(o.position) && tokens.some((_, position) => position !== o.position && beside(position));
}
