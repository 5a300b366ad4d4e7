import { nativeBackend } from '@coppice/backend-onnx';
import { createRandom, findUnits, traceModel, type Units } from '@coppice/core';
import { makeInitializer, makeModel, makeNode, makeValueInfo, type Model, type NodeParts } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { BruteForce, combinations, everySlice, nameOf, type Pick } from './brute-force.ts';

const backend = nativeBackend();

/** x[batch, …] → y, all activations zero at zero so that a slice of zeros is a masked unit. */
interface Small {
  readonly x: readonly (number | string)[];
  readonly weights: Readonly<Record<string, readonly number[]>>;
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  readonly nodes: readonly NodeParts[];
  readonly rank: number;
  /** How many axes at once are tried in all combinations. */
  readonly axes: number;
}

const node = (op: string, inputs: readonly string[], output: string, attributes: NodeParts['attributes'] = {}): NodeParts => ({ op, inputs, outputs: [output], attributes });

const graphs: Readonly<Record<string, Small>> = {
  'two layers': {
    x: ['batch', 3], rank: 2, axes: 2, weights: { w1: [3, 5], w2: [5, 2] },
    nodes: [node('MatMul', ['x', 'w1'], 'a'), node('Tanh', ['a'], 'b'), node('MatMul', ['b', 'w2'], 'y')],
  },
  'a layer with a bias': {
    x: ['batch', 3], rank: 2, axes: 3, weights: { w1: [3, 4], b1: [4], w2: [4, 2] },
    nodes: [node('Gemm', ['x', 'w1', 'b1'], 'a'), node('Tanh', ['a'], 'b'), node('MatMul', ['b', 'w2'], 'y')],
  },
  'two readers': {
    x: ['batch', 2], rank: 2, axes: 3, weights: { w1: [2, 4], w2: [4, 3], w3: [4, 3] },
    nodes: [node('MatMul', ['x', 'w1'], 'a'), node('MatMul', ['a', 'w2'], 'b'), node('MatMul', ['a', 'w3'], 'c'), node('Add', ['b', 'c'], 'y')],
  },
  'a residual': {
    x: ['batch', 2], rank: 2, axes: 3, weights: { w1: [2, 3], w2: [2, 3], w3: [3, 2] },
    nodes: [node('MatMul', ['x', 'w1'], 'a'), node('MatMul', ['x', 'w2'], 'b'), node('Add', ['a', 'b'], 'c'), node('MatMul', ['c', 'w3'], 'y')],
  },
  'two branches end to end': {
    x: ['batch', 2], rank: 2, axes: 2, weights: { w1: [2, 3], w2: [2, 4], w3: [7, 2] },
    nodes: [node('MatMul', ['x', 'w1'], 'a'), node('MatMul', ['x', 'w2'], 'b'), node('Concat', ['a', 'b'], 'c', { axis: 1 }), node('MatMul', ['c', 'w3'], 'y')],
  },
  'one branch twice': {
    x: ['batch', 2], rank: 2, axes: 2, weights: { w1: [2, 3], w2: [6, 2] },
    nodes: [node('MatMul', ['x', 'w1'], 'a'), node('Concat', ['a', 'a'], 'c', { axis: 1 }), node('MatMul', ['c', 'w2'], 'y')],
  },
  'channels flattened with their positions': {
    x: ['batch', 2, 3], rank: 2, axes: 2, weights: { w1: [4, 2, 1], w2: [12, 2] }, shapes: { flat: [0, -1] },
    nodes: [node('Conv', ['x', 'w1'], 'a'), node('Reshape', ['a', 'flat'], 'b'), node('MatMul', ['b', 'w2'], 'y')],
  },
  'a gate in the other half': {
    x: ['batch', 2], rank: 2, axes: 2, weights: { w1: [2, 6], w2: [3, 2] },
    nodes: [
      node('MatMul', ['x', 'w1'], 'a'), { op: 'Split', inputs: ['a'], outputs: ['l', 'r'], attributes: { axis: 1, num_outputs: 2 } },
      node('Tanh', ['r'], 'g'), node('Mul', ['l', 'g'], 'b'), node('MatMul', ['b', 'w2'], 'y'),
    ],
  },
  'a shared weight': {
    x: ['batch', 2], rank: 2, axes: 4, weights: { w0: [2, 3], w1: [3, 3], w2: [3, 2] },
    nodes: [node('MatMul', ['x', 'w0'], 'a'), node('MatMul', ['a', 'w1'], 'b'), node('Tanh', ['b'], 'c'), node('MatMul', ['c', 'w1'], 'd'), node('MatMul', ['d', 'w2'], 'y')],
  },
  'a transposed weight': {
    x: ['batch', 3], rank: 2, axes: 2, weights: { w1: [4, 3], w2: [4, 2] },
    nodes: [node('Transpose', ['w1'], 't', { perm: [1, 0] }), node('MatMul', ['x', 't'], 'a'), node('MatMul', ['a', 'w2'], 'y')],
  },
  'a scale for each channel': {
    x: ['batch', 2, 4], rank: 3, axes: 3, weights: { w1: [3, 2, 1], s: [3, 1], w2: [2, 3, 1] },
    nodes: [node('Conv', ['x', 'w1'], 'a'), node('Mul', ['a', 's'], 'b'), node('Conv', ['b', 'w2'], 'y')],
  },
  'a recurrent layer': {
    x: ['time', 'batch', 2], rank: 3, axes: 1, weights: { W: [1, 9, 2], R: [1, 9, 3], B: [1, 18], w2: [3, 2] }, shapes: { first: [1] },
    nodes: [node('GRU', ['x', 'W', 'R', 'B'], 'h', { hidden_size: 3 }), node('Squeeze', ['h', 'first'], 's'), node('MatMul', ['s', 'w2'], 'y')],
  },
  'both directions of a recurrent layer': {
    x: ['time', 'batch', 2], rank: 3, axes: 1, weights: { W: [2, 3, 2], R: [2, 3, 3], w2: [6, 2] }, shapes: { joined: [0, 0, -1] },
    nodes: [
      node('RNN', ['x', 'W', 'R'], 'h', { hidden_size: 3, direction: 'bidirectional' }), node('Transpose', ['h'], 't', { perm: [0, 2, 1, 3] }),
      node('Reshape', ['t', 'joined'], 's'), node('MatMul', ['s', 'w2'], 'y'),
    ],
  },
};

