import type { NamedTensors } from '@coppice/core';
import type { Tensor } from '@coppice/graph';
import { copied } from '../copied.ts';
import { must, type Claim } from '../claim.ts';
import { withExecutable } from '../with-executable.ts';
import { bitsDiffer, claimOfProbe, mustBeRight, outputNames, probe, probeInputs } from './probe.ts';

/** Overwrites every element. */
function overwrite({ data }: Tensor): void {
  if (data instanceof BigInt64Array) data.fill(-77n);
  else (data as Float32Array).fill(-77);
}

/** @throws Error when a tensor is not as it was */
function mustBeUntouched(before: NamedTensors, now: NamedTensors, what: string): void {
  for (const [name, tensor] of Object.entries(before)) {
    const difference = bitsDiffer(tensor, now[name]);
    must(difference === undefined, `${what} '${name}' ${difference}`);
  }
}

/** Whose memory is whose: results belong to the caller, inputs too. */
export const ownershipClaims: readonly Claim[] = [
  claimOfProbe('fresh results', 'stay as they are when the executable runs again', async (executable) => {
    const first = await executable.run(probeInputs(2, 6));
    const before = copied(first);
    await executable.run(probeInputs(2, 6, 30));
    await executable.run(probeInputs(3, 8, 60));
    mustBeUntouched(before, first, 'a later run changed an earlier result:');
  }),
  claimOfProbe('fresh results', 'stay as they are when the executable is disposed', async (_, __, backend) => {
    const [first, before] = await withExecutable(backend, probe(), async (executable) => {
      const results = await executable.run(probeInputs(2, 6));
      return [results, copied(results)] as const;
    });
    await withExecutable(backend, probe(), (other) => other.run(probeInputs(2, 6, 30)));
    mustBeUntouched(before, first, 'dispose and another executable changed a result:');
  }),

  claimOfProbe('aliasing', 'no output shares memory with another', async (executable) => {
    const results = await executable.run(probeInputs(2, 6));
    for (const name of outputNames) {
      const before = copied(results);
      overwrite(results[name]);
      mustBeUntouched(Object.fromEntries(Object.entries(before).filter(([other]) => other !== name)), results, `writing to output '${name}' changed output`);
    }
  }),
  claimOfProbe('aliasing', 'no output shares memory with an input', async (executable) => {
    const inputs = probeInputs(2, 6);
    const given = copied(inputs);
    const results = await executable.run(inputs);
    const before = copied(results);
    for (const tensor of Object.values(inputs)) overwrite(tensor);
    mustBeUntouched(before, results, 'writing to the inputs after a run changed output');
    const again = copied(given);
    const others = await executable.run(again);
    for (const tensor of Object.values(others)) overwrite(tensor);
    mustBeUntouched(given, again, 'writing to the outputs changed input');
  }),
  claimOfProbe('aliasing', 'no output shares memory with what the executable keeps', async (executable, subject) => {
    const inputs = probeInputs(2, 6);
    for (const tensor of Object.values(await executable.run(inputs))) overwrite(tensor);
    await mustBeRight(subject, inputs, await executable.run(inputs), 'after the caller wrote to all results:');
  }),

  claimOfProbe('inputs', 'are the same after a run', async (executable) => {
    const inputs = probeInputs(2, 6);
    const before = copied(inputs);
    await executable.run(inputs);
    mustBeUntouched(before, inputs, 'a run changed its input');
  }),
  claimOfProbe('inputs', 'may be views into a larger array', async (executable, subject) => {
    const inputs = probeInputs(2, 6);
    const within = (tensor: Tensor, at: number): Tensor => {
      const large = new Float32Array(tensor.data.length + at + 3).fill(99);
      large.set(tensor.data as Float32Array, at);
      return { ...tensor, data: large.subarray(at, at + tensor.data.length) };
    };
    await mustBeRight(subject, inputs, await executable.run({ x: within(inputs.x, 5), gain: within(inputs.gain, 1) }), 'inputs that are views:');
  }),
  claimOfProbe('inputs', 'may change once the run has ended', async (executable, subject) => {
    const inputs = probeInputs(2, 6);
    await executable.run(inputs);
    const others = probeInputs(2, 6, 50);
    (inputs.x.data as Float32Array).set(others.x.data as Float32Array);
    await mustBeRight(subject, inputs, await executable.run(inputs), 'the same array with other numbers:');
  }),
];
