import { createRandom, type Backend, type Random } from '@coppice/core';
import type { OperatorName } from '@coppice/graph';
import { checkGradient, type GradientCase } from './check-gradient.ts';
import { array, count, type Array64 } from './eager/array64.ts';

/** A whole number between two, both included. */
export const between = (random: Random, from: number, to: number): number => from + random.integer(to - from + 1);

/** Numbers of mixed sign, of which none is near another or near zero: away from the kinks of operators that compare. */
export const distinct = (random: Random, shape: readonly number[]): Array64 => {
  const places = random.shuffle(Array.from({ length: count(shape) }, (_, place) => place));
  return array(shape, places.map((place) => Math.fround((place - places.length / 2 + 0.25) / 32)));
};

/** `checkGradient` on random cases of one operator, the same each time. */
export async function checkRandomGradients(op: OperatorName, cases: number, backend: Backend | undefined, draw: (random: Random) => Omit<GradientCase, 'op'>): Promise<void> {
  for (let k = 0; k < cases; k++) await checkGradient({ op, ...draw(createRandom(`${op} ${k}`)) }, backend);
}
