import type { Schedule, Step } from './step.ts';
import type { Value } from './value.ts';

/**
 * The steps that some outputs need, and where each value is read for the last time.
 * @param template constants by place
 */
export function schedule(steps: readonly Step[], outputs: readonly number[], template: readonly (Value | undefined)[], captures: readonly (readonly [number, number])[]): Schedule {
  const read = new Set(outputs.filter((place) => place >= 0));
  const kept = steps.toReversed().filter((step) => {
    if (!step.outputs.some((place) => read.has(place))) return false;
    for (const place of [...step.inputs, ...step.captured]) if (place >= 0) read.add(place);
    return true;
  }).toReversed();
  const borrowed = new Set(captures.map(([, inner]) => inner));
  const isOwned = (place: number): boolean => template[place] === undefined && !borrowed.has(place);
  const last = new Map<number, number>();
  kept.forEach((step, k) => {
    for (const place of [...step.outputs, ...step.inputs, ...step.captured]) if (place >= 0 && isOwned(place)) last.set(place, k);
  });
  for (const place of outputs) last.delete(place);
  const dies: number[][] = kept.map(() => []);
  for (const [place, k] of last) dies[k].push(place);
  return { steps: kept, dies, read, owned: template.flatMap((_, place) => (isOwned(place) ? place : [])), outputs };
}
