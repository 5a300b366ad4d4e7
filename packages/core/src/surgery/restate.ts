import { dataTypes, float, makeNode } from '@coppice/graph';
import { isFrozen, type AnalysedStep } from '../analysis/steps.ts';
import type { Step } from '../program.ts';
import { axisOf, evaluate, parseAxes, type Restatement } from '../structure/signature.ts';
import type { GraphEdits } from './edits.ts';
import type { Kept } from './kept.ts';

/** Rewrites all that repeats a size at one node: attributes, shape operands, bounds, indices. What stays true is left alone. */
export function restate(step: AnalysedStep, kept: Kept, edits: GraphEdits, opset: number): void {
  if (isFrozen(step.signature) || step.region) return;
  for (const restatement of step.signature.restates ?? []) {
    if ('attribute' in restatement) restateAttribute(step, restatement, kept, edits);
    else if ('are' in restatement) restateSizes(step, restatement, kept, edits, opset);
    else if ('shapeOfOutput' in restatement) restateShape(step, restatement, kept, edits, opset);
    else if ('gridOver' in restatement) restateGrid(step, restatement, kept, edits);
    else if ('indicesInto' in restatement) restateIndices(step, restatement, kept, edits);
  }
  restateSlices(step, kept, edits, opset);
  for (const { label, attribute, value } of step.signature.pins ?? []) {
    if (kept.isCut(kept.elements.table.labelOf(step, label))) edits.setAttribute(step.step.proto, attribute, float(value));
  }
}

type Of<K extends string> = Extract<Restatement, Record<K, unknown>>;

function restateAttribute(step: AnalysedStep, { attribute, is }: Of<'attribute'>, kept: Kept, edits: GraphEdits): void {
  const before = evaluate(is, (label) => step.sizes.get(label)!);
  const now = kept.evaluate(step, is);
  if (now !== before) edits.setAttribute(step.step.proto, attribute, now);
}

/** The contents of an operand: literal or folded. */
export const contentsOf = (step: AnalysedStep, operand: number): readonly number[] | undefined => step.view?.constants[operand];

/** Writes new contents of an operand at the place where the file has it: an input or an attribute. */
function writeOperand(step: AnalysedStep, operand: number, values: readonly number[], kept: Kept, edits: GraphEdits, attributeWhenAbsent?: string, dims?: readonly number[]): void {
  const { proto, node } = step.step;
  const source = node.operands[operand]?.source ?? (attributeWhenAbsent ? { kind: 'attribute' as const, name: attributeWhenAbsent } : { kind: 'input' as const, index: operand });
  if (source.kind === 'attribute') edits.setAttribute(proto, source.name, [...values]);
  else {
    const type = kept.elements.table.analysed.program.values[step.inputs[operand]]?.elementType === dataTypes.int32 ? 'int32' : 'int64';
    edits.setInput(proto, source.index, edits.addConstant(`${proto.output[0]}/${node.op.toLowerCase()}_${operand}`, type, dims ?? [values.length], values));
  }
}

/** Split sizes, pads: one expression for each entry. */
function restateSizes(step: AnalysedStep, { operand, are }: Of<'are'>, kept: Kept, edits: GraphEdits, opset: number): void {
  const before = contentsOf(step, operand);
  const isChanged = (expression: string | undefined) => expression !== undefined && kept.evaluate(step, expression) !== evaluate(expression, (label) => step.sizes.get(label)!);
  if (!are.some(isChanged)) return;
  const stated = are.map((expression) => (expression === undefined ? undefined : kept.evaluate(step, expression)));
  // Sizes that a run computes (of the batch, of time) stay computed, but for those of the axes that got narrower.
  if (before === undefined && step.view?.inputs[operand]) return correctLive(step.step, operand, stated.map((size, k) => (isChanged(are[k]) ? size : undefined)), edits, opset);
  const values = stated.map((size, k) => (isChanged(are[k]) ? size : (before?.[k] ?? size)) ?? 0);
  const splitsByAttribute = step.step.node.op === 'Split' && opset < 13;
  writeOperand(step, operand, values, kept, edits, splitsByAttribute ? 'split' : undefined);
  if (step.step.node.op === 'Split') edits.setAttribute(step.step.proto, 'num_outputs', undefined);
}

