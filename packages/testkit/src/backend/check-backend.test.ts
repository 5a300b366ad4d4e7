import { nativeBackend, wasmBackend } from '@coppice/backend-onnx';
import { describe, expect, it } from 'vitest';
import { checkBackend, claimsFor, subjectOf } from './check-backend.ts';
import type { ClaimFamily } from './claim.ts';
import { describeBackend } from './describe-backend.ts';
import { eagerBackend } from './eager-backend.ts';
import { graphModel } from './graph-claim.ts';
import { moreFaults, plantedFaults, type PlantedFault } from './planted-faults.ts';

const hasNative = await nativeBackend().info().then(() => true, () => false);
const good = hasNative ? nativeBackend() : wasmBackend();

describe('the good backends', () => {
  it.each([good, eagerBackend()])('have no finding', async (backend) => {
    expect(await checkBackend(backend)).toEqual([]);
  });

  it('are asked for much', () => {
    const all = claimsFor(subjectOf(good, { memory: () => 0 }));
    expect(all.length).toBeGreaterThan(300);
    expect(new Set(all.map(({ family, title }) => `${family}: ${title}`)).size).toBe(all.length);
    expect(claimsFor(subjectOf(good)).filter(({ family }) => family === 'memory')).toEqual([]);
  });
});

describe('a planted fault', () => {
  const familiesOf = async ({ plant }: PlantedFault, families?: readonly ClaimFamily[]): Promise<ReadonlySet<ClaimFamily>> => {
    const { backend, memory } = plant(good);
    return new Set((await checkBackend(backend, { memory, families })).map(({ family }) => family));
  };

  it.each(plantedFaults.map((fault) => [fault.name, fault] as const))('is caught by the whole suite: %s', async (_, fault) => {
    expect(await familiesOf(fault)).toContain(fault.family);
  });

  it.each(moreFaults.map((fault) => [fault.name, fault] as const))('is caught by its family: %s', async (_, fault) => {
    expect(await familiesOf(fault, [fault.family])).toContain(fault.family);
  });

  it.each(['two gates of LSTM swapped', 'every run leaves a tensor behind', 'answers are not the same twice'])('is not seen where it changes nothing: %s', async (wanted) => {
    const fault = plantedFaults.find(({ name }) => name === wanted)!;
    const elsewhere = (['contraction', 'movement', 'shape arithmetic', 'outputs', 'inputs', 'refusals', 'life cycle'] as const).filter((family) => family !== fault.family);
    expect([...await familiesOf(fault, elsewhere)]).toEqual([]);
  });
});

describe('a refusal', () => {
  const partial = (message: string) => ({
    ...good,
    compile: async (...[model, options]: Parameters<typeof good.compile>) => {
      if (model.proto.graph!.node.some(({ opType }) => opType === 'Einsum')) {
        const { CoppiceError } = await import('@coppice/graph');
        throw new CoppiceError('COPPICE_BACKEND_REFUSED', message);
      }
      return good.compile(model, options);
    },
  });
  const families = ['contraction'] as const;

  it('is a finding that says so unless it was announced', async () => {
    const findings = await checkBackend(partial('there is no Einsum here'), { families });
    expect(findings.map(({ kind }) => kind)).toEqual(['refused', 'refused', 'refused']);
    expect(await checkBackend(partial('there is no Einsum here'), { families, refuses: ['Einsum'] })).toEqual([]);
  });

  it('is wrong where it names nothing, announced or not', async () => {
    const [first] = await checkBackend(partial('something is missing'), { families, refuses: ['Einsum'] });
    expect(first).toMatchObject({ family: 'contraction', kind: 'wrong', message: expect.stringContaining('without naming the operator (Einsum)') });
  });
});

it('does not believe a memory probe that never moves', async () => {
  const findings = await checkBackend(good, { families: ['memory'], memory: () => 7 });
  expect(findings.map(({ title }) => title)).toEqual(['is seen by the probe']);
});

it('gives up on a claim that does not end', async () => {
  const hanging = { ...good, compile: () => new Promise<never>(() => undefined) };
  const findings = await checkBackend(hanging, { families: ['attention'], timeLimitMs: 20 });
  expect(findings.map(({ message }) => message)).toContain('it did not end within 0.02 s');
});

it('computes a graph of several operators in float64', async () => {
  const model = graphModel([['x', 'float32', ['n']]], [['y', 'float32'], ['n', 'int64']], [['Mul', ['x', 'two'], 'd'], ['Exp', ['d'], 'y'], ['Size', ['x'], 'n']], [['two', 'float32', [], [2]]]);
  const { y, n } = await (await eagerBackend().compile(model)).run({ x: { dtype: 'float32', dims: [2], data: Float32Array.of(0, 0.5) } });
  expect(Array.from(y.data as Float32Array)).toEqual([1, Math.fround(Math.E)]);
  expect(n).toEqual({ dtype: 'int64', dims: [], data: BigInt64Array.of(2n) });
});

// The face for vitest, on a few families; packages of backends run all of it.
describeBackend(good, { families: ['contraction', 'outputs', 'life cycle'] });
