import { dataTypes, type Model, type NormalNode } from '@coppice/graph';
import type { Backend } from './backend.ts';
import type { ProgramValue, Step } from './program.ts';
import { isFixed, storeValues } from './store-values.ts';
import type { Trace } from './trace.ts';

const MOVES: ReadonlySet<string> = new Set(['Identity', 'Transpose', 'Reshape', 'Squeeze', 'Unsqueeze', 'Flatten', 'Slice', 'Split', 'Concat']);

/** Whether a node gives what it reads another form or puts it together, and no other numbers. */
export const movesOnly = ({ op, domain }: NormalNode): boolean => domain === '' && MOVES.has(op);

/**
 * Every float32 weight that the graph computes from stored ones (8-bit numbers cast and scaled, `DequantizeLinear` of an initializer, 16-bit
 * floats cast, weight norm) becomes an initializer of its own under the name of the computed value, so that gradients and reconstruction
 * have something to change. The model computes the same numbers, and its file is larger: four bytes for each weight. Weights that are only
 * moved (transposed, sliced, joined) stay where they are stored. So do weights in the bodies of If, Loop and Scan, those in other
 * types, those whose shape depends on that of an input, and what has more elements than the stored weights that it is computed from.
 * @returns the model with such weights computed, the same model where there are none; and their names. Trace it anew.
 * @throws what the backend throws
 */
export async function computeWeights(trace: Trace, backend: Backend): Promise<{ readonly model: Model; readonly computed: readonly string[] }> {
  const values = [...findComputed(trace)];
  return { model: await storeValues(trace, backend, values), computed: values.map(({ name }) => name) };
}

/** What the graph computes from weights and hands on: to activations, to bodies, or through moves to either. */
function findComputed(trace: Trace): Set<ProgramValue> {
  const { values, steps, outputs } = trace.program;
  const makers = new Map<number, Step>(steps.flatMap((step) => step.outputs.map((id) => [id, step] as const)));
  const stored = storedWeights(trace);
  const elementsOf = (id: number): number => (trace.runs[0].shapes[id] ?? [Infinity]).reduce((product, size) => product * size, 1);
  const isWeight = (id: number): boolean => {
    const { tainted, weighted, elementType, scope } = values[id];
    if (tainted || !weighted || elementType !== dataTypes.float32 || scope.parent !== undefined || !makers.has(id)) return false;
    return isFixed(trace, id) && !outputs.includes(id) && elementsOf(id) <= [...stored.get(id)!].reduce((sum, source) => sum + elementsOf(source), 0);
  };
  const found = new Set<ProgramValue>();
  const take = (id: number): void => {
    if (id < 0 || !isWeight(id)) return;
    const { node, inputs } = makers.get(id)!;
    if (movesOnly(node)) inputs.forEach(take);
    else found.add(values[id]);
  };
  for (const { scope, inputs, outputs: made } of steps) {
    if (scope.parent !== undefined || made.some((id) => id >= 0 && values[id].tainted)) inputs.forEach(take);
  }
  return found;
}

/** The tensors of the file that each value is computed from, by value id. */
function storedWeights({ program: { values, steps } }: Trace): Map<number, ReadonlySet<number>> {
  const sources = new Map<number, ReadonlySet<number>>(values.flatMap(({ id, tensor }) => (tensor ? [[id, new Set([id])] as const] : [])));
  for (const { inputs, outputs } of steps) {
    const union = new Set(inputs.flatMap((id) => [...(sources.get(id) ?? [])]));
    for (const id of outputs) if (id >= 0) sources.set(id, union);
  }
  return sources;
}
