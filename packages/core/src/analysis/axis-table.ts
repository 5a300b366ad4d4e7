import { parseAxes, type Axis, type Factor } from '../structure/signature.ts';
import { isFrozen, type AnalysedProgram, type AnalysedStep } from './steps.ts';

/** One term of an axis of a value, as a signature states it. */
export interface Occurrence {
  /** Id of the value's axis. */
  readonly axis: number;
  /** Position of the value among the entries of the signature: inputs first, then outputs. */
  readonly entry: number;
  /** Position of the axis within the value. */
  readonly position: number;
  readonly offset: number;
  /** Number of elements of this term. */
  readonly size: number;
  /** Factors of more than one element, outermost first; a term of a single label keeps it whatever its size. */
  readonly factors: readonly Factor[];
}

/** Which lane an element of an axis belongs to: another axis of the same value names it, `block` elements a lane. */
export interface LaneSpec { readonly by: number; readonly block: number; readonly lanes: number }

/**
 * Integer ids for every axis of every value and for every label of every step.
 * Each use of a fill (see `fills.ts`) has axes of its own.
 */
export class AxisTable {
  /** Number of elements along an axis, lanes not counted. */
  readonly lengths: number[] = [];
  /** Lanes of an axis; absent where its elements are the same for every index of all other axes. */
  readonly laneSpecs = new Map<number, LaneSpec>();
  private readonly firstAxis: Int32Array;
  private readonly ranks: Int32Array;
  private readonly uses = new Map<string, number>();
  private readonly labels = new Map<AnalysedStep, ReadonlyMap<string, number>>();
  private readonly seen = new Map<AnalysedStep, readonly Occurrence[]>();
  readonly analysed: AnalysedProgram;

  constructor(analysed: AnalysedProgram) {
    this.analysed = analysed;
    const { program, trace } = analysed;
    this.firstAxis = new Int32Array(program.values.length).fill(-1);
    this.ranks = new Int32Array(program.values.length);
    const usable = new Set<number>();
    for (const { inputs, outputs } of analysed.steps) for (const id of [...inputs, ...outputs]) if (id >= 0) usable.add(id);
    for (const { id, tensor } of program.values) {
      const shape = trace.runs[0].shapes[id] ?? tensor?.dims.map(Number);
      if (!shape || (!usable.has(id) && !tensor && !program.inputs.includes(id) && !program.outputs.includes(id))) continue;
      this.firstAxis[id] = this.addAxes(shape);
      this.ranks[id] = shape.length;
    }
    for (const analysedStep of analysed.steps) {
      analysedStep.inputs.forEach((id, k) => {
        if (analysed.fills.has(id)) this.uses.set(useKey(analysedStep, k), this.addAxes(trace.runs[0].shapes[id]!));
      });
      const labels = new Map<string, number>();
      for (const [label, n] of analysedStep.sizes) {
        labels.set(label, this.lengths.length);
        this.lengths.push(n);
      }
      this.labels.set(analysedStep, labels);
    }
  }

  get size(): number {
    return this.lengths.length;
  }

  /** Id of an axis of a value; -1 when the value takes no part. */
  axisOf(value: number, position: number): number {
    return value >= 0 && this.firstAxis[value] >= 0 && position < this.ranks[value] ? this.firstAxis[value] + position : -1;
  }

  /** All axis ids of a value. */
  axesOf(value: number): number[] {
    return value >= 0 && this.firstAxis[value] >= 0 ? Array.from({ length: this.ranks[value] }, (_, a) => this.firstAxis[value] + a) : [];
  }

  /** Axis ids of what a step reads at an input position: its own for a fill. */
  axesOfUse(step: AnalysedStep, input: number): number[] {
    const first = this.uses.get(useKey(step, input));
    if (first === undefined) return this.axesOf(step.inputs[input]);
    return this.analysed.trace.runs[0].shapes[step.inputs[input]]!.map((_, a) => first + a);
  }

  labelOf(step: AnalysedStep, label: string): number {
    return this.labels.get(step)!.get(label)!;
  }

  labelsOf(step: AnalysedStep): ReadonlyMap<string, number> {
    return this.labels.get(step)!;
  }

  /** Every term of every axis of a step's values. */
  occurrences(step: AnalysedStep): readonly Occurrence[] {
    let result = this.seen.get(step);
    if (!result) this.seen.set(step, (result = isFrozen(step.signature) ? [] : this.collect(step, step.signature.axes)));
    return result;
  }

  private collect(step: AnalysedStep, axes: string): Occurrence[] {
    const parsed = parseAxes(axes);
    const found: Occurrence[] = [];
    const add = (tokens: readonly Axis[] | undefined, ids: readonly number[], entry: number) => tokens?.forEach((axis, position) => {
      if (ids[position] === undefined) return;
      let offset = 0;
      for (const term of axis) {
        const size = term.reduce((p, f) => p * step.sizes.get(f.label)!, 1);
        const factors = term.length === 1 ? term : term.filter((f) => step.sizes.get(f.label)! > 1);
        found.push({ axis: ids[position], entry, position, offset, size, factors: factors.length === 0 ? term.slice(-1) : factors });
        offset += size;
      }
    });
    parsed.inputs.forEach((tokens, k) => add(tokens, this.axesOfUse(step, k), k));
    parsed.outputs.forEach((tokens, k) => add(tokens, this.axesOf(step.outputs[k]), step.inputs.length + k));
    return found;
  }

  private addAxes(shape: readonly number[]): number {
    const first = this.lengths.length;
    this.lengths.push(...shape);
    return first;
  }
}

const useKey = (step: AnalysedStep, input: number) => `${step.step.index}/${step.outputs[0]}/${input}`;

/** The token of each axis of an entry of a signature; inputs first, then outputs. */
export const tokensOf = (step: AnalysedStep, entry: number): readonly Axis[] | undefined => {
  if (isFrozen(step.signature)) return undefined;
  const parsed = parseAxes(step.signature.axes);
  return entry < step.inputs.length ? parsed.inputs[entry] : parsed.outputs[entry - step.inputs.length];
};

