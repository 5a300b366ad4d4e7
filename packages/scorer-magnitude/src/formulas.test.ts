import { findUnits, scoreUnits, type Scorer, type Units } from '@coppice/core';
import { makeInitializer, makeModel, makeNode, makeValueInfo } from '@coppice/graph';
import { givenTrace } from '@coppice/testkit';
import { describe, expect, it } from 'vitest';
import { bnScale, geometricMedian, l1, l2, lamp, random } from './index.ts';

/** Three filters of 2×2 elements (channels, taps). */
const filters = [[1, -2, 0, 2], [0.5, 0, 0, 0], [3, 4, 0, -12]];
const gamma = [0.25, -3, 1];

/** x [N, 2, T] → Conv to 3 channels → batch norm, unless left out → Conv to 2 channels. */
function convolutions({ norm, scales = gamma }: { norm: boolean; scales?: readonly number[] }): Units {
  const read = norm ? 'n' : 'h';
  const model = makeModel({
    opset: 17,
    graph: {
      inputs: [makeValueInfo('x', 'float32', ['N', 2, 'T'])],
      outputs: [makeValueInfo('y', 'float32')],
      nodes: [
        makeNode({ op: 'Conv', name: 'c', inputs: ['x', 'w', 'b'], outputs: ['h'] }),
        ...(norm ? [makeNode({ op: 'BatchNormalization', inputs: ['h', 'gamma', 'beta', 'mean', 'var'], outputs: ['n'] })] : []),
        makeNode({ op: 'Conv', name: 'd', inputs: [read, 'v'], outputs: ['y'] }),
      ],
      initializers: [
        makeInitializer('w', 'float32', [3, 2, 2], filters.flat()),
        makeInitializer('b', 'float32', [3], [100, 200, 300]),
        ...(norm ? [makeInitializer('gamma', 'float32', [3], scales), ...['beta', 'mean', 'var'].map((name) => makeInitializer(name, 'float32', [3], [7, 8, 9]))] : []),
        makeInitializer('v', 'float32', [2, 3, 1], [9, 9, 9, 9, 9, 9]),
      ],
    },
  });
  const [h, y] = [[[2, 3, 9], [3, 3, 19]], [[2, 2, 9], [3, 2, 19]]] as const;
  return findUnits(givenTrace(model, { x: [[2, 2, 10], [3, 2, 20]], h, n: h, y }));
}

const scoresOf = async (scorer: Scorer, { norm = true, scales = gamma, seed = 0 } = {}) => Array.from(await scoreUnits(convolutions({ norm, scales }), scorer, { seed }));
const squares = filters.map((filter) => filter.reduce((sum, w) => sum + w * w, 0));

describe('magnitude scorers', () => {
  it('l1 adds up the magnitudes of a filter, without its bias, its norm and the columns that read it', async () => {
    expect(await scoresOf(l1)).toEqual([5, 0.5, 19]);
  });

  it('l2 is the Euclidean length of a filter', async () => {
    expect(await scoresOf(l2)).toEqual([3, 0.5, 13]);
  });

  it('geometric-median adds up the distances to the other filters', async () => {
    const distance = (a: number, b: number) => Math.hypot(...filters[a].map((w, k) => w - filters[b][k]));
    const [ab, ac, bc] = [distance(0, 1), distance(0, 2), distance(1, 2)];
    expect(await scoresOf(geometricMedian)).toEqual([ab + ac, ab + bc, ac + bc].map((sum) => expect.closeTo(sum, 12)));
  });

  it('bn-scale is the magnitude of the scale', async () => {
    expect(await scoresOf(bnScale)).toEqual([0.25, 3, 1]);
  });

  it('bn-scale falls back to the weights where there is no norm, or one that scales all units alike', async () => {
    expect(await scoresOf(bnScale, { norm: false })).toEqual(await scoresOf(l1));
    expect(await scoresOf(bnScale, { scales: [1, 1, 1] })).toEqual(await scoresOf(l1));
  });

  it('lamp is the share of the energy that is left once all smaller filters are gone', async () => {
    const [a, b, c] = squares;
    expect(await scoresOf(lamp)).toEqual([a / (a + c), b / (a + b + c), 1]);
  });

  it('random depends on the seed and on nothing else', async () => {
    const first = await scoresOf(random, { seed: 1 });
    expect(first).toEqual(await scoresOf(random, { seed: 1, norm: false }));
    expect(first).not.toEqual(await scoresOf(random, { seed: 2 }));
  });

  it('judges a unit that only a bias makes by that bias', () => {
    const units = [0, 1].map((id) => ({ id, group: 'g', kind: 'neurons', lane: 0 }) as const);
    const state = l1.start(units, { seed: 0 });
    const place = { operator: 'Conv', initializer: 'w', batch: 0 };
    units.forEach(({ id: unit }) => {
      l1.add(state, { ...place, unit, role: 'in', operand: 'W', weights: Float32Array.of(50) });
      l1.add(state, { ...place, unit, role: 'out', operand: 'B', weights: Float32Array.of(unit - 3) });
      l1.add(state, { ...place, unit, role: 'along', operand: 'W', weights: Float32Array.of(70) });
    });
    expect(Array.from(l1.finish(state, units))).toEqual([3, 2]);
  });
});
