import { isPosition, type Factor } from '../structure/signature.ts';
import { AxisTable, type Occurrence } from './axis-table.ts';
import { findLanes, type LabelLanes, type StepLanes } from './lanes.ts';
import { isFrozen, type AnalysedProgram, type AnalysedStep } from './steps.ts';
import { UnionFind } from './union-find.ts';

/** Why something may not be pruned, and what caused it. */
export interface Reason {
  readonly sentence: string;
  /** Name of the node that freezes, or of the graph input or output. */
  readonly where: string;
  readonly kind: 'contract' | 'varies' | 'position' | 'operator' | 'norm' | 'factor' | 'mixed';
}

/** A product of labels along one axis, of which only one can carry units. */
export interface Merge {
  readonly step: AnalysedStep;
  readonly axis: number;
  readonly offset: number;
  readonly size: number;
  readonly atoms: readonly Atom[];
}

export interface Atom {
  /** Id of the label whose elements it has. */
  readonly label: number;
  readonly name: string;
  /** Number of elements, lanes of a joint label included. */
  readonly size: number;
  /** Distance along the axis between neighbouring elements. */
  readonly stride: number;
  readonly position: boolean;
}

/**
 * The elements of all axes and what is tied to what. Two levels: axes that are the same thing index by index are one class and share
 * their elements, which is nearly all; ties between single elements (offsets of Concat, factors of Reshape) join elements of classes.
 */
export class Elements {
  readonly table: AxisTable;
  readonly lanes: ReadonlyMap<AnalysedStep, StepLanes>;
  readonly merges: Merge[] = [];
  readonly reasons: Reason[] = [];
  private readonly classes: UnionFind;
  private readonly classSize: Int32Array;
  private readonly classReasons = new Map<number, Set<number>>();
  private first: Int32Array = new Int32Array(0);
  private sets: UnionFind = new UnionFind(0);
  private readonly setReasons = new Map<number, Set<number>>();
  private readonly pending: (() => void)[] = [];
  private elementCount = 0;

  constructor(analysed: AnalysedProgram) {
    this.table = new AxisTable(analysed);
    this.lanes = findLanes(analysed.steps, this.table);
    this.classes = new UnionFind(this.table.size);
    this.classSize = new Int32Array(this.table.size);
    for (let axis = 0; axis < this.table.size; axis++) this.classSize[axis] = this.table.lengths[axis] * (this.table.laneSpecs.get(axis)?.lanes ?? 1);
    for (const step of analysed.steps) {
      for (const [label, id] of this.table.labelsOf(step)) this.classSize[id] *= this.lanesOf(step, label)?.lanes ?? 1;
    }
    for (const step of analysed.steps) this.relate(step);
  }

  /** Number of single elements that are not frozen as whole axes. */
  get count(): number {
    return this.elementCount;
  }

  lanesOf(step: AnalysedStep, label: string): LabelLanes | undefined {
    return this.lanes.get(step)?.get(label);
  }

  reason(reason: Reason): number {
    return this.reasons.push(reason) - 1;
  }

  /** Freezes a whole axis or label. Call before `settle`. */
  freezeAxis(axis: number, reason: number): void {
    if (axis < 0) return;
    const root = this.classes.find(axis);
    (this.classReasons.get(root) ?? this.classReasons.set(root, new Set()).get(root)!).add(reason);
  }

  /** Gives every element of what is not frozen as a whole an id, and ties single elements. Call once, after all `freezeAxis`. */
  settle(): void {
    this.first = new Int32Array(this.table.size).fill(-1);
    let count = 0;
    for (let axis = 0; axis < this.table.size; axis++) {
      if (this.classes.find(axis) !== axis || this.classReasons.has(axis)) continue;
      this.first[axis] = count;
      count += this.classSize[axis];
    }
    this.elementCount = count;
    this.sets = new UnionFind(count);
    for (const run of this.pending) run();
  }

  /** Number of elements of an axis or label, lanes included. */
  sizeOf(axis: number): number {
    return this.classSize[axis];
  }

  classOf(axis: number): number {
    return this.classes.find(axis);
  }

  /** The set that an element belongs to, as the id of its representative; -1 when it is frozen with its whole axis. */
  setOf(axis: number, element: number): number {
    const start = this.first[this.classes.find(axis)];
    return start < 0 ? -1 : this.sets.find(start + element);
  }

  isFrozen(axis: number, element: number): boolean {
    const set = this.setOf(axis, element);
    return set < 0 || this.setReasons.has(set);
  }

  /** Whether no element of an axis or label can be pruned. */
  allFrozen(axis: number, from = 0, to = this.classSize[axis]): boolean {
    if (this.first[this.classes.find(axis)] < 0) return true;
    for (let i = from; i < to; i++) if (!this.isFrozen(axis, i)) return false;
    return true;
  }

  /** Why an element is frozen. */
  reasonsOf(axis: number, element: number): ReadonlySet<number> {
    const root = this.classes.find(axis);
    return this.first[root] < 0 ? (this.classReasons.get(root) ?? new Set()) : (this.setReasons.get(this.setOf(axis, element)) ?? new Set());
  }

  /** Elements of both must leave together; what is frozen freezes the other. */
  tie(axisA: number, a: number, axisB: number, b: number): void {
    const x = this.setOf(axisA, a);
    const y = this.setOf(axisB, b);
    if (x < 0 && y < 0) return;
    if (x < 0) return this.addReasons(y, this.reasonsOf(axisA, a));
    if (y < 0) return this.addReasons(x, this.reasonsOf(axisB, b));
    const joined = this.sets.union(x, y);
    if (!joined) return;
    const absorbed = this.setReasons.get(joined.absorbed);
    if (absorbed) {
      this.setReasons.delete(joined.absorbed);
      this.addReasons(joined.root, absorbed);
    }
  }

