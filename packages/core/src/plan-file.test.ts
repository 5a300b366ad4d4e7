import { makeInitializer, makeModel, makeNode, makeValueInfo } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { findUnits, type Units } from './analysis/units.ts';
import { fromPlanFile, toPlanFile, type PlanFile } from './plan-file.ts';
import { planCut } from './plan.ts';
import { flattenModel } from './program.ts';
import type { Verdict } from './verify.ts';

/** x [N, 2] → 4 hidden neurons → y [N, 2], shapes as stated; no runtime is needed. */
function perceptron(hidden = 4): Units {
  const program = flattenModel(makeModel({ opset: 17, graph: {
    inputs: [makeValueInfo('x', 'float32', ['n', 2])], outputs: [makeValueInfo('y', 'float32')],
    nodes: [makeNode({ op: 'MatMul', name: 'up', inputs: ['x', 'up.weight'], outputs: ['h'] }), makeNode({ op: 'MatMul', name: 'down', inputs: ['h', 'down.weight'], outputs: ['y'] })],
    initializers: [makeInitializer('up.weight', 'float32', [2, hidden], new Float32Array(2 * hidden)), makeInitializer('down.weight', 'float32', [hidden, 2], new Float32Array(2 * hidden))],
  } }));
  const run = (n: number) => ({ inputs: {}, shapes: program.values.map(({ name, tensor }) => tensor?.dims.map(Number) ?? [n, name === 'h' ? hidden : 2]) });
  return findUnits({ program, runs: [run(2), run(3)], constants: new Map(), notes: [], sizes: [{ n: 2 }, { n: 3 }] });
}

const difference = { output: 'y', dtype: 'float32', absolute: 1e-7, relative: 1e-8, tolerance: 1e-4, finite: true } as const;
const verdict: Verdict = { equal: true, kind: 'exact', runs: 2, worst: difference, differences: [difference] };
const identity = (name: string) => ({ name, sha256: '0'.repeat(64), bytes: 1 });

function planOf(units: Units): PlanFile {
  const plan = planCut(units, [3, 1, 2, 4], { params: 0.5 });
  return toPlanFile({ original: identity('model.onnx'), slim: identity('slim.onnx'), request: { params: 0.5, scorer: 'l2', seed: 0 }, units, plan, verdict, baked: [] });
}

describe('a plan file', () => {
  it('names every removed slice in the coordinates of the original', () => {
    expect(planOf(perceptron()).removed).toEqual([
      { group: 'up', lane: 0, unit: 1, score: 1, slices: [{ initializer: 'up.weight', axis: 1, indices: [1] }, { initializer: 'down.weight', axis: 0, indices: [1] }] },
      { group: 'up', lane: 0, unit: 2, score: 2, slices: [{ initializer: 'up.weight', axis: 1, indices: [2] }, { initializer: 'down.weight', axis: 0, indices: [2] }] },
    ]);
  });

  it('says what decides on the units, also where it was not asked for', () => {
    expect(planOf(perceptron()).request).toEqual({ params: 0.5, scorer: 'l2', seed: 0, norm: 'exact', factors: 'heads', release: [] });
  });

  it('gives the same units back after a way through JSON, whatever the order of its slices', () => {
    const file = JSON.parse(JSON.stringify(planOf(perceptron()))) as PlanFile;
    const turned = { removed: file.removed.toReversed().map((unit) => ({ ...unit, slices: unit.slices.toReversed() })) };
    expect(fromPlanFile(perceptron(), turned)).toEqual([1, 2]);
  });

  it('is refused where its slices are no units', () => {
    const [unit] = planOf(perceptron()).removed;
    const half = { removed: [{ ...unit, slices: unit.slices.slice(1) }] };
    expect(() => fromPlanFile(perceptron(), half)).toThrow(expect.objectContaining({ code: 'COPPICE_PLAN_INVALID', message: expect.stringContaining("Unit 1 of 'up'") }));
  });

  it('is refused where a unit is in it twice', () => {
    const [unit] = planOf(perceptron()).removed;
    expect(() => fromPlanFile(perceptron(), { removed: [unit, unit] })).toThrow(/twice/);
  });
});
