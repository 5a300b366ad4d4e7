import type { Units } from '../analysis/units.ts';
import { isDefault, type Step } from '../program.ts';
import { axisCuts } from './axis-cuts.ts';
import { constantType, keptConstant } from './constants.ts';
import type { GraphEdits } from './edits.ts';
import type { Kept } from './kept.ts';
import { correctLive } from './restate.ts';

/**
 * Numbers that the graph computes from the shape of something that got narrower (√width, a count to divide by, bounds) would adapt and
 * change the function. Where they are read as data they become literals of what the whole model computed. So do small constants that
 * the graph computes and that got narrower themselves.
 */
export function bakeStale(units: Units, kept: Kept, edits: GraphEdits): void {
  const { program, trace, steps, fills } = units.analysed;
  const { table } = units.elements;
  const stale = new Set<number>();
  for (const { node, inputs, outputs } of program.steps) {
    const measures = isDefault(node.domain) && (node.op === 'Shape' || node.op === 'Size');
    const changed = measures ? table.axesOf(inputs[0]).some((axis) => kept.isCut(axis)) : inputs.some((id) => stale.has(id));
    if (changed) for (const id of outputs) if (id >= 0 && !program.values[id].tainted) stale.add(id);
  }
  for (const step of program.steps) keepFill(units, step, stale, edits);
  const accounted = new Set(steps.flatMap(({ outputs }) => outputs));
  // A small computed constant has no structure of its own, so nothing upstream of it was cut along with it.
  const isNarrower = (id: number): boolean =>
    id >= 0 && trace.constants.has(id) && !program.values[id].tensor && !accounted.has(id) && table.axesOf(id).some((axis) => kept.isCut(axis));
  const baked = new Map<number, string>();
  const bake = (id: number): string | undefined => {
    const constant = trace.constants.get(id);
    if (!constant) return undefined;
    const cuts = axisCuts(units, id, kept);
    if (cuts.length > 0 && !isNarrower(id)) return undefined;
    if (!baked.has(id)) {
      const { dims, values } = keptConstant(units, id, kept)!;
      baked.set(id, edits.addConstant(`${program.values[id].name}/baked`, constantType(units, id), dims, values));
    }
    return baked.get(id);
  };
  for (const step of steps) {
    for (const member of step.region?.members ?? [step.step]) {
      member.inputs.forEach((id, k) => {
        const source = member.node.operands[k]?.source;
        // What `restate` has written is no longer read from the graph.
        if (!(stale.has(id) || isNarrower(id)) || fills.has(id) || source?.kind !== 'input' || edits.inputOf(member.proto, source.index) !== member.proto.input[source.index]) return;
        const name = bake(id);
        if (name !== undefined) edits.setInput(member.proto, source.index, name);
      });
    }
  }
}

/** Which operand of an operator that makes or forms a fill states its shape. */
const SHAPE_OPERAND: Readonly<Record<string, number>> = { ConstantOfShape: 0, Expand: 1, Reshape: 1 };

/** Each reader of a fill trims it to its own width, so a fill that takes its shape from something narrower keeps the width that it had. */
function keepFill({ analysed: { program, trace, fills } }: Units, step: Step, stale: ReadonlySet<number>, edits: GraphEdits): void {
  const operand = SHAPE_OPERAND[step.node.op];
  const [output] = step.outputs;
  if (operand === undefined || !fills.has(output) || !stale.has(step.inputs[operand])) return;
  const [first, ...others] = trace.runs.map(({ shapes }) => shapes[output]!);
  const stated = trace.runs[0].shapes[step.inputs[operand]]?.[0] ?? first.length;
  const sizes = first.map((size, a) => (others.every((shape) => shape[a] === size) ? size : undefined)).slice(first.length - stated);
  correctLive(step, operand, sizes, edits, program.opset);
}
