import { createRandom, findUnits, scoreUnits, type Gradients, type Scorer } from '@coppice/core';
import { makeInitializer, makeModel, makeNode, makeValueInfo, type Tensor } from '@coppice/graph';
import { givenTrace } from '@coppice/testkit';
import { describe, expect, it } from 'vitest';
import { obd, snip } from './index.ts';

const random = createRandom('scorer-sensitivity');
const draw = (length: number) => Float32Array.from({ length }, () => random.normal());
const shapes = { w: [2, 3], v: [3, 4] } as const;
const weights = { w: draw(6), v: draw(12) };

/** x [N, T, 2] → MatMul to 3 → Tanh → MatMul to 4. */
const model = makeModel({
  opset: 17,
  graph: {
    inputs: [makeValueInfo('x', 'float32', ['N', 'T', 2])],
    outputs: [makeValueInfo('y', 'float32')],
    nodes: [
      makeNode({ op: 'MatMul', name: 'up', inputs: ['x', 'w'], outputs: ['h'] }),
      makeNode({ op: 'Tanh', inputs: ['h'], outputs: ['a'] }),
      makeNode({ op: 'MatMul', name: 'down', inputs: ['a', 'v'], outputs: ['y'] }),
    ],
    initializers: [makeInitializer('w', 'float32', shapes.w, weights.w), makeInitializer('v', 'float32', shapes.v, weights.v)],
  },
});
const hidden = [[1, 5, 3], [2, 7, 3]] as const;
const units = findUnits(givenTrace(model, { x: [[1, 5, 2], [2, 7, 2]], h: hidden, a: hidden, y: [[1, 5, 4], [2, 7, 4]] }));

const batches = Array.from({ length: 3 }, () => ({ w: draw(6), v: draw(12) }));
const tensorOf = (name: 'w' | 'v', data: Float32Array): [string, Tensor] => [name, { dtype: 'float32', dims: shapes[name], data }];
const gradients = batches.map(({ w, v }): Gradients => new Map([tensorOf('w', w), tensorOf('v', v)]));

/** The numbers of hidden unit h: its column of w and its row of v. */
const ofUnit = ({ w, v }: typeof weights, h: number): number[] => [w[h], w[3 + h], ...v.subarray(4 * h, 4 * h + 4)];
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** @param ofWeight from one weight and its gradients in all batches; summed over the weights of a unit */
async function expectScores(scorer: Scorer, ofWeight: (w: number, g: readonly number[]) => number): Promise<void> {
  const scores = await scoreUnits(units, scorer, { gradients });
  expect(scores).toHaveLength(3);
  scores.forEach((score, h) => {
    const each = ofUnit(weights, h).map((w, k) => ofWeight(w, batches.map((batch) => ofUnit(batch, h)[k])));
    expect(score).toBeCloseTo(each.reduce((a, b) => a + b), 10);
  });
}

describe('sensitivity scorers', () => {
  it('snip is Σ of the mean |g·w|', () => expectScores(snip, (w, g) => mean(g.map((x) => Math.abs(x * w)))));

  it('obd is half of Σ w²·E[g²]', () => expectScores(obd, (w, g) => 0.5 * w ** 2 * mean(g.map((x) => x ** 2))));
});