/** Reshape, Expand, ConstantOfShape: entries that state a size that changed. A live operand is corrected where it is wrong. */
function restateShape(step: AnalysedStep, { operand, shapeOfOutput }: Of<'shapeOfOutput'>, kept: Kept, edits: GraphEdits, opset: number): void {
  const { table } = kept.elements;
  const axes = table.axesOf(step.outputs[shapeOfOutput]);
  const stated = step.view?.inputs[operand]?.[0] ?? axes.length;
  const shift = axes.length - stated;
  // An entry 0 of Reshape copies the size at its position, which may be that of another axis.
  const copied = step.step.node.op === 'Reshape' && step.step.node.attributes.allowzero !== 1 ? table.axesOfUse(step, 0) : [];
  const couldCopy = (k: number) => copied[k] !== undefined && step.view!.runs.every(({ inputs, outputs }) => inputs[0]![k] === outputs[0]![k] && outputs[0]![k] === table.lengths[axes[k]]);
  const copiesOther = (k: number) => couldCopy(k) && kept.length(copied[k]) !== kept.length(axes[k]);
  const isChanged = (k: number) => kept.isCut(axes[k + shift]) || copiesOther(k);
  const entries = Array.from({ length: stated }, (_, k) => k);
  if (!entries.some(isChanged)) return;
  const contents = contentsOf(step, operand);
  if (contents) {
    const values = contents.map((v, k) => {
      const axis = axes[k + shift];
      return axis !== undefined && (v === table.lengths[axis] || (v === 0 && copiesOther(k))) ? kept.length(axis) : v;
    });
    if (values.some((v, k) => v !== contents[k])) writeOperand(step, operand, values, kept, edits);
    return;
  }
  correctLive(step.step, operand, entries.map((k) => (isChanged(k) ? kept.length(axes[k + shift]) : undefined)), edits, opset);
}

/** Puts other numbers into some entries of an operand whose contents only a run knows. */
export function correctLive({ node, proto }: Step, operand: number, entries: readonly (number | undefined)[], edits: GraphEdits, opset: number): void {
  const source = node.operands[operand]?.source;
  if (source?.kind !== 'input') return;
  const live = edits.inputOf(proto, source.index);
  const name = edits.fresh(`${proto.output[0]}/shape`);
  const literal = edits.addConstant(`${name}/kept`, 'int64', [entries.length], entries.map((entry) => entry ?? 0));
  const isOurs = (ours: number, live: number) => entries.map((entry) => (entry === undefined ? live : ours));
  if (opset >= 9) {
    const where = edits.addConstant(`${name}/cut`, 'bool', [entries.length], isOurs(1, 0));
    edits.insertBefore(proto, makeNode({ op: 'Where', name, inputs: [where, literal, live], outputs: [name] }));
  } else {
    const keep = edits.addConstant(`${name}/uncut`, 'int64', [entries.length], isOurs(0, 1));
    const masked = edits.fresh(`${name}/masked`);
    edits.insertBefore(proto, makeNode({ op: 'Mul', name: masked, inputs: [live, keep], outputs: [masked] }));
    edits.insertBefore(proto, makeNode({ op: 'Add', name, inputs: [masked, literal], outputs: [name] }));
  }
  edits.setInput(proto, source.index, name);
}

/** Gather with literal indices into a pruned axis: those of removed elements go, the others are renumbered. */
function restateIndices(step: AnalysedStep, { operand, indicesInto, selected }: Of<'indicesInto'>, kept: Kept, edits: GraphEdits): void {
  if (isFrozen(step.signature)) return;
  const { table } = kept.elements;
  const [of, picked] = [table.labelOf(step, indicesInto), table.labelOf(step, selected)];
  if (!kept.isCut(of)) return;
  const place = new Map(kept.indices(of).map((index, k) => [index, k]));
  const { at } = step.signature.select![selected];
  const values = kept.indices(picked).map((k) => place.get(at[k])!);
  const scalar = step.view?.inputs[operand]?.length === 0;
  writeOperand(step, operand, values, kept, edits, undefined, scalar ? [] : [values.length]);
}

