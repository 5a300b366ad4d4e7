import { verificationInputs, type NamedTensors, type Trace } from '@coppice/core';

/**
 * Inputs to compare two models on: random ones with a new seed for each round, in turns of both sizes that the trace found to work and
 * of a batch of one.
 * @param given tensors that are used as they are; sizes follow from them, so that only the traced sizes are left
 */
export function randomRuns(trace: Trace, given: NamedTensors, count: number): NamedTensors[] {
  const rounds = Array.from({ length: count }, (_, k) => `verify/${k}`);
  const usable = Object.keys(given).length > 0 ? (k: number, all: number) => k % all < 2 : () => true;
  const [sizes] = [verificationInputs(trace, rounds.slice(0, 1)).length];
  return verificationInputs(trace, rounds).filter((_, k) => usable(k, sizes)).slice(0, count).map((inputs) => ({ ...inputs, ...given }));
}
