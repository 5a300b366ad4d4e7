import type { Elements } from '../analysis/elements.ts';
import type { AnalysedStep } from '../analysis/steps.ts';
import type { Units } from '../analysis/units.ts';
import { evaluate } from '../structure/signature.ts';

/** What stays of every axis once some units are gone. */
export class Kept {
  readonly elements: Elements;
  private readonly gone: Uint8Array;
  private readonly counts = new Map<number, number>();

  /** @param removed ids of the units that go */
  constructor(units: Units, removed: Iterable<number>) {
    this.elements = units.elements;
    this.gone = new Uint8Array(units.elements.count);
    for (const id of removed) this.gone[units.units[id].set] = 1;
  }

  has(axis: number, element: number): boolean {
    const set = this.elements.setOf(axis, element);
    return set < 0 || this.gone[set] === 0;
  }

  /** Kept length of an axis or size of a label, in each of its lanes. */
  length(axis: number): number {
    const key = this.elements.classOf(axis);
    let count = this.counts.get(key);
    if (count === undefined) {
      count = 0;
      const size = this.elements.sizeOf(axis);
      for (let k = 0; k < size; k++) if (this.has(axis, k)) count++;
      this.counts.set(key, count);
    }
    return (count * this.elements.table.lengths[axis]) / this.elements.sizeOf(axis);
  }

  isCut(axis: number): boolean {
    return this.length(axis) !== this.elements.table.lengths[axis];
  }

  /** Kept indices along an axis in one of its lanes. */
  indices(axis: number, lane = 0): number[] {
    const n = this.elements.table.lengths[axis];
    const result: number[] = [];
    for (let k = 0; k < n; k++) if (this.has(axis, lane * n + k)) result.push(k);
    return result;
  }

  /** Value of an expression over the labels of a step after the cut: `g`, `k r`, `c0+c1`. */
  evaluate(step: AnalysedStep, expression: string): number {
    return evaluate(expression, (label) => this.label(step, label));
  }

  label(step: AnalysedStep, label: string): number {
    return this.length(this.elements.table.labelOf(step, label));
  }
}
