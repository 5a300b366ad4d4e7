import { nativeBackend } from '@coppice/backend-onnx';
import { createRandom, cutModel, findUnits, traceModel, verifyCut, type NamedTensors } from '@coppice/core';
import { graphOf, type Model } from '@coppice/graph';
import { buildCase, randomRecipe } from '@coppice/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { reconstruct } from './least-squares.ts';
import { unitsWithWeights } from './weights.ts';

const backend = nativeBackend();
/** More with CASES=…. */
const cases = Number(process.env.CASES ?? 16);

/** The largest difference of two models on one input, relative to the scale of the output; undefined where the cut narrowed an input or output. */
async function difference(one: Model, other: Model, input: NamedTensors): Promise<number | undefined> {
  const executables = await Promise.all([one, other].map((model) => backend.compile(model)));
  try {
    const [expected, got] = await Promise.all(executables.map((executable) => executable.run(input).catch(() => undefined)));
    if (!expected || !got) return undefined;
    const differences = Object.entries(expected).map(([name, { dims, data }]) => {
      if (got[name].dims.join() !== dims.join()) return undefined;
      const [wanted, have] = [data, got[name].data].map((list) => Array.from(list as ArrayLike<number | bigint>, Number));
      return wanted.reduce((worst, value, k) => Math.max(worst, Math.abs(value - have[k])), 0) / (0.01 + wanted.reduce((scale, value) => Math.max(scale, Math.abs(value)), 0));
    });
    return differences.some((d) => d === undefined) ? undefined : Math.max(...(differences as number[]));
  } finally {
    await Promise.all(executables.map((executable) => executable.dispose()));
  }
}

describe('reconstruction in random graphs', () => {
  const found = { cuts: 0, wrong: [] as string[], exact: 0, changed: [] as string[], operands: new Set<string>() };
  beforeAll(async () => {
    for (let seed = 1; seed <= cases; seed++) {
      const { model, recipe, release } = buildCase(randomRecipe(seed));
      const units = findUnits(await traceModel(model, backend, { dims: recipe.dims, seed }), { release, factors: recipe.factors });
      const random = createRandom(seed);
      const [{ inputs }] = units.analysed.trace.runs;
      for (const { name, lanes } of units.groups) {
        const removed = lanes.map((lane) => random.shuffle(lane)[0]);
        const { weights, consumers, unchanged } = await reconstruct(units, removed, { backend, data: [inputs], from: 'index', ridge: 1e-13 });
        const adapted = unitsWithWeights(units, weights);
        const slim = cutModel(adapted, removed);
        found.cuts++;
        if (!(await verifyCut(adapted, removed, slim, backend, { tolerance: 1e-2 })).equal) found.wrong.push(`seed ${seed}, ${name}`);
        // With fewer positions than kept units, all that was read can be rebuilt; then nothing behind it may differ. Initial states are not seen.
        const starts = (node: string) => graphOf(model).node.some(({ name, output, input }) => (name === node || output[0] === node) && (input[5] ?? '') !== '');
        if (consumers.some(({ operand, node }) => operand === 'R' && starts(node))) continue;
        if (unchanged.length > 0 || consumers.length === 0 || consumers.some(({ unexplained }) => unexplained > 1e-11)) continue;
        const apart = await difference(model, slim, inputs);
        if (apart === undefined) continue;
        found.exact++;
        for (const { operator, operand } of consumers) found.operands.add(`${operator}.${operand}`);
        if (apart > 1e-2) found.changed.push(`seed ${seed}, ${name}: ${apart.toExponential(1)}`);
      }
    }
  }, 120_000);

  it('gives weights with which the cut is as correct as ever', () => {
    expect(found.wrong).toEqual([]);
    expect(found.cuts).toBeGreaterThan(4 * cases);
  });

  it('loses nothing where it says that all is rebuilt and nothing was left', () => {
    expect(found.changed).toEqual([]);
    expect(found.exact).toBeGreaterThan(cases / 2);
    expect([...found.operands]).toEqual(expect.arrayContaining(['Conv.W', 'MatMul.B']));
  });
});
