import { createRandom, findUnits, scoreUnits, type Gradients, type Scorer } from '@coppice/core';
import { makeInitializer, makeModel, makeNode, makeValueInfo, type Tensor } from '@coppice/graph';
import { givenTrace } from '@coppice/testkit';
import { describe, expect, it } from 'vitest';
import { fisher, gradientNorm, taylor } from './index.ts';

const random = createRandom('scorer-gradient');
const draw = (length: number) => Float32Array.from({ length }, () => random.normal());
const shapes = { w: [2, 3], b: [3], v: [3, 4] } as const;
const weights = { w: draw(6), b: draw(3), v: draw(12) };

/** x [N, T, 2] → MatMul to 3 → bias → ReLU → MatMul to 4. */
const model = makeModel({
  opset: 17,
  graph: {
    inputs: [makeValueInfo('x', 'float32', ['N', 'T', 2])],
    outputs: [makeValueInfo('y', 'float32')],
    nodes: [
      makeNode({ op: 'MatMul', name: 'up', inputs: ['x', 'w'], outputs: ['h'] }),
      makeNode({ op: 'Add', inputs: ['h', 'b'], outputs: ['a'] }),
      makeNode({ op: 'Relu', inputs: ['a'], outputs: ['r'] }),
      makeNode({ op: 'MatMul', name: 'down', inputs: ['r', 'v'], outputs: ['y'] }),
    ],
    initializers: Object.entries(weights).map(([name, data]) => makeInitializer(name, 'float32', shapes[name as keyof typeof shapes], data)),
  },
});
const hidden = [[1, 5, 3], [2, 7, 3]] as const;
const units = findUnits(givenTrace(model, { x: [[1, 5, 2], [2, 7, 2]], h: hidden, a: hidden, r: hidden, y: [[1, 5, 4], [2, 7, 4]] }));

const batches = Array.from({ length: 4 }, () => ({ w: draw(6), b: draw(3), v: draw(12) }));
const gradients = batches.map((batch): Gradients => new Map(Object.entries(batch).map(([name, data]): [string, Tensor] => [name, { dtype: 'float32', dims: shapes[name as keyof typeof shapes], data }])));

/** The numbers of hidden unit h: its column of w, its bias, its row of v. */
const ofUnit = ({ w, b, v }: typeof weights, h: number): number[] => [w[h], w[3 + h], b[h], ...v.subarray(4 * h, 4 * h + 4)];
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

async function expectScores(scorer: Scorer, formula: (w: readonly number[], g: readonly (readonly number[])[]) => number): Promise<void> {
  const scores = await scoreUnits(units, scorer, { gradients });
  expect(scores).toHaveLength(3);
  scores.forEach((score, h) => expect(score).toBeCloseTo(formula(ofUnit(weights, h), batches.map((batch) => ofUnit(batch, h))), 10));
}

describe('gradient scorers', () => {
  it('taylor is the magnitude of Σ g·w over all slices and batches', () =>
    expectScores(taylor, (w, g) => Math.abs(sum(g.map((batch) => sum(batch.map((x, k) => x * w[k])))))));

  it('fisher is half the mean over batches of (Σ g·w)²', () =>
    expectScores(fisher, (w, g) => 0.5 * (sum(g.map((batch) => sum(batch.map((x, k) => x * w[k])) ** 2)) / g.length)));

  it('gradient-norm is the root mean square over batches of ‖g‖', () =>
    expectScores(gradientNorm, (_, g) => Math.sqrt(sum(g.map((batch) => Math.hypot(...batch) ** 2)) / g.length)));

  it('two opposite batches cancel for taylor and not for fisher', async () => {
    const [first] = gradients;
    const opposite: Gradients = new Map([...first].map(([name, tensor]) => [name, { ...tensor, data: (tensor.data as Float32Array).map((x) => -x) }]));
    const options = { gradients: [first, opposite] };
    expect(Array.from(await scoreUnits(units, taylor, options)).every((score) => score < 1e-12)).toBe(true);
    expect(await scoreUnits(units, fisher, options)).toEqual(await scoreUnits(units, fisher, { gradients: [first] }));
  });
});
