import { CoppiceError, makeGraph, makeValueInfo, type ErrorCode } from '@coppice/graph';
import { copied } from '../copied.ts';
import { must, type Claim, type ClaimFamily, type Subject } from '../claim.ts';
import { graphModel, nodesOf, spread } from '../graph-claim.ts';
import { withExecutable } from '../with-executable.ts';
import { claimOfProbe, mustBeRight, mustBeSame, probe, probeInputs, probeOperators } from './probe.ts';

/** @throws Error unless some work fails with a code and a message that names what is at fault */
async function mustFail(work: Promise<unknown>, code: ErrorCode, named: string, what: string): Promise<void> {
  const error = await work.then(() => undefined, (thrown: unknown) => thrown ?? new Error('nothing'));
  must(error !== undefined, `${what} is not refused`);
  must(error instanceof CoppiceError, () => `${what} fails without a CoppiceError: ${String(error)}`);
  must(error.code === code, `${what} has the code ${error.code} instead of ${code}: ${error.message}`);
  must(error.message.includes(named), `${what} is refused without naming '${named}': ${error.message}`);
}

/** A claim that a model is refused at compile by a name. */
const refused = (title: string, named: string, compile: (subject: Subject) => Promise<unknown>): Claim => ({
  family: 'refusals', title, operators: [named],
  check: (subject) => mustFail(compile(subject), 'COPPICE_BACKEND_REFUSED', named, title),
});

const compiled = async ({ backend }: Subject, model: Parameters<typeof backend.compile>[0]): Promise<void> => (await backend.compile(model)).dispose();

/** A claim about inputs that do not fit, each of which is named before anything runs. */
const misfit = (title: string, named: string, inputs: () => Parameters<Awaited<ReturnType<Subject['backend']['compile']>>['run']>[0], outputs?: readonly string[]): Claim =>
  claimOfProbe('inputs', title, async (executable, subject) => {
    await mustFail(executable.run(inputs(), outputs), 'COPPICE_INPUT_MISMATCH', named, title);
    const good = probeInputs(2, 3);
    await mustBeRight(subject, good, await executable.run(good), 'after inputs that did not fit:');
  });

const unknownBranch = makeGraph({ name: 'then', inputs: [], outputs: [makeValueInfo('t', 'float32')], nodes: nodesOf([['NoSuchOperator', ['x'], 't']]) });
const knownBranch = makeGraph({ name: 'else', inputs: [], outputs: [makeValueInfo('e', 'float32')], nodes: nodesOf([['Neg', ['x'], 'e']]) });

const plain: readonly [ClaimFamily, string, (subject: Subject) => Promise<void>][] = [
  ['life cycle', 'dispose twice is harmless', async ({ backend }) => {
    const executable = await backend.compile(probe());
    await executable.run(probeInputs(1, 3));
    await executable.dispose();
    await executable.dispose();
  }],
  ['life cycle', 'a run after dispose is a clear error', async ({ backend }) => {
    const executable = await backend.compile(probe());
    await executable.dispose();
    await mustFail(executable.run(probeInputs(1, 3)), 'COPPICE_BACKEND_RUN', 'dispose', 'a run after dispose');
  }],
  ['life cycle', 'dispose of one executable leaves another alone', async (subject) => {
    const [inputs, one] = [probeInputs(2, 4), await subject.backend.compile(probe())];
    await withExecutable(subject.backend, probe(), async (other) => {
      const before = copied(await other.run(inputs));
      await one.dispose();
      mustBeSame(before, await other.run(inputs), 'after another executable was disposed:');
    });
  }],
  ['life cycle', 'a run that began before dispose ends', async (subject) => {
    const executable = await subject.backend.compile(probe());
    const inputs = probeInputs(2, 4);
    const run = executable.run(inputs).then((results) => mustBeRight(subject, inputs, results, 'disposed meanwhile:'), (error: unknown) => {
      must(error instanceof CoppiceError, () => `a run that is disposed meanwhile fails without a CoppiceError: ${String(error)}`);
    });
    await Promise.all([run, executable.dispose()]);
  }],
  ['life cycle', 'the backend says what it is', async ({ backend }) => {
    must(backend.name !== '', 'the backend has no name');
    const { version, device, threads } = await backend.info();
    must(version !== '' && device !== '' && threads >= 1, `info gives version '${version}', device '${device}', ${threads} threads`);
  }],
];

/** What goes wrong, and how it is told. */
export const errorClaims: readonly Claim[] = [
  misfit('a missing input is named', 'gain', () => ({ x: probeInputs(1, 3).x })),
  misfit('an input that there is not is named', 'audio', () => ({ ...probeInputs(1, 3), audio: spread([1]) })),
  misfit('an input of another type is named', 'gain', () => ({ ...probeInputs(1, 3), gain: { dtype: 'int32', dims: [1, 1, 1], data: Int32Array.of(1) } })),
  misfit('an input with another number of axes is named', 'x', () => ({ ...probeInputs(1, 3), x: spread([4, 3]) })),
  misfit('an input with a size that the file fixes otherwise is named', 'x', () => ({ ...probeInputs(1, 3), x: spread([1, 5, 3]) })),
  misfit('an input with fewer elements than its shape says is named', 'x', () => ({ ...probeInputs(1, 3), x: { ...spread([1, 4, 2]), dims: [1, 4, 3] } })),
  misfit('an output that there is not is named', 'logits', () => probeInputs(1, 3), ['last', 'logits']),
  refused('an operator that nobody knows is refused at compile', 'NoSuchOperator', (subject) => compiled(subject, graphModel([['x', 'float32', ['n']]], [['y', 'float32']], [['Relu', ['x'], 'r'], ['NoSuchOperator', ['r'], 'y']]))),
  refused('an operator that nobody knows in a branch is refused at compile', 'NoSuchOperator', (subject) => compiled(subject, graphModel([['c', 'bool', []], ['x', 'float32', ['n']]], [['y', 'float32']], [['If', ['c'], 'y', { then_branch: unknownBranch, else_branch: knownBranch }]]))),
  ...plain.map(([family, title, check]): Claim => ({ family, title, operators: probeOperators, check })),
];
