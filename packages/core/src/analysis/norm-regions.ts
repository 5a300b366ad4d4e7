import { isDefault, type Program, type Step } from '../program.ts';
import type { Trace } from '../trace.ts';

/** A normalisation written out in primitive nodes, from the first reduction to the division: `(x − mean(x)) / √(var(x) + ε)`. */
export interface NormRegion {
  readonly input: number;
  readonly output: number;
  /** Axes that are normalised over, non-negative. */
  readonly axes: readonly number[];
  /** Its nodes in order; no other node reads what they pass between them. */
  readonly members: readonly Step[];
}

/**
 * Finds decomposed layer norms and RMS norms: a mean over axes of x, whose region closes at one value of the shape of x that all paths lead to.
 * Cutting inside such a region would be wrong (a removed channel becomes −mean after the subtraction), so it is cut around.
 */
export function findNormRegions(program: Program, trace: Trace): NormRegion[] {
  const readers = new Map<number, Step[]>();
  for (const step of program.steps) for (const id of new Set(step.inputs)) if (id >= 0) (readers.get(id) ?? readers.set(id, []).get(id)!).push(step);
  const leaving = new Set(program.outputs);
  const producer = new Map(program.steps.flatMap((s) => s.outputs.map((o) => [o, s] as const)));
  const taken = new Set<Step>();
  const regions: NormRegion[] = [];
  for (const step of program.steps) {
    if (taken.has(step) || !isDefault(step.node.op === 'ReduceMean' ? step.node.domain : '-')) continue;
    const region = growRegion(step, program, trace, readers, leaving, producer);
    if (!region) continue;
    for (const member of region.members) taken.add(member);
    regions.push(region);
  }
  return regions;
}

const INSIDE = new Set(['Sub', 'Add', 'Mul', 'Div', 'Pow', 'Sqrt', 'ReduceMean', 'Reciprocal', 'Cast', 'Identity', 'Max', 'Clip', 'Abs', 'Neg', 'Squeeze', 'Unsqueeze']);
const LARGEST = 16;

function growRegion(
  start: Step, program: Program, trace: Trace, readers: ReadonlyMap<number, readonly Step[]>, leaving: ReadonlySet<number>, producer: ReadonlyMap<number, Step>,
): NormRegion | undefined {
  let x = start.inputs[0];
  let axes = reducedAxes(start, trace);
  // RMS norm reduces the square of x; start from x itself.
  const before = producer.get(x);
  const squares = before && ((before.node.op === 'Pow' && scalar(trace, before.inputs[1]) === 2) || (before.node.op === 'Mul' && before.inputs[0] === before.inputs[1]));
  const members = new Set<Step>([start]);
  if (squares) { members.add(before); x = before.inputs[0]; axes = reducedAxes(start, trace); }
  const shape = trace.runs[0].shapes[x];
  if (!shape || !axes || axes.length === 0 || !program.values[x]?.tainted) return undefined;
  const made = new Set<number>([x]);
  for (const member of members) for (const o of member.outputs) made.add(o);
  // Everything computed from inside values and scalars alone, in order.
  for (const step of program.steps.slice(squares ? before.index + 1 : start.index + 1)) {
    if (members.size > LARGEST) break;
    const inside = step.inputs.some((id) => made.has(id) && id !== x) || (step.inputs.includes(x) && step.inputs.some((id) => made.has(id) && id !== x));
    if (!inside && !readsOnlyForRegion(step, x, made, readers)) continue;
    if (!isDefault(step.node.domain) || !INSIDE.has(step.node.op)) { if (inside) continue; else continue; }
    if (!step.inputs.every((id) => id < 0 || made.has(id) || scalar(trace, id) !== undefined || isAxesOperand(step, id, trace))) continue;
    if (step.node.op === 'ReduceMean' && String(reducedAxes(step, trace)) !== String(axes)) return undefined;
    members.add(step);
    for (const o of step.outputs) made.add(o);
    const closed = closure([...members], x, shape, trace, readers, leaving);
    if (closed) return { input: x, output: closed.output, axes, members: closed.members };
  }
  return undefined;
}

/** A difference or square of x that the region needs, e.g. Pow(x − mean) is reached through made values, Mul(x, x) is not. */
const readsOnlyForRegion = (step: Step, x: number, made: ReadonlySet<number>, readers: ReadonlyMap<number, readonly Step[]>) =>
  step.inputs[0] === x && (step.node.op === 'ReduceMean' || step.node.op === 'Mul' || step.node.op === 'Pow') && step.outputs.every((o) => (readers.get(o) ?? []).every((r) => r.inputs.some((id) => made.has(id)) || r.node.op === 'ReduceMean'));

/** The region is closed when all that its nodes make is read inside, but for one value that has the shape of x. */
function closure(members: readonly Step[], x: number, shape: readonly number[], trace: Trace, readers: ReadonlyMap<number, readonly Step[]>, leaving: ReadonlySet<number>) {
  const inside = new Set(members);
  const open = members.flatMap((m) => m.outputs).filter((o) => o >= 0 && (leaving.has(o) || (readers.get(o) ?? []).length === 0 || (readers.get(o) ?? []).some((r) => !inside.has(r))));
  if (open.length !== 1) return undefined;
  const last = members.at(-1)!;
  if (last.outputs[0] !== open[0] || String(trace.runs[0].shapes[open[0]]) !== String(shape)) return undefined;
  const divides = members.some((m) => m.node.op === 'Sqrt' || (m.node.op === 'Pow' && scalar(trace, m.inputs[1]) !== 2));
  if (!divides || (last.node.op !== 'Div' && last.node.op !== 'Mul')) return undefined;
  return { output: open[0], members: members.toSorted((a, b) => a.index - b.index), x };
}

const scalar = (trace: Trace, id: number): number | undefined => {
  const constant = id < 0 ? undefined : trace.constants.get(id);
  return constant?.values.length === 1 ? constant.values[0] : undefined;
};

const isAxesOperand = (step: Step, id: number, trace: Trace) => ['ReduceMean', 'Squeeze', 'Unsqueeze'].includes(step.node.op) && id === step.inputs[1] && trace.constants.has(id);

function reducedAxes(step: Step, trace: Trace): number[] | undefined {
  const rank = trace.runs[0].shapes[step.inputs[0]]?.length;
  const operand = step.node.operands[1];
  const axes = operand?.constant ?? (step.inputs[1] >= 0 ? trace.constants.get(step.inputs[1])?.values : undefined);
  if (rank === undefined || !axes || step.node.attributes.keepdims === 0) return undefined;
  return axes.map((a) => (a < 0 ? a + rank : a)).toSorted((a, b) => a - b);
}
