import type { Program, Step } from '../program.ts';
import { frozen, labelSizes, type Frozen, type NodeView, type Shape, type Signature } from '../structure/signature.ts';
import { ruleOf } from '../structure/table.ts';
import type { Trace } from '../trace.ts';
import { findFills } from './fills.ts';
import { findNormRegions, type NormRegion } from './norm-regions.ts';

/** A node (or a recognised region of nodes) together with its signature and the sizes of its labels. */
export interface AnalysedStep {
  readonly step: Step;
  /** The nodes it stands for when it is a region; they have no structure of their own. */
  readonly region?: NormRegion;
  /** At the border of a body: which input of the node the value on the left is. */
  readonly border?: number;
  /** Ids of the values on the signature's left and right. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly view?: NodeView;
  readonly signature: Signature | Frozen;
  readonly sizes: ReadonlyMap<string, number>;
}

export const isFrozen = (signature: Signature | Frozen): signature is Frozen => 'frozen' in signature;

/** What of a program takes part in the analysis. */
export interface AnalysedProgram {
  readonly program: Program;
  readonly trace: Trace;
  readonly steps: readonly AnalysedStep[];
  /** Values whose elements are all equal and can be had in any width: each use of one is a value of its own. */
  readonly fills: ReadonlySet<number>;
}

/** The shape of a value in a run; undefined where it is unknown. */
const shapeIn = (trace: Trace, run: number, value: number): Shape | undefined => (value < 0 ? undefined : trace.runs[run].shapes[value]);

/** Looks every node up in the table of signatures; what is constant in all runs has no structure and is left out. */
export function analyseSteps(trace: Trace): AnalysedProgram {
  const { program } = trace;
  const fills = findFills(program, trace);
  const regions = findNormRegions(program, trace);
  const regionOf = new Map(regions.flatMap((region) => region.members.map((member) => [member, region] as const)));
  const steps: AnalysedStep[] = [];
  for (const step of program.steps) {
    const region = regionOf.get(step);
    if (region) {
      if (step === region.members.at(-1)) steps.push(analyseRegion(region, trace));
      continue;
    }
    const made = step.outputs.filter((id) => id >= 0);
    // A single number computed from weights is a constant too, but what it is computed from may be cut.
    if (made.every((id) => (trace.constants.has(id) && !program.values[id].weighted) || fills.has(id))) continue;
    steps.push(analyseStep(step, trace));
  }
  for (const step of program.steps) if (step.link) steps.push(...analyseLink(step, trace));
  return { program, trace, steps, fills };
}

function analyseStep(step: Step, trace: Trace): AnalysedStep {
  const { node } = step;
  const { inputs, outputs } = step;
  const base = { step, inputs, outputs };
  if (step.link) return { ...base, inputs: [], outputs: [], signature: { axes: '. -> .' }, sizes: new Map() };
  const view: NodeView = {
    op: node.op,
    domain: node.domain,
    attributes: node.attributes,
    legacy: node.legacy,
    inputs: inputs.map((id) => shapeIn(trace, 0, id)),
    outputs: outputs.map((id) => shapeIn(trace, 0, id)),
    constants: node.operands.map((operand, k) => operand?.constant ?? (inputs[k] >= 0 ? trace.constants.get(inputs[k])?.values : undefined)),
    runs: trace.runs.map((_, run) => ({ inputs: inputs.map((id) => shapeIn(trace, run, id)), outputs: outputs.map((id) => shapeIn(trace, run, id)) })),
  };
  const refuse = (because: string): AnalysedStep => ({ ...base, view, signature: frozen(because), sizes: new Map() });
  const unknown = [...inputs, ...outputs].find((id) => id >= 0 && trace.runs.some((run) => !run.shapes[id]));
  if (unknown !== undefined) return refuse(`the shape of ${trace.program.values[unknown].name} could not be traced`);
  const rule = ruleOf(node.domain, node.op);
  if (!rule) return refuse(`the operator ${node.domain ? `${node.domain}.` : ''}${node.op} is not known to Coppice`);
  if ('absent' in rule) return refuse(rule.absent);
  const signature = rule(view);
  if (isFrozen(signature)) return { ...base, view, signature, sizes: new Map() };
  const sizes = labelSizes(signature, view.inputs, view.outputs);
  if (typeof sizes === 'string') return refuse(`its signature does not fit what was traced: ${sizes}`);
  return { ...base, view, signature, sizes };
}

function analyseRegion(region: NormRegion, trace: Trace): AnalysedStep {
  const shape = shapeIn(trace, 0, region.input)!;
  const token = (a: number) => (region.axes.includes(a) ? `c${a}~` : `a${a}`);
  const whole = shape.map((_, a) => token(a)).join(' ');
  const dimsOf = (id: number) => shapeIn(trace, 0, id) ?? trace.program.values[id].tensor!.dims.map(Number);
  const parameters = region.parameters.map((id) => {
    const dims = dimsOf(id);
    return dims.map((n, a) => (n === shape[a + shape.length - dims.length] ? token(a + shape.length - dims.length) : '1')).join(' ');
  });
  const signature: Signature = { axes: `${[whole, ...parameters].join(', ')} -> ${whole}` };
  const inputs = [region.input, ...region.parameters];
  const sizes = labelSizes(signature, inputs.map(dimsOf), [shapeIn(trace, 0, region.output)!]);
  const base = { step: region.members.at(-1)!, region, inputs, outputs: [region.output] };
  return typeof sizes === 'string' ? { ...base, signature: frozen(`a norm in parts whose shapes disagree: ${sizes}`), sizes: new Map() } : { ...base, signature, sizes };
}

function analyseLink(step: Step, trace: Trace): AnalysedStep[] {
  return step.link!.pairs.map(({ outer, inner, scanAxis, input }) => {
    const shape = shapeIn(trace, 0, inner);
    const outerShape = shapeIn(trace, 0, outer);
    const base = { step, border: input, inputs: [outer], outputs: [inner] };
    if (!shape || !outerShape || outerShape.length !== shape.length + (scanAxis === undefined ? 0 : 1)) {
      return { ...base, signature: frozen('the shapes at the border of its body could not be traced'), sizes: new Map() };
    }
    const inside = shape.map((_, a) => `a${a}`);
    const outside = scanAxis === undefined ? inside : inside.toSpliced(scanAxis < 0 ? scanAxis + outerShape.length : scanAxis, 0, 'S');
    const signature: Signature = { axes: `${outside.join(' ')} -> ${inside.join(' ')}`, because: { S: `${step.node.op} runs along this axis` } };
    const sizes = labelSizes(signature, [outerShape], [shape]);
    return typeof sizes === 'string' ? { ...base, signature: frozen(`its body changes shapes: ${sizes}`), sizes: new Map() } : { ...base, signature, sizes };
  });
}
