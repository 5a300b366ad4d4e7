import { findUnits, scoreUnits, type NamedTensors, type Scorer } from '@coppice/core';
import { makeInitializer, makeModel, makeNode, makeValueInfo, type Tensor } from '@coppice/graph';
import { givenBackend, givenTrace } from '@coppice/testkit';
import { describe, expect, it } from 'vitest';
import { apoz, meanMagnitude, variance, wanda } from './index.ts';

/** Rows of the second matrix: one for each of 3 hidden units, read by 2 outputs. */
const columns = [[1, -2], [0, 0.5], [4, 4]];

/** x [N, T, 2] → MatMul to 3 → ReLU → MatMul to 2. */
const model = makeModel({
  opset: 17,
  graph: {
    inputs: [makeValueInfo('x', 'float32', ['N', 'T', 2])],
    outputs: [makeValueInfo('y', 'float32')],
    nodes: [
      makeNode({ op: 'MatMul', name: 'up', inputs: ['x', 'w'], outputs: ['h'] }),
      makeNode({ op: 'Relu', inputs: ['h'], outputs: ['r'] }),
      makeNode({ op: 'MatMul', name: 'down', inputs: ['r', 'v'], outputs: ['y'] }),
    ],
    initializers: [makeInitializer('w', 'float32', [2, 3], [1, 1, 1, 1, 1, 1]), makeInitializer('v', 'float32', [3, 2], columns.flat())],
  },
});
const units = findUnits(givenTrace(model, { x: [[1, 5, 2], [2, 7, 2]], h: [[1, 5, 3], [2, 7, 3]], r: [[1, 5, 3], [2, 7, 3]], y: [[1, 5, 2], [2, 7, 2]] }));

/** What the run shows behind ReLU: two batches of [1, T, 3]. */
const batches = [[[0, 2, 1], [3, 2, 0]], [[0, 2, 0], [1, 2, 4], [0, 2, 0]]];
const seriesOf = (unit: number) => batches.flat().map((frame) => frame[unit]);
const tensor = (frames: readonly (readonly number[])[]): Tensor => ({ dtype: 'float32', dims: [1, frames.length, 3], data: Float32Array.from(frames.flat()) });

const backend = givenBackend((inputs, outputs) => {
  expect(outputs).toEqual(['r']);
  return { r: tensor(batches[Number(inputs.batch.data[0])]) };
});
const data = batches.map((_, k): NamedTensors => ({ batch: { dtype: 'float32', dims: [], data: Float32Array.of(k) } }));
const scoresOf = async (scorer: Scorer) => Array.from(await scoreUnits(units, scorer, { backend, data }));
const expectScores = async (scorer: Scorer, formula: (series: readonly number[], unit: number) => number) => {
  const scores = await scoresOf(scorer);
  expect(scores).toHaveLength(3);
  scores.forEach((score, unit) => expect(score).toBeCloseTo(formula(seriesOf(unit), unit), 12));
};
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

describe('activation scorers', () => {
  it('mean-magnitude is the mean of |a| over all frames of all batches', () => expectScores(meanMagnitude, (a) => sum(a.map(Math.abs)) / a.length));

  it('variance is that of all frames of all batches together', () => expectScores(variance, (a) => {
    const mean = sum(a) / a.length;
    return sum(a.map((x) => (x - mean) ** 2)) / a.length;
  }));

  it('apoz is the share of frames that are not zero', () => expectScores(apoz, (a) => a.filter((x) => x !== 0).length / a.length));

  it('wanda weighs the length of the activations by the columns that read them', () =>
    expectScores(wanda, (a, unit) => sum(columns[unit].map((w) => Math.abs(w) * Math.hypot(...a)))));

  it('a unit that never changes has no variance', async () => {
    expect((await scoresOf(variance))[1]).toBe(0);
  });
});
