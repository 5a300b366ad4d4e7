import { isPosition, parseAxes } from '../structure/signature.ts';
import { hasPlainZero } from '../element-type.ts';
import type { Elements } from './elements.ts';
import { isFrozen, type AnalysedProgram, type AnalysedStep } from './steps.ts';
import { tokensOf } from './axis-table.ts';

/** What the cut does at a norm over a pruned axis: restore the full width around it, let it run on the kept width, or do not prune there. */
export type NormPolicy = 'exact' | 'shrink' | 'freeze';

export interface FreezeOptions {
  readonly norm: NormPolicy;
  /** Graph inputs and outputs whose widths may change. */
  readonly release: ReadonlySet<string>;
}

/** Marks every axis that may not be pruned as a whole, each with its reason: the model's contract, sizes that vary, positions, unknown operators. */
export function freezeAxes(elements: Elements, analysed: AnalysedProgram, options: FreezeOptions): void {
  freezeContract(elements, analysed, options.release);
  freezeVarying(elements, analysed);
  const made = new Set<number>();
  for (const step of analysed.steps) {
    for (const id of step.outputs) made.add(id);
    // The border of a body accounts for what comes out of it.
    if (step.step.link) for (const id of step.inputs) made.add(id);
    freezeStep(elements, step, options.norm);
  }
  freezeUnaccounted(elements, analysed, made);
}

function freezeContract(elements: Elements, { program }: AnalysedProgram, release: ReadonlySet<string>): void {
  const freeze = (id: number, what: string) => {
    if (id < 0 || release.has(program.values[id].name)) return;
    const reason = elements.reason({ kind: 'contract', where: program.values[id].name, sentence: `it reaches the graph ${what} '${program.values[id].name}', whose shape is the model's contract` });
    for (const axis of elements.table.axesOf(id)) elements.freezeAxis(axis, reason);
  };
  for (const id of program.inputs) freeze(id, 'input');
  for (const id of program.outputs) freeze(id, 'output');
}

function freezeVarying(elements: Elements, { program, trace }: AnalysedProgram): void {
  let reason: number | undefined;
  const [first, ...others] = trace.runs;
  for (const { id } of program.values) {
    const shape = first.shapes[id];
    if (!shape) continue;
    elements.table.axesOf(id).forEach((axis, a) => {
      if (others.every((run) => run.shapes[id]?.[a] === shape[a])) return;
      reason ??= elements.reason({ kind: 'varies', where: '', sentence: 'its size depends on the length of the input or on the batch' });
      elements.freezeAxis(axis, reason);
    });
  }
}

function freezeStep(elements: Elements, step: AnalysedStep, norm: NormPolicy): void {
  const { table } = elements;
  const { values } = table.analysed.program;
  const { node } = step.step;
  const where = node.name || step.step.proto.output[0];
  if (isFrozen(step.signature)) {
    const reason = elements.reason({ kind: 'operator', where, sentence: `${node.op}: ${step.signature.frozen}` });
    for (let k = 0; k < step.inputs.length; k++) for (const axis of table.axesOfUse(step, k)) elements.freezeAxis(axis, reason);
    for (const id of step.outputs) for (const axis of table.axesOf(id)) elements.freezeAxis(axis, reason);
    return;
  }
  const { because, axes } = step.signature;
  const mixed = mixedLabels(axes);
  for (const [label, id] of table.labelsOf(step)) {
    if (isPosition(label)) elements.freezeAxis(id, elements.reason({ kind: 'position', where, sentence: because?.[label] ?? `${node.op} uses this axis by position` }));
    else if (mixed.has(label) && !hasPlainZero(values[step.inputs[0]]?.elementType)) elements.freezeAxis(id, elements.reason({ kind: 'operator', where, sentence: `${node.op} reads all of this axis, and its numbers are quantised or truth values` }));
    else if (norm === 'freeze' && mixed.has(label)) elements.freezeAxis(id, elements.reason({ kind: 'norm', where, sentence: `${node.op} reads all of this axis and --norm freeze was asked for` }));
  }
  const sources = step.inputs.filter((id) => id >= 0).map((id) => values[id]);
  // The shape of a weight is not made from its numbers.
  if (step.outputs.some((id) => id >= 0 && values[id].weighted) && !sources.some((v) => v.tainted)) {
    const reason = { kind: 'operator', where, sentence: `${node.op} sums over it while computing weights from weights` } as const;
    for (const label of new Set([...contractedLabels(step), ...mixed])) elements.freezeAxis(table.labelOf(step, label), elements.reason(reason));
  }
  let operand: number | undefined;
  for (let entry = 0; entry < step.inputs.length + step.outputs.length; entry++) {
    if (tokensOf(step, entry) !== undefined) continue;
    operand ??= elements.reason({ kind: 'operator', where, sentence: `${node.op} reads or makes it as an operand` });
    const ids = entry < step.inputs.length ? table.axesOfUse(step, entry) : table.axesOf(step.outputs[entry - step.inputs.length]);
    for (const axis of ids) elements.freezeAxis(axis, operand);
  }
}

/** Labels that a node mixes all elements of: `c~`. */
export function mixedLabels(axes: string): Set<string> {
  if (!axes.includes('~')) return new Set();
  const { inputs, outputs } = parseAxes(axes);
  return new Set([...inputs, ...outputs].flatMap((value) => (value ?? []).flatMap((axis) => axis.flatMap((term) => term.filter((f) => f.mixed).map((f) => f.label)))));
}

/** A value that no signature, no initializer and no constant accounts for. */
function freezeUnaccounted(elements: Elements, { program, trace, fills }: AnalysedProgram, made: ReadonlySet<number>): void {
  for (const value of program.values) {
    if (made.has(value.id) || value.tensor || trace.constants.has(value.id) || fills.has(value.id) || program.inputs.includes(value.id)) continue;
    const axes = elements.table.axesOf(value.id);
    if (axes.length === 0) continue;
    const reason = elements.reason({ kind: 'operator', where: value.name, sentence: `nothing accounts for the axes of ${value.name}` });
    for (const axis of axes) elements.freezeAxis(axis, reason);
  }
}

/** Labels of more than one element that a node reads and that none of its results has: what it sums or reduces over. */
export function contractedLabels(step: AnalysedStep): Set<string> {
  if (isFrozen(step.signature)) return new Set();
  const { inputs, outputs } = parseAxes(step.signature.axes);
  const labels = (side: typeof inputs) => side.flatMap((value) => (value ?? []).flatMap((axis) => axis.flatMap((term) => term.map((f) => f.label))));
  const out = new Set(labels(outputs));
  const picked = new Set(Object.values(step.signature.select ?? {}).map((s) => s.of));
  const part = new Set(inputs.flatMap((value) => (value ?? []).filter((axis) => axis.length > 1).flatMap((axis) => axis.flatMap((term) => term.map((f) => f.label)))));
  return new Set(labels(inputs).filter((label) => !out.has(label) && !picked.has(label) && !part.has(label) && step.sizes.get(label)! > 1));
}
