import { dataTypeOf, elementBits, makeNode, toTensorProto, withFields } from '@coppice/graph';
import { tokensOf } from '../analysis/axis-table.ts';
import { mixedLabels } from '../analysis/freeze.ts';
import type { NormRegion } from '../analysis/norm-regions.ts';
import { isFrozen, type AnalysedStep } from '../analysis/steps.ts';
import type { Units } from '../analysis/units.ts';
import { axisCuts, cutPayload } from './axis-cuts.ts';
import { constantType, keptConstant } from './constants.ts';
import { padNode, sliceNode, type GraphEdits } from './edits.ts';
import type { Kept } from './kept.ts';

/**
 * A node that mixes all elements of a pruned axis (a norm) computes the same as with the removed elements forced to zero when it still
 * sees the full width: pad with zeros, run, slice. The order of the elements does not matter to it, so the kept ones come first.
 */
export function restoreWidths(units: Units, step: AnalysedStep, kept: Kept, edits: GraphEdits): void {
  if (isFrozen(step.signature)) return;
  const { table } = units.elements;
  const mixed = [...mixedLabels(step.signature.axes)].filter((label) => kept.isCut(table.labelOf(step, label)));
  if (mixed.length === 0) return;
  const { program } = units.analysed;
  const positions = (entry: number) => (tokensOf(step, entry) ?? []).flatMap((axis, a) => (axis.length === 1 && axis[0].length === 1 && mixed.includes(axis[0][0].label) ? [a] : []));
  const members = step.region?.members ?? [step.step];
  step.inputs.forEach((id, k) => {
    const cut = positions(k);
    if (cut.length === 0) return;
    const axes = table.axesOf(id);
    const ends = axes.map((axis, a) => (cut.includes(a) ? table.lengths[axis] - kept.length(axis) : 0));
    const value = program.values[id];
    const constant = value.tensor ? undefined : keptConstant(units, id, kept);
    let padded: string;
    if (constant) {
      // The graph still computes all of it, in the order of the file; the norm wants the kept ones first.
      const full = padEnds(new Uint8Array(Float64Array.from(constant.values).buffer), constant.dims, ends, 8);
      padded = edits.addConstant(`${value.name}/padded`, constantType(units, id), constant.dims.map((n, a) => n + ends[a]), Array.from(new Float64Array(full.buffer as ArrayBuffer)));
    } else if (value.tensor) {
      padded = edits.fresh(`${value.name}/padded`);
      const cuts = axisCuts(units, id, kept);
      const dims = value.tensor.dims.map(Number);
      for (const { axis, indices } of cuts) dims[axis] = indices[0].length;
      const small = cutPayload(program.model, value.tensor, dims, cuts).bytes();
      const full = padEnds(small, dims, ends, elementBits(dataTypeOf(value.tensor.dataType)) / 8);
      const whole = dims.map((n, a) => n + ends[a]);
      edits.addTensor(withFields(toTensorProto(padded, { dtype: 'uint8', dims: [full.length], data: full }), { dims: whole.map(BigInt), dataType: value.tensor.dataType }));
    } else {
      padded = edits.fresh(`${value.name}/padded`);
      const first = members.find((m) => m.inputs.includes(id))!;
      edits.insertBefore(first.proto, padNode(edits, program.opset, value.name.slice(value.scope.path.length), padded, ends));
    }
    if (id === step.region?.input) restoreReshape(step.region, padded, edits);
    for (const member of members) {
      member.inputs.forEach((read, position) => {
        const source = member.node.operands[position]?.source;
        if (read === id && (step.region || position === k) && source?.kind === 'input') edits.setInput(member.proto, source.index, padded);
      });
    }
  });
  step.outputs.forEach((id, k) => {
    const cut = positions(step.inputs.length + k);
    if (id < 0 || cut.length === 0) return;
    const last = members.at(-1)!;
    const axes = table.axesOf(id);
    const index = last.outputs.indexOf(id);
    const name = last.proto.output[index];
    const full = edits.fresh(`${name}/full`);
    edits.setOutput(last.proto, index, full);
    edits.insertAfter(last.proto, sliceNode(edits, program.opset, full, name, cut, cut.map(() => 0), cut.map((a) => kept.length(axes[a]))));
  });
}

/** A region that ends in a Reshape to the shape of its input needs the shape of the padded one. */
function restoreReshape({ members }: NormRegion, padded: string, edits: GraphEdits): void {
  const { node, proto } = members.at(-1)!;
  const source = node.operands[1]?.source;
  if (node.op !== 'Reshape' || source?.kind !== 'input') return;
  const shape = edits.fresh(`${padded}/shape`);
  edits.insertBefore(proto, makeNode({ op: 'Shape', name: shape, inputs: [padded], outputs: [shape] }));
  edits.setInput(proto, source.index, shape);
}

/** Row-major contents with zeros behind each axis. */
function padEnds(bytes: Uint8Array, dims: readonly number[], ends: readonly number[], elementBytes: number): Uint8Array {
  const after = dims.map((n, a) => n + ends[a]);
  const result = new Uint8Array(after.reduce((p, n) => p * n, elementBytes));
  const row = (dims.at(-1) ?? 1) * elementBytes;
  const rows = dims.slice(0, -1).reduce((p, n) => p * n, 1);
  for (let r = 0; r < rows; r++) {
    let rest = r;
    let to = 0;
    let stride = after.at(-1) ?? 1;
    for (let a = dims.length - 2; a >= 0; a--) {
      to += (rest % dims[a]) * stride;
      rest = Math.floor(rest / dims[a]);
      stride *= after[a];
    }
    result.set(bytes.subarray(r * row, (r + 1) * row), to * elementBytes);
  }
  return result;
}