  freeze(axis: number, element: number, reasons: Iterable<number>): void {
    const set = this.setOf(axis, element);
    if (set >= 0) this.addReasons(set, reasons);
  }

  private addReasons(set: number, reasons: Iterable<number>): void {
    const known = this.setReasons.get(set) ?? this.setReasons.set(set, new Set()).get(set)!;
    for (const reason of reasons) {
      if (known.size >= 8) return;
      known.add(reason);
    }
  }

  private joinAxes(a: number, b: number): void {
    const joined = this.classes.union(a, b);
    if (!joined) return;
    const absorbed = this.classReasons.get(joined.absorbed);
    if (absorbed) for (const reason of absorbed) this.freezeAxis(joined.root, reason);
  }

  private relate(step: AnalysedStep): void {
    for (const o of this.table.occurrences(step)) {
      const carriers = o.factors.filter((f) => !isPosition(f.label));
      if (o.factors.length === 1) this.relateLabel(step, o, o.factors[0], 1);
      else if (this.isJoint(step, o) && o.factors.length === 2) this.relateJoint(step, o);
      else if (carriers.length === 1) this.relateLabel(step, o, carriers[0], strideOf(step, o, carriers[0]));
      else this.addMerge(step, o);
    }
    if (isFrozen(step.signature)) return;
    for (const [label, { of, at }] of Object.entries(step.signature.select ?? {})) {
      const [a, b] = [this.table.labelOf(step, label), this.table.labelOf(step, of)];
      const [n, m] = [step.sizes.get(label)!, step.sizes.get(of)!];
      this.pending.push(() => {
        const [la, lb] = [this.classSize[a] / n, this.classSize[b] / m];
        for (let lane = 0; lane < Math.max(la, lb); lane++) {
          for (let k = 0; k < n; k++) if (at[k] >= 0) this.tie(a, (lane % la) * n + k, b, (lane % lb) * m + at[k]);
        }
      });
    }
  }

  private isJoint(step: AnalysedStep, o: Occurrence): boolean {
    return o.factors.some((f) => this.lanesOf(step, f.label)?.joint.has(o));
  }

  /** `(g o@g)`: position k of the axis is element k of the label, lane by lane. */
  private relateJoint(step: AnalysedStep, o: Occurrence): void {
    const label = this.table.labelOf(step, o.factors[1].label);
    if (o.offset === 0 && o.size === this.classSize[o.axis]) return this.joinAxes(o.axis, label);
    this.pending.push(() => {
      for (let k = 0; k < o.size; k++) this.tie(o.axis, o.offset + k, label, k);
    });
  }

  /** A label that carries a term alone, with positions around it at most: `c`, `(G h)`. */
  private relateLabel(step: AnalysedStep, o: Occurrence, factor: Factor, stride: number): void {
    const label = this.table.labelOf(step, factor.label);
    const n = step.sizes.get(factor.label)!;
    const lanes = this.lanesOf(step, factor.label);
    const at = lanes?.lanesAt.get(o);
    const spec = this.table.laneSpecs.get(o.axis);
    const local = spec?.lanes ?? 1;
    const all = lanes?.lanes ?? 1;
    const follows = at !== undefined && (at.by < 0 ? local === 1 : spec !== undefined && at.by === spec.by && at.lanes.length === local);
    const inOrder = local === all && (all === 1 || (follows && at.lanes.every((lane, k) => lane === k)));
    const length = this.table.lengths[o.axis];
    if (inOrder && o.factors.length === 1 && o.offset === 0 && o.size === length) return this.joinAxes(o.axis, label);
    this.pending.push(() => {
      for (let lane = 0; lane < local; lane++) {
        const lanesOfLabel = follows ? [at.lanes[lane]] : Array.from({ length: all }, (_, k) => k);
        for (const to of lanesOfLabel) {
          for (let k = 0; k < o.size; k++) this.tie(o.axis, lane * length + o.offset + k, label, to * n + (Math.floor(k / stride) % n));
        }
      }
    });
  }

  private addMerge(step: AnalysedStep, o: Occurrence): void {
    const atoms: Atom[] = [];
    let stride = 1;
    for (let k = o.factors.length - 1; k >= 0; k--) {
      const { label } = o.factors[k];
      const size = step.sizes.get(label)!;
      const lanes = this.lanesOf(step, label);
      if (lanes?.joint.has(o)) {
        atoms.unshift({ label: this.table.labelOf(step, label), name: label, size: size * lanes.lanes, stride, position: false });
        stride *= size * lanes.lanes;
        k--;
      } else {
        atoms.unshift({ label: this.table.labelOf(step, label), name: label, size, stride, position: isPosition(label) });
        stride *= size;
        if (lanes) this.pending.push(() => this.collapse(this.table.labelOf(step, label), size));
      }
    }
    if (this.table.laneSpecs.has(o.axis)) this.pending.push(() => this.collapse(o.axis, this.table.lengths[o.axis]));
    this.merges.push({ step, axis: o.axis, offset: o.offset, size: o.size, atoms });
  }

  /** All lanes of an axis become one. */
  collapse(axis: number, length: number): void {
    for (let k = length; k < this.classSize[axis]; k++) this.tie(axis, k, axis, k % length);
  }
}

function strideOf(step: AnalysedStep, o: Occurrence, factor: Factor): number {
  const inner = o.factors.slice(o.factors.indexOf(factor) + 1);
  return inner.reduce((p, f) => p * step.sizes.get(f.label)!, 1);
}
