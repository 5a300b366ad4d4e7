import { nativeBackend } from '@coppice/backend-onnx';
import { compareTensors, createRandom, findUnits, maskableModel, maskModel, traceModel, type NamedTensors, type Units } from '@coppice/core';
import { checkModel, makeInitializer, makeModel, makeNode, makeValueInfo, type Model } from '@coppice/graph';
import { beforeAll, describe, expect, it } from 'vitest';
import { randomPlan } from './prove.ts';
import { buildCase, randomRecipe } from './random-graph.ts';

/** More with CASES=…. */
const cases = Number(process.env.CASES ?? 60);
const backend = nativeBackend();

async function runOnce(model: Model, inputs: NamedTensors): Promise<NamedTensors> {
  const executable = await backend.compile(model, { optimise: 'none' });
  try {
    return await executable.run(inputs);
  } finally {
    await executable.dispose();
  }
}

/** Some plans of one case: none, a single unit, a random plan, everything. */
const plansOf = (units: Units, seed: number): number[][] => {
  const random = createRandom(`${seed}/plan`);
  return [[], [random.integer(units.units.length)], randomPlan(units, random), units.units.map(({ id }) => id)];
};

describe('a maskable model', () => {
  const faults: string[] = [];
  let [compared, most] = [0, 0];

  beforeAll(async () => {
    for (let seed = 3_000_000; seed < 3_000_000 + cases; seed++) {
      const { model, recipe, release } = buildCase(randomRecipe(seed));
      const units = findUnits(await traceModel(model, backend, { dims: recipe.dims, seed }), { release, factors: recipe.factors });
      if (units.units.length === 0) continue;
      const { model: maskable, masks, literal } = maskableModel(units);
      checkModel(maskable);
      const { inputs } = units.analysed.trace.runs[1];
      const executable = await backend.compile(maskable, { optimise: 'none' });
      for (const removed of plansOf(units, seed).filter((plan) => !plan.some((unit) => literal.has(unit)))) {
        const given = masks(removed);
        const got = await executable.run({ ...inputs, ...given });
        const wanted = await runOnce(maskModel(units, removed), inputs);
        for (const [name, tensor] of Object.entries(wanted)) {
          const { finite, absolute } = compareTensors(name, got[name], tensor, 0);
          if (!finite || absolute > 0) faults.push(`seed ${seed}, ${removed.length} removed: '${name}' differs by ${absolute}`);
        }
        most = Math.max(most, Object.keys(given).length);
        compared++;
      }
      await executable.dispose();
    }
  });

  it('computes bit for bit what the model masked for one plan does, for any plan', () => {
    expect(faults).toEqual([]);
    expect(compared).toBeGreaterThan(3 * cases);
    expect(most).toBeGreaterThan(5);
  });

  it('multiplies where the opset has no Where', async () => {
    const numbers = (length: number, seed: string) => { const random = createRandom(seed); return Float32Array.from({ length }, () => random.normal()); };
    const model = makeModel({
      opset: 8,
      graph: {
        inputs: [makeValueInfo('x', 'float32', ['N', 3])],
        outputs: [makeValueInfo('y', 'float32', ['N', 2])],
        nodes: [
          makeNode({ op: 'MatMul', name: 'up', inputs: ['x', 'w'], outputs: ['h'] }),
          makeNode({ op: 'Sigmoid', inputs: ['h'], outputs: ['s'] }),
          makeNode({ op: 'MatMul', name: 'down', inputs: ['s', 'v'], outputs: ['y'] }),
        ],
        initializers: [makeInitializer('w', 'float32', [3, 5], numbers(15, 'w')), makeInitializer('v', 'float32', [5, 2], numbers(10, 'v'))],
      },
    });
    const units = findUnits(await traceModel(model, backend));
    const maskable = maskableModel(units);
    const { inputs } = units.analysed.trace.runs[0];
    const masks = maskable.masks([1, 4]);
    expect(Object.values(masks).every(({ dtype }) => dtype === 'float32')).toBe(true);
    expect(await runOnce(maskable.model, { ...inputs, ...masks })).toEqual(await runOnce(maskModel(units, [1, 4]), inputs));
  });
});
