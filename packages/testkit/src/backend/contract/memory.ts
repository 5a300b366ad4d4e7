import { must, type Claim, type Subject } from '../claim.ts';
import { graphModel } from '../graph-claim.ts';
import { probe, probeInputs, probeOperators } from './probe.ts';

const claim = (title: string, check: (subject: Subject, memory: () => number) => Promise<void>): Claim =>
  ({ family: 'memory', title, operators: probeOperators, applies: ({ memory }) => memory !== undefined, check: (subject) => check(subject, subject.memory!) });

/** What the backend holds, where it lets itself be asked. */
export const memoryClaims: readonly Claim[] = [
  claim('is seen by the probe', async ({ backend }, memory) => {
    // A runtime may not be there before the first model.
    await (await backend.compile(probe())).dispose();
    const before = memory();
    const executable = await backend.compile(probe());
    try {
      await executable.run(probeInputs(1, 3));
      must(memory() > before, `the probe says ${memory()} with a model at hand and ${before} without: it looks elsewhere, and what it says of leaks means nothing`);
    } finally {
      await executable.dispose();
    }
  }),
  claim('is the same after many runs as after one', async ({ backend }, memory) => {
    const executable = await backend.compile(probe());
    try {
      const run = async (k: number): Promise<void> => { await executable.run(probeInputs(1 + (k % 2), 3 + (k % 3), k), k % 4 === 0 ? ['last'] : undefined); };
      // All sizes once, in case something is kept for each.
      for (let k = 0; k < 12; k++) await run(k);
      const before = memory();
      for (let k = 12; k < 60; k++) await run(k);
      must(memory() === before, `48 runs changed what is held from ${before} to ${memory()}`);
    } finally {
      await executable.dispose();
    }
  }),
  claim('is the same after runs that failed', async ({ backend }, memory) => {
    const executable = await backend.compile(probe());
    try {
      await executable.run(probeInputs(1, 3));
      const before = memory();
      for (let k = 0; k < 8; k++) await executable.run({ x: probeInputs(1, 3).x }).catch(() => undefined);
      must(memory() === before, `8 runs that failed changed what is held from ${before} to ${memory()}`);
    } finally {
      await executable.dispose();
    }
  }),
  claim('is the same after dispose as before compile', async ({ backend }, memory) => {
    // Whatever a backend keeps for all models is there after the first.
    await (await backend.compile(probe())).dispose();
    const before = memory();
    for (let k = 0; k < 3; k++) {
      const executable = await backend.compile(probe());
      await executable.run(probeInputs(2, 4));
      await executable.dispose();
    }
    must(memory() === before, `three models that came and went changed what is held from ${before} to ${memory()}`);
  }),
  claim('is given back by a model that is refused', async ({ backend }, memory) => {

    const strange = graphModel([['x', 'float32', ['n', 3]]], [['y', 'float32']], [['MatMul', ['x', 'w'], 'h'], ['NoSuchOperator', ['h'], 'y']], [['w', 'float32', [3, 2], [1, 2, 3, 4, 5, 6]]]);
    const attempt = (): Promise<void> => backend.compile(strange).then((executable) => executable.dispose(), () => undefined);
    await attempt();
    const before = memory();
    for (let k = 0; k < 3; k++) await attempt();
    must(memory() === before, `three models that were refused changed what is held from ${before} to ${memory()}`);
  }),
];
