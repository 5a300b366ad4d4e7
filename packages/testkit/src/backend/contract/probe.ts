import { createRandom, type Backend, type Executable, type NamedTensors } from '@coppice/core';
import { graphOf, type Model, type Tensor } from '@coppice/graph';
import { must, notRefusing, type Claim, type ClaimFamily, type Subject } from '../claim.ts';
import { differenceOf, exact, firstDifference, ofScale } from '../compare.ts';
import { eagerBackend } from '../eager-backend.ts';
import { graphModel, spread, type Stated } from '../graph-claim.ts';
import { withExecutable } from '../with-executable.ts';

const weight = (name: string, ...dims: readonly number[]): Stated => {
  const random = createRandom(`probe/${name}`);
  return [name, 'float32', dims, Array.from({ length: dims.reduce((p, n) => p * n, 1) }, () => 0.5 * random.normal())];
};

/**
 * A recogniser in miniature with every kind of result that is easily handed out twice: an input as it is, the same numbers in another
 * shape, a value that is read again, a constant of the file, whole numbers. x[batch, 4, time], gain[batch, 1, 1]. Made anew each time, as a bad backend may write to it.
 */
export const probe = (): Model => graphModel(
  [['x', 'float32', ['batch', 4, 'time']], ['gain', 'float32', ['batch', 1, 1]]],
  [['maps', 'float32', ['batch', 6, 'time']], ['active', 'float32', ['batch', 6, 'time']], ['states', 'float32'], ['last', 'float32'], ['shape', 'int64', [3]], ['same', 'float32'], ['flat', 'float32'], ['fixed', 'float32', [3]]],
  [
    ['Conv', ['x', 'kernel', 'bias'], 'maps', { pads: [1, 1] }], ['Relu', ['maps'], 'active'], ['Mul', ['active', 'gain'], 'louder'],
    ['Transpose', ['louder'], 'frames', { perm: [2, 0, 1] }],
    ['GRU', ['frames', 'W', 'R', 'B'], ['states', 'last'], { hidden_size: 5, direction: 'bidirectional' }],
    ['Shape', ['x'], 'shape'], ['Identity', ['x'], 'same'], ['Reshape', ['maps', 'rows'], 'flat'], ['Identity', ['table'], 'fixed'],
  ],
  [weight('kernel', 6, 4, 3), weight('bias', 6), weight('W', 2, 15, 6), weight('R', 2, 15, 5), weight('B', 2, 30), weight('table', 3), ['rows', 'int64', [2], [0, -1]]],
);

/** The outputs of the probe in the order of the file. */
export const outputNames: readonly string[] = graphOf(probe()).output.map(({ name }) => name);

/** What it is made of. */
export const probeOperators: readonly string[] = [...new Set(graphOf(probe()).node.map(({ opType }) => opType))];

/** Inputs of the probe; other numbers for another start. */
export const probeInputs = (batch: number, time: number, start = 1): Record<string, Tensor> =>
  ({ x: spread([batch, 4, time], start), gain: spread([batch, 1, 1], start + 1) });

const computed = new Map<string, Promise<NamedTensors>>();

/** What the probe computes by the reference; kept, because many claims try the same inputs. */
export function probeExpected(inputs: NamedTensors): Promise<NamedTensors> {
  const key = Object.values(inputs).map(({ dims, data }) => `${dims.join('x')}:${(data as Float32Array).join()}`).join('/');
  if (!computed.has(key)) computed.set(key, eagerBackend().compile(probe()).then((executable) => executable.run(inputs)));
  return computed.get(key)!;
}

/** @throws Error when results of the probe are not what the reference says */
export async function mustBeRight(subject: Subject, inputs: NamedTensors, results: NamedTensors, when: string): Promise<void> {
  const difference = firstDifference(await probeExpected(inputs), results, (tensor) => ofScale(tensor, subject.tolerance));
  must(difference === undefined, `${when} ${difference}`);
}

/** @throws Error when results are not the same bits as before */
export function mustBeSame(before: NamedTensors, after: NamedTensors, when: string): void {
  const difference = firstDifference(before, after, () => exact);
  must(difference === undefined, `${when} ${difference}`);
}

/** A claim about the contract, tried on the compiled probe. */
export const claimOfProbe = (family: ClaimFamily, title: string, check: (executable: Executable, subject: Subject, backend: Backend) => Promise<void>): Claim => ({
  family, title,
  operators: probeOperators,
  check: (subject) => withExecutable(subject.backend, probe(), (executable) => notRefusing(check(executable, subject, subject.backend), 'the executable')),
});

/** The first difference between two tensors by bits; undefined when there is none. */
export const bitsDiffer = (expected: Tensor, actual: Tensor | undefined): string | undefined => differenceOf(expected, actual, exact);
