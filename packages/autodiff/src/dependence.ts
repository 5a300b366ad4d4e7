import type { Program } from '@coppice/core';
import { CoppiceError, dataTypes, type GraphProto } from '@coppice/graph';

type Step = Program['steps'][number];

const captures = new WeakMap<Program, ReadonlyMap<GraphProto, readonly number[]>>();

/** Ids of what a step of the main graph reads: its operands, and what its bodies use of the graph around them. */
export function readsOf(program: Program, { inputs, proto }: Step): readonly number[] {
  const bodies = proto.attribute.flatMap(({ g }) => (g ? [g] : []));
  if (bodies.length === 0) return inputs;
  let captured = captures.get(program);
  if (!captured) captures.set(program, (captured = capturedBy(program)));
  return [...inputs, ...bodies.flatMap((body) => captured.get(body) ?? [])];
}

/** Values of the main graph that are used in bodies, by the outermost body. */
function capturedBy({ values, steps }: Program): Map<GraphProto, number[]> {
  const captured = new Map<GraphProto, number[]>();
  for (const { scope, inputs, link } of steps) {
    let outermost = scope;
    while (outermost.parent?.parent) outermost = outermost.parent;
    if (!outermost.parent) continue;
    const used = [...inputs, ...(link?.pairs ?? []).flatMap(({ outer, inner }) => [outer, inner])];
    const own = captured.get(outermost.graph) ?? captured.set(outermost.graph, []).get(outermost.graph)!;
    own.push(...used.filter((id) => id >= 0 && values[id].scope.parent === undefined));
  }
  return captured;
}

/**
 * Ids of all values that depend on some initializers.
 * @throws CoppiceError `COPPICE_MODEL_INVALID` for one that there is not, or that is not float32
 */
export function dependents(program: Program, parameters: readonly string[]): Set<number> {
  const names = new Set(parameters);
  const found = new Set<number>();
  for (const { id, name, tensor, scope, elementType } of program.values) {
    if (!tensor || scope.parent !== undefined || !names.delete(name)) continue;
    if (elementType !== dataTypes.float32) throw new CoppiceError('COPPICE_MODEL_INVALID', `'${name}' cannot be differentiated with respect to: it is not float32. Bring the model to float32 first.`);
    found.add(id);
  }
  if (names.size > 0) throw new CoppiceError('COPPICE_MODEL_INVALID', `The model has no initializer ${[...names].map((name) => `'${name}'`).join(', ')}.`);
  for (const step of program.steps) {
    for (const { outer, inner } of step.link?.pairs ?? []) if (found.has(outer) || found.has(inner)) found.add(outer).add(inner);
    if (readsOf(program, step).some((id) => found.has(id))) for (const id of step.outputs) if (id >= 0) found.add(id);
  }
  return found;
}

/** Ids of all values on which some results depend. */
export function ancestors(program: Program, results: readonly string[]): Set<number> {
  const names = new Set(results);
  const found = new Set(program.outputs.filter((id) => names.has(program.values[id].name)));
  for (const step of program.steps.toReversed()) if (step.outputs.some((id) => found.has(id))) for (const id of readsOf(program, step)) if (id >= 0) found.add(id);
  return found;
}

