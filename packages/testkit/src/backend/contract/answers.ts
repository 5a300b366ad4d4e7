import { copied } from '../copied.ts';
import { must, type Claim } from '../claim.ts';
import { withExecutable } from '../with-executable.ts';
import { claimOfProbe, mustBeRight, mustBeSame, outputNames, probe, probeExpected, probeInputs } from './probe.ts';

/** What comes back: names, subsets, other sizes, the same again. */
export const answerClaims: readonly Claim[] = [
  claimOfProbe('outputs', 'all come back, each under its name, in the order of the file', async (executable, subject) => {
    const inputs = probeInputs(2, 5);
    const results = await executable.run(inputs);
    must(Object.keys(results).join() === outputNames.join(), `the outputs are ${Object.keys(results).join(', ') || 'none'} instead of ${outputNames.join(', ')}`);
    await mustBeRight(subject, inputs, results, 'all outputs asked for:');
  }),
  claimOfProbe('outputs', 'come back alone where one is asked for, and are the same', async (executable, subject) => {
    const inputs = probeInputs(2, 5);
    const expected = await probeExpected(inputs);
    for (const names of [...outputNames.map((name) => [name]), ['last', 'maps'], ['fixed', 'shape', 'flat']]) {
      const results = await executable.run(inputs, names);
      must(Object.keys(results).toSorted().join() === names.toSorted().join(), `${names.join(', ')} asked for: the outputs are ${Object.keys(results).join(', ') || 'none'}`);
      await mustBeRight(subject, inputs, { ...expected, ...results }, `${names.join(', ')} asked for:`);
    }
  }),
  claimOfProbe('outputs', 'are none where none is asked for', async (executable) => {
    const results = await executable.run(probeInputs(1, 3), []);
    must(Object.keys(results).length === 0, `no output asked for: ${Object.keys(results).join(', ')} came back`);
  }),

  claimOfProbe('dimension parameters', 'are honoured: one executable, other sizes, and back', async (executable, subject) => {
    for (const [batch, time] of [[2, 5], [3, 9], [2, 4], [1, 1], [1, 12], [4, 2], [2, 5]]) {
      const inputs = probeInputs(batch, time, batch + time);
      await mustBeRight(subject, inputs, await executable.run(inputs), `batch ${batch}, time ${time}:`);
    }
  }),

  claimOfProbe('determinism', 'the same inputs give the same bits again', async (executable) => {
    const inputs = probeInputs(3, 11);
    const first = copied(await executable.run(inputs));
    for (let k = 2; k <= 6; k++) mustBeSame(first, await executable.run(inputs), `run ${k} with the same inputs:`);
  }),
  claimOfProbe('determinism', 'a second executable of the same model gives the same bits', async (executable, _, backend) => {
    const inputs = probeInputs(3, 11);
    const first = copied(await executable.run(inputs));
    mustBeSame(first, await withExecutable(backend, probe(), (other) => other.run(inputs)), 'compiled again:');
  }),
  claimOfProbe('determinism', 'unoptimised it computes the same within the tolerance', async (_, subject, backend) => {
    const inputs = probeInputs(2, 6);
    await mustBeRight(subject, inputs, await withExecutable(backend, probe(), (plain) => plain.run(inputs), { optimise: 'none' }), "optimise: 'none':");
  }),

  claimOfProbe('state', 'an earlier run with other inputs leaves nothing behind', async (executable, subject, backend) => {
    const [inputs, others] = [probeInputs(2, 7), probeInputs(2, 7, 40)];
    await executable.run(others);
    const after = copied(await executable.run(inputs));
    await mustBeRight(subject, inputs, after, 'after a run with other inputs:');
    mustBeSame(await withExecutable(backend, probe(), (fresh) => fresh.run(inputs)), after, 'after a run with other inputs, against a fresh executable:');
    await executable.run(probeInputs(3, 2, 9));
    mustBeSame(after, await executable.run(inputs), 'after a run with other sizes:');
  }),
  claimOfProbe('state', 'a run that failed leaves nothing behind', async (executable, subject) => {
    const inputs = probeInputs(2, 7);
    await executable.run({ x: inputs.x }).catch(() => undefined);
    await mustBeRight(subject, inputs, await executable.run(inputs), 'after a run that failed:');
  }),

  claimOfProbe('concurrency', 'runs that overlap get their own answers', async (executable, subject) => {
    const given = Array.from({ length: 8 }, (_, k) => probeInputs(1 + (k % 3), 3 + (k % 4), 5 * k));
    const results = await Promise.all(given.map((inputs) => executable.run(inputs)));
    for (const [k, result] of results.entries()) await mustBeRight(subject, given[k], result, `run ${k + 1} of ${given.length} at once:`);
  }),
  claimOfProbe('concurrency', 'runs of two executables that overlap get their own answers', async (executable, subject, backend) => {
    await withExecutable(backend, probe(), async (other) => {
      const given = Array.from({ length: 6 }, (_, k) => probeInputs(2, 3 + (k % 2), 7 * k));
      const results = await Promise.all(given.map((inputs, k) => (k % 2 ? other : executable).run(inputs, k % 3 ? undefined : ['last', 'same'])));
      for (const [k, result] of results.entries()) {
        const expected = await probeExpected(given[k]);
        await mustBeRight(subject, given[k], { ...expected, ...result }, `run ${k + 1} of ${given.length} on two executables at once:`);
      }
    });
  }),
];