function build({ x, weights, shapes = {}, nodes, rank }: Small): Model {
  const random = createRandom(JSON.stringify(weights));
  const values = (dims: readonly number[]) => Float32Array.from({ length: dims.reduce((p, n) => p * n, 1) }, () => (random.uniform() < 0.5 ? -1 : 1) * (0.3 + random.uniform()));
  return makeModel({
    opset: 18,
    graph: {
      inputs: [makeValueInfo('x', 'float32', x)],
      outputs: [makeValueInfo('y', 'float32', Array.from({ length: rank }, (_, a) => `y${a}`))],
      initializers: [
        ...Object.entries(weights).map(([name, dims]) => makeInitializer(name, 'float32', dims, values(dims))),
        ...Object.entries(shapes).map(([name, shape]) => makeInitializer(name, 'int64', [shape.length], shape)),
      ],
      nodes: nodes.map((parts) => makeNode({ name: parts.outputs[0], ...parts })),
    },
  });
}

const picksOf = (units: Units, id: number): Pick[] => units.units[id].slices.flatMap(({ initializer, axis, indices, at }) => indices.map((index): Pick => ({ initializer, axis, index, at })));

/** The smallest removals that the analysis allows: a unit, or one unit of each lane. */
function* offers({ groups }: Units): Generator<readonly number[]> {
  for (const { lanes } of groups) {
    let chosen: number[][] = [[]];
    for (const lane of lanes) chosen = chosen.flatMap((ids) => lane.map((id) => [...ids, id]));
    yield* chosen;
  }
}

const keyOf = (picks: readonly Pick[]): string => picks.map(nameOf).toSorted().join(' ');

describe.each(Object.entries(graphs))('in %s', (_, small) => {
  const prepare = async () => {
    const model = build(small);
    const dims = { batch: [2, 3] as const, ...(small.x.includes('time') && { time: [4, 6] as const }) };
    const trace = await traceModel(model, backend, { dims });
    const units = findUnits(trace);
    return { units, brute: new BruteForce(model, trace.runs[0].inputs, backend), offered: [...offers(units)].map((ids) => ids.flatMap((id) => picksOf(units, id))) };
  };

  it('all slices of a unit can leave together', async () => {
    const { brute, offered } = await prepare();
    expect(offered.length).toBeGreaterThan(0);
    for (const picks of offered) expect(await brute.canGo(picks), keyOf(picks)).toBe(true);
  });

  it('no part of a unit can leave alone', async () => {
    const { brute, offered } = await prepare();
    const parts = new Map<string, Pick[]>();
    for (const picks of offered) {
      // All parts of a few slices; of more, those that lack one and those of one.
      const subsets = picks.length <= 4
        ? Array.from({ length: 2 ** picks.length - 2 }, (__, bits) => picks.filter((___, k) => ((bits + 1) >> k) & 1))
        : [...picks.map((__, k) => picks.toSpliced(k, 1)), ...picks.map((pick) => [pick])];
      for (const part of subsets) parts.set(keyOf(part), part);
    }
    for (const [key, part] of parts) expect(await brute.canGo(part), key).toBe(false);
  });

  it('no other slices can leave together', async () => {
    const { brute, offered } = await prepare();
    const known = new Set(offered.map(keyOf));
    const found: string[] = [];
    const axes = everySlice(brute.model);
    for (let count = 1; count <= small.axes; count++) {
      for (const picks of combinations(axes, count)) {
        const key = keyOf(picks);
        if (!known.has(key) && (await brute.canGo(picks))) found.push(key);
      }
    }
    expect(found).toEqual([]);
  });
});
