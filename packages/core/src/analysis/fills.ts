import { readTensor, type TensorProto } from '@coppice/graph';
import { isDefault, type Program } from '../program.ts';
import type { Trace } from '../trace.ts';

/** Operators that only rearrange, repeat or pick elements of their first input. */
const MOVES = new Set(['Expand', 'Slice', 'Gather', 'Reshape', 'Transpose', 'Squeeze', 'Unsqueeze', 'Cast', 'Identity', 'Tile', 'Flatten', 'Split']);

/** Larger tensors are not looked through for whether all their elements are equal. */
const LARGEST = 65536;

/**
 * Values whose elements are all equal because they were made by ConstantOfShape and only moved since (zero initial states, mostly), or
 * because the file states them so: exporters give the ones and zeros of all plain norms to a single initializer.
 * They tie nothing (exporters make one tensor of states for all layers and slice it), since any width of them can be had.
 */
export function findFills(program: Program, trace: Trace): Set<number> {
  const fills = sharedFills(program);
  for (const { node, inputs, outputs } of program.steps) {
    if (!isDefault(node.domain)) continue;
    const made = node.op === 'ConstantOfShape' || (MOVES.has(node.op) && fills.has(inputs[0])) || (node.op === 'Expand' && isSingle(program, trace, inputs[0])) || (node.op === 'Concat' && inputs.every((id) => fills.has(id)) && sameFill(inputs, fills));
    if (made) for (const id of outputs) if (id >= 0 && !program.values[id].tainted && (trace.runs[0].shapes[id]?.length ?? 0) > 0 && !isSmallInteger(program, trace, id)) fills.add(id);
  }
  for (const id of program.outputs) fills.delete(id);
  // What a body hands out must have the width of what it is outside.
  for (const { link } of program.steps) for (const { inner } of link?.pairs ?? []) fills.delete(inner);
  return fills;
}

/** Initializers of equal elements that several nodes read; one that a single node reads is a weight like any other. */
function sharedFills(program: Program): Set<number> {
  const readers = new Map<number, number>();
  for (const { inputs } of program.steps) for (const id of new Set(inputs)) readers.set(id, (readers.get(id) ?? 0) + 1);
  return new Set(program.values.flatMap(({ id, tensor, weighted }) => (tensor && weighted && readers.get(id)! > 1 && isEven(program, tensor) ? [id] : [])));
}

function isEven(program: Program, tensor: TensorProto): boolean {
  if (tensor.dims.reduce((p, n) => p * Number(n), 1) > LARGEST) return false;
  const { data } = readTensor(program.model, tensor);
  return (data as ArrayLike<unknown> & Iterable<unknown>).length > 0 && Array.prototype.every.call(data, (x) => x === data[0]);
}

const isSingle = (program: Program, trace: Trace, id: number) => id >= 0 && !program.values[id].tainted && trace.runs[0].shapes[id]?.every((n) => n === 1) === true && trace.constants.has(id);

// Two fills may have different contents; one and the same certainly has not.
const sameFill = (inputs: readonly number[], fills: ReadonlySet<number>) => fills.size > 0 && inputs.every((id) => id === inputs[0]);

/** Shape arithmetic also uses ConstantOfShape (of ones); it is folded, not resized. */
const isSmallInteger = (program: Program, trace: Trace, id: number) => program.values[id].elementType === 7 && (trace.runs[0].shapes[id]?.length ?? 0) <= 1;