/** ScatterND with the coordinates of a whole grid: a smaller grid, numbered anew along the axes that lost elements. */
function restateGrid(step: AnalysedStep, { operand, gridOver, coordinates }: Of<'gridOver'>, kept: Kept, edits: GraphEdits): void {
  const { table } = kept.elements;
  const labels = gridOver.map((label) => table.labelOf(step, label));
  if (!labels.some((label) => kept.isCut(label))) return;
  const along = labels.map((label, a) => (kept.isCut(label) ? kept.indices(label).map((_, k) => k) : [...coordinates[a]]));
  const dims = along.map((list) => list.length);
  const strides = dims.map((_, a) => dims.slice(a + 1).reduce((p, n) => p * n, 1));
  const values = Array.from({ length: dims.reduce((p, n) => p * n, 1) }, (_, k) => along.map((list, a) => list[Math.floor(k / strides[a]) % dims[a]])).flat();
  writeOperand(step, operand, values, kept, edits, undefined, [...dims, dims.length]);
}

/** Slice along pruned axes: bounds that pick the kept ones of what was picked. Where these no longer lie evenly, a Gather behind it picks them. */
function restateSlices(step: AnalysedStep, kept: Kept, edits: GraphEdits, opset: number): void {
  if (isFrozen(step.signature)) return;
  const { table } = kept.elements;
  let [starts, ends] = [contentsOf(step, 1), contentsOf(step, 2)];
  let steps = contentsOf(step, 4);
  let [changed, stepsChanged] = [false, false];
  for (const restatement of step.signature.restates ?? []) {
    if (!('slice' in restatement)) continue;
    const { slice, entry } = restatement;
    const axis = axisOfSlice(step, entry);
    const input = table.axesOfUse(step, 0)[axis];
    if (input === undefined || !kept.isCut(input) || !starts || !ends) continue;
    changed = true;
    const positions = keptPositions(step, slice, axis, kept);
    const stride = positions.length > 1 ? positions[1] - positions[0] : 1;
    const even = positions.every((p, k) => k === 0 || p - positions[k - 1] === stride);
    if (even && (stride === 1 || opset >= 10)) {
      // Nothing of the part stays: an empty part is legal.
      const end = positions.length === 0 ? 0 : positions.at(-1)! + Math.sign(stride);
      starts = starts.with(entry, positions[0] ?? 0);
      ends = ends.with(entry, end < 0 ? -2147483648 : end);
    } else {
      starts = starts.with(entry, 0);
      ends = ends.with(entry, table.lengths[input]);
      gatherBehind(step, axis, positions, edits);
    }
    const wanted = even ? stride : 1;
    if ((steps?.[entry] ?? 1) !== wanted) {
      stepsChanged = true;
      steps = (steps ?? starts.map(() => 1)).with(entry, wanted);
    }
  }
  if (!changed) return;
  writeOperand(step, 1, starts!, kept, edits);
  writeOperand(step, 2, ends!, kept, edits);
  if (!stepsChanged) return;
  if (!step.step.node.operands[3]) writeOperand(step, 3, starts!.map((_, k) => k), kept, edits);
  writeOperand(step, 4, steps!, kept, edits);
}

function gatherBehind(step: AnalysedStep, axis: number, positions: readonly number[], edits: GraphEdits): void {
  const { proto } = step.step;
  const output = edits.outputOf(proto, 0);
  const whole = edits.fresh(`${output}/sliced`);
  const indices = edits.addConstant(`${output}/indices`, 'int64', [positions.length], positions);
  edits.insertAfter(proto, makeNode({ op: 'Gather', name: edits.fresh(`${output}/gather`), inputs: [whole, indices], outputs: [output], attributes: { axis } }));
  edits.setOutput(proto, 0, whole);
}

function axisOfSlice(step: AnalysedStep, entry: number): number {
  const axes = contentsOf(step, 3);
  return axes ? axisOf(axes[entry], step.view!.inputs[0]!.length) : entry;
}

/** Positions, in the cut axis, of the kept elements of a picked label. */
function keptPositions(step: AnalysedStep, label: string, axis: number, kept: Kept): number[] {
  if (isFrozen(step.signature)) return [];
  const { table } = kept.elements;
  const input = table.axesOfUse(step, 0)[axis];
  const place = new Map(kept.indices(input).map((index, k) => [index, k]));
  const select = step.signature.select?.[label];
  const picked = kept.indices(table.labelOf(step, label));
  if (select) return picked.map((k) => place.get(select.at[k])!);
  let offset = 0;
  for (const term of parseAxes(step.signature.axes).inputs[0]![axis]) {
    if (term.length === 1 && term[0].label === label) break;
    offset += term.reduce((p, f) => p * step.sizes.get(f.label)!, 1);
  }
  return picked.map((k) => place.get(offset + k)!);
}
