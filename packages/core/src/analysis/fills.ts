import { isDefault, type Program } from '../program.ts';
import type { Trace } from '../trace.ts';

/** Operators that only rearrange, repeat or pick elements of their first input. */
const MOVES = new Set(['Expand', 'Slice', 'Gather', 'Reshape', 'Transpose', 'Squeeze', 'Unsqueeze', 'Cast', 'Identity', 'Tile', 'Flatten', 'Split']);

/**
 * Values whose elements are all equal because they were made by ConstantOfShape and only moved since: zero initial states, mostly.
 * They tie nothing (exporters make one tensor of states for all layers and slice it), since any width of them can be had.
 */
export function findFills(program: Program, trace: Trace): Set<number> {
  const fills = new Set<number>();
  for (const { node, inputs, outputs } of program.steps) {
    if (!isDefault(node.domain)) continue;
    const made = node.op === 'ConstantOfShape' || (MOVES.has(node.op) && fills.has(inputs[0])) || (node.op === 'Expand' && isSingle(program, trace, inputs[0])) || (node.op === 'Concat' && inputs.every((id) => fills.has(id)) && sameFill(inputs, fills));
    if (made) for (const id of outputs) if (id >= 0 && !program.values[id].tainted && (trace.runs[0].shapes[id]?.length ?? 0) > 0 && !isSmallInteger(program, trace, id)) fills.add(id);
  }
  return fills;
}

const isSingle = (program: Program, trace: Trace, id: number) => id >= 0 && !program.values[id].tainted && trace.runs[0].shapes[id]?.every((n) => n === 1) === true && trace.constants.has(id);

// Two fills may have different contents; one and the same certainly has not.
const sameFill = (inputs: readonly number[], fills: ReadonlySet<number>) => fills.size > 0 && inputs.every((id) => id === inputs[0]);

/** Shape arithmetic also uses ConstantOfShape (of ones); it is folded, not resized. */
const isSmallInteger = (program: Program, trace: Trace, id: number) => program.values[id].elementType === 7 && (trace.runs[0].shapes[id]?.length ?? 0) <= 1;
