import { readTensor, toFloat32 } from '@coppice/graph';
import type { Units } from '../analysis/units.ts';
import type { SlicePlace } from '../scorer.ts';
import { gather } from './gather.ts';
import type { ScoreOptions } from './options.ts';
import type { Scoring } from './session.ts';
import type { WeightPart } from './sites.ts';
import type { Uses } from './uses.ts';

/** All slices of all units, with what the model does with each; in the order of the initializers. */
export function weightParts(units: Units, uses: Uses): WeightPart[] {
  const { values } = units.analysed.program;
  const idOf = new Map(values.flatMap(({ id, name, tensor }) => (tensor ? [[name, id] as const] : [])));
  const parts = units.units.flatMap(({ id: unit, slices }) => slices.map(({ initializer, axis, indices, at }): WeightPart => {
    const value = idOf.get(initializer)!;
    const within = at && new Map(Object.entries(at).map(([a, index]) => [Number(a), [index, index + 1] as const]));
    return { unit, value, axis, indices, within, use: uses.of(value, axis, indices[0]) };
  }));
  return parts.sort((a, b) => a.value - b.value || a.unit - b.unit);
}

/** The elements of an initializer, row-major, as 32-bit floats. */
export function readWeights(units: Units, value: number): { data: Float32Array; dims: readonly number[] } {
  const { model, values } = units.analysed.program;
  const tensor = readTensor(model, values[value].tensor!);
  return { data: toFloat32(tensor), dims: tensor.dims };
}

export const placeOf = (units: Units, { unit, value, use }: WeightPart): SlicePlace =>
  ({ unit, role: use?.role ?? 'along', operator: use?.operator ?? '', operand: use?.operand ?? '', initializer: units.analysed.program.values[value].name });

/** Hands over all slices once. */
export function addWeights(units: Units, session: Scoring, parts: readonly WeightPart[], { onProgress }: ScoreOptions): void {
  const byValue = Map.groupBy(parts, ({ value }) => value);
  let done = 0;
  for (const [value, slices] of byValue) {
    const { data, dims } = readWeights(units, value);
    for (const part of slices) session.add({ ...placeOf(units, part), weights: gather(data, dims, [part]) });
    done++;
    onProgress?.({ stage: 'weights', done, total: byValue.size });
  }
}
