import { describeInputs, makeInputs, type NamedTensors, type Trace } from '@coppice/core';

/**
 * Inputs to compare two models on: random ones with a new seed for every second, in turns of both sizes that the trace found to work.
 * @param given tensors that are used as they are
 */
export function randomRuns(trace: Trace, given: NamedTensors, count: number): NamedTensors[] {
  const specs = describeInputs(trace.program.model).filter(({ name }) => !given[name]);
  return Array.from({ length: count }, (_, k) => ({ ...makeInputs(specs, trace.sizes[k % 2], `verify/${Math.floor(k / 2)}/${k % 2}`), ...given }));
}
