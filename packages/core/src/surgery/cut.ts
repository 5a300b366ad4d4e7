import { withFields, type Model, type NodeProto, type TensorProto } from '@coppice/graph';
import { isFrozen, type AnalysedStep } from '../analysis/steps.ts';
import type { Units } from '../analysis/units.ts';
import { axisCuts, cutPayload } from './axis-cuts.ts';
import { restoreWidths } from './boundaries.ts';
import { GraphEdits, sliceNode } from './edits.ts';
import { Kept } from './kept.ts';
import { restate } from './restate.ts';
import { bakeStale } from './stale.ts';

/**
 * Removes units physically: every initializer axis loses its own elements, and whatever repeats a size is rewritten. Names, metadata,
 * opsets and the layout of external data stay. Weights are cut when they are written, one at a time.
 * @param removed ids of units; equal numbers from each lane of a group (`planCut` sees to it)
 */
export function cutModel(units: Units, removed: Iterable<number>): Model {
  const kept = new Kept(units, removed);
  const { program, steps } = units.analysed;
  const edits = new GraphEdits(program.model);
  cutTensors(units, kept, edits);
  for (const step of steps) {
    trimFills(units, step, kept, edits);
    restate(step, kept, edits, program.opset);
    if (units.options.norm === 'exact') restoreWidths(units, step, kept, edits);
  }
  bakeStale(units, kept, edits);
  redeclareShapes(units, kept, edits);
  return edits.apply();
}

function cutTensors(units: Units, kept: Kept, edits: GraphEdits): void {
  const { program } = units.analysed;
  const done = new Set<TensorProto>();
  for (const { id, tensor, listedBy } of program.values) {
    if (!tensor || done.has(tensor)) continue;
    const cuts = axisCuts(units, id, kept);
    if (cuts.length === 0) continue;
    done.add(tensor);
    const dims = tensor.dims.map(Number);
    for (const cut of cuts) dims[cut.axis] = cut.indices[0].length;
    const payload = cutPayload(program.model, tensor, dims, cuts);
    if (listedBy) listAnew(listedBy, withFields(tensor, { dims: dims.map(BigInt), rawData: payload.bytes() }), edits);
    else edits.replaceTensor(tensor, emptied(tensor, dims), payload);
  }
}

/** A Constant node that lists its numbers holds what stays of them as a tensor. */
function listAnew(node: NodeProto, tensor: TensorProto, edits: GraphEdits): void {
  edits.setAttribute(node, node.attribute[0].name, undefined);
  edits.setAttribute(node, 'value', tensor);
}

/** A tensor message of other dimensions whose contents come from a payload. */
const emptied = (tensor: TensorProto, dims: readonly number[]): TensorProto =>
  withFields(tensor, { dims: dims.map(BigInt), rawData: undefined, floatData: [], int32Data: [], int64Data: [], doubleData: [], uint64Data: [] });

/** A tensor of equal elements is made in any width by keeping its first elements. */
function trimFills(units: Units, step: AnalysedStep, kept: Kept, edits: GraphEdits): void {
  if (isFrozen(step.signature)) return;
  const { analysed, elements } = units;
  step.inputs.forEach((id, k) => {
    if (!analysed.fills.has(id)) return;
    const axes = elements.table.axesOfUse(step, k);
    const cut = axes.flatMap((axis, a) => (kept.isCut(axis) ? [a] : []));
    if (cut.length === 0) return;
    const { proto, node } = step.step;
    const source = node.operands[step.border ?? k]?.source;
    if (source?.kind !== 'input') return;
    const input = edits.inputOf(proto, source.index);
    const output = edits.fresh(`${input}/trimmed`);
    edits.insertBefore(proto, sliceNode(edits, analysed.program.opset, input, output, cut, cut.map(() => 0), cut.map((a) => kept.length(axes[a]))));
    edits.setInput(proto, source.index, output);
  });
}

function redeclareShapes(units: Units, kept: Kept, edits: GraphEdits): void {
  const { program } = units.analysed;
  const { table } = units.elements;
  for (const value of program.values) {
    const axes = table.axesOf(value.id);
    if (!axes.some((axis) => kept.isCut(axis))) continue;
    const local = value.name.slice(value.scope.path.length);
    const { graph } = value.scope;
    if (graph.input.some(({ name }) => name === local) || graph.output.some(({ name }) => name === local)) {
      edits.setShape(local, axes.map((axis) => (kept.isCut(axis) ? kept.length(axis) : -1)), graph);
    } else edits.forgetShape(local);
  }
}
