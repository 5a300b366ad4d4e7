import { isDefault, type Program, type Step } from '../program.ts';
import type { Trace } from '../trace.ts';

/** A normalisation written out in primitive nodes: from the first reduction of x to the one value that everything made of it flows into. */
export interface NormRegion {
  readonly input: number;
  readonly output: number;
  /** Axes that are normalised over, non-negative. */
  readonly axes: readonly number[];
  /** Gains and offsets that are applied inside, aligned with the last axes of the input. */
  readonly parameters: readonly number[];
  /** Its nodes in order. */
  readonly members: readonly Step[];
}

/** Operators that a decomposed norm is made of. */
const INSIDE = new Set(['Sub', 'Add', 'Mul', 'Div', 'Pow', 'Sqrt', 'ReduceMean', 'Reciprocal', 'Cast', 'Identity', 'Max', 'Clip', 'Abs', 'Neg']);
const LARGEST = 20;

/**
 * Finds decomposed layer norms and RMS norms, and group norms of one group written with InstanceNormalization. Cutting inside such a region
 * would be wrong (a removed channel becomes −mean after the subtraction), so it is taken as one and cut around.
 */
export function findNormRegions(program: Program, trace: Trace): NormRegion[] {
  const graph = new Neighbours(program, trace);
  const taken = new Set<Step>();
  const regions: NormRegion[] = [];
  for (const step of program.steps) {
    if (taken.has(step) || !isDefault(step.node.domain)) continue;
    const region = step.node.op === 'ReduceMean' ? growRegion(step, graph) : step.node.op === 'InstanceNormalization' ? reshapedNorm(step, graph) : undefined;
    if (!region || region.members.some((member) => taken.has(member))) continue;
    for (const member of region.members) taken.add(member);
    regions.push(region);
  }
  return regions;
}

class Neighbours {
  readonly program: Program;
  readonly trace: Trace;
  private readonly readers = new Map<number, Step[]>();
  private readonly producers = new Map<number, Step>();

  constructor(program: Program, trace: Trace) {
    this.program = program;
    this.trace = trace;
    for (const step of program.steps) {
      for (const id of new Set(step.inputs)) if (id >= 0) (this.readers.get(id) ?? this.readers.set(id, []).get(id)!).push(step);
      for (const id of step.outputs) this.producers.set(id, step);
    }
  }

  readersOf(id: number): readonly Step[] {
    return this.readers.get(id) ?? [];
  }

  producerOf(id: number): Step | undefined {
    return this.producers.get(id);
  }

  shape(id: number): readonly number[] | undefined {
    return this.trace.runs[0].shapes[id];
  }

  isOutput(id: number): boolean {
    return this.program.outputs.includes(id);
  }

  /** The single number that an operand is; undefined for anything else. */
  scalar(id: number): number | undefined {
    const values = id < 0 ? undefined : this.trace.constants.get(id)?.values;
    return values?.length === 1 ? values[0] : undefined;
  }

  /** Weights or constants that no data flows into. */
  isParameter(id: number): boolean {
    return id >= 0 && !this.program.values[id].tainted;
  }

  reducedAxes(step: Step): number[] | undefined {
    const rank = this.shape(step.inputs[0])?.length;
    const axes = step.node.operands[1]?.constant ?? (step.inputs[1] >= 0 ? this.trace.constants.get(step.inputs[1])?.values : undefined);
    if (rank === undefined || !axes || axes.length === 0 || step.node.attributes.keepdims === 0) return undefined;
    return axes.map((a) => (a < 0 ? a + rank : a)).toSorted((a, b) => a - b);
  }
}

function growRegion(start: Step, graph: Neighbours): NormRegion | undefined {
  const square = squareBefore(start, graph);
  const input = square ? square.inputs[0] : start.inputs[0];
  const axes = graph.reducedAxes(start);
  const shape = graph.shape(input);
  if (!axes || !shape || graph.isParameter(input)) return undefined;
  const members = square ? [square, start] : [start];
  const made = new Set(members.flatMap((m) => m.outputs));
  const parameters = new Set<number>();
  let divides = false;
  for (const step of graph.program.steps.slice(start.index + 1)) {
    const open = [...made].filter((id) => graph.isOutput(id) || graph.readersOf(id).some((r) => !members.includes(r)));
    const [output] = open;
    if (divides && open.length === 1 && String(graph.shape(output)) === String(shape)) return { input, output, axes, parameters: [...parameters], members };
    if (members.length >= LARGEST || open.some((id) => graph.isOutput(id))) return undefined;
    if (!step.inputs.some((id) => made.has(id))) continue;
    if (!isDefault(step.node.domain) || !INSIDE.has(step.node.op)) return undefined;
    if (step.node.op === 'ReduceMean' && String(graph.reducedAxes(step)) !== String(axes)) return undefined;
    for (const [k, id] of step.inputs.entries()) {
      if (id < 0 || made.has(id) || id === input || graph.scalar(id) !== undefined || (step.node.op === 'ReduceMean' && k === 1)) continue;
      if (!graph.isParameter(id) || (graph.shape(id) ?? graph.program.values[id].tensor?.dims ?? []).length > shape.length) return undefined;
      parameters.add(id);
    }
    divides ||= step.node.op === 'Sqrt' || (step.node.op === 'Pow' && Math.abs(graph.scalar(step.inputs[1]) ?? 0) === 0.5);
    members.push(step);
    for (const id of step.outputs) made.add(id);
  }
  return undefined;
}

/** An RMS norm reduces the square of its input. */
function squareBefore(start: Step, graph: Neighbours): Step | undefined {
  const before = graph.producerOf(start.inputs[0]);
  if (!before || !isDefault(before.node.domain) || graph.readersOf(start.inputs[0]).length !== 1) return undefined;
  const squares = (before.node.op === 'Pow' && graph.scalar(before.inputs[1]) === 2) || (before.node.op === 'Mul' && before.inputs[0] === before.inputs[1]);
  // The square of a difference is the variance of a layer norm, whose mean came first.
  return squares ? before : undefined;
}

/** Reshape [0, 1, -1] → InstanceNormalization → Reshape back: the statistics of all channels and positions together. */
function reshapedNorm(step: Step, graph: Neighbours): NormRegion | undefined {
  const before = graph.producerOf(step.inputs[0]);
  const [after, ...others] = graph.readersOf(step.outputs[0]);
  if (before?.node.op !== 'Reshape' || after?.node.op !== 'Reshape' || others.length > 0 || graph.isOutput(step.outputs[0])) return undefined;
  const [input, output] = [before.inputs[0], after.outputs[0]];
  const shape = graph.shape(input);
  if (!shape || graph.shape(step.inputs[0])?.[1] !== 1 || graph.readersOf(step.inputs[0]).length !== 1) return undefined;
  if (String(graph.shape(output)) !== String(shape) || graph.isParameter(input)) return undefined;
  return { input, output, axes: shape.map((_, a) => a).slice(1), parameters: [], members: [before, step, after] };
}
