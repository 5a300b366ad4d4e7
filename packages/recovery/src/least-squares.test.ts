import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom, cutModel, findUnits, traceModel, verifyCut, type NamedTensors, type Random, type Units } from '@coppice/core';
import { graphOf, makeInitializer, makeModel, makeNode, makeValueInfo, readTensor, type Model, type NodeParts, type Tensor } from '@coppice/graph';
import { buildReferenceModel } from '@coppice/speech';
import { describe, expect, it } from 'vitest';
import { reconstruct, type Reconstruction } from './least-squares.ts';
import { unitsWithWeights } from './weights.ts';

const backend = wasmBackend();

const draw = (random: Random, dims: readonly number[], scale = 1): Tensor => ({ dtype: 'float32', dims, data: Float32Array.from({ length: dims.reduce((p, n) => p * n, 1) }, () => scale * random.normal()) });

interface Net { readonly input: readonly (number | string)[]; readonly nodes: readonly NodeParts[]; readonly weights: Readonly<Record<string, Tensor>>; readonly shapes?: Readonly<Record<string, readonly number[]>> }

const build = ({ input, nodes, weights, shapes = {} }: Net): Model => makeModel({ opset: 17, graph: {
  inputs: [makeValueInfo('x', 'float32', input)], outputs: [makeValueInfo('y', 'float32')], nodes: nodes.map(makeNode),
  initializers: [...Object.entries(weights).map(([name, { dims, data }]) => makeInitializer(name, 'float32', dims, data)), ...Object.entries(shapes).map(([name, shape]) => makeInitializer(name, 'int64', [shape.length], shape))],
} });

/** Units that hold one of some indices of an axis of an initializer. */
const unitsAt = (units: Units, initializer: string, axis: number, indices: readonly number[]): number[] =>
  units.units.flatMap(({ id, slices }) => (slices.some((s) => s.initializer === initializer && s.axis === axis && s.indices.some((k) => indices.includes(k))) ? [id] : []));

async function outputs(model: Model, data: readonly NamedTensors[]): Promise<Float32Array[]> {
  const executable = await backend.compile(model);
  const results: Float32Array[] = [];
  for (const batch of data) results.push(...Object.values(await executable.run(batch)).map((tensor) => tensor.data as Float32Array));
  await executable.dispose();
  return results;
}

const squaredError = (a: readonly Float32Array[], b: readonly Float32Array[]): number => a.reduce((sum, list, k) => sum + list.reduce((s, value, i) => s + (value - b[k][i]) ** 2, 0), 0);
const energy = (a: readonly Float32Array[]): number => squaredError(a, a.map((list) => new Float32Array(list.length)));

interface Compared extends Reconstruction { readonly units: Units; readonly removed: readonly number[]; readonly slim: Model; readonly cut: number; readonly rebuilt: number }

/** Relative squared error of the output on the calibration data: of the plain cut, and of the reconstructed one, which must also be a correct cut. */
async function compare(model: Model, choose: (units: Units) => readonly number[], data: readonly NamedTensors[], ridge?: number): Promise<Compared> {
  const units = findUnits(await traceModel(model, backend));
  const removed = choose(units);
  expect(removed.length).toBeGreaterThan(0);
  const made = await reconstruct(units, removed, { backend, data, ridge });
  const adapted = unitsWithWeights(units, made.weights);
  const slim = cutModel(adapted, removed);
  expect((await verifyCut(adapted, removed, slim, backend)).equal).toBe(true);
  const whole = await outputs(model, data);
  const errorOf = async (other: Model) => squaredError(await outputs(other, data), whole) / energy(whole);
  return { ...made, units, removed, slim, cut: await errorOf(cutModel(units, removed)), rebuilt: await errorOf(slim) };
}

describe('reconstruct', () => {
  // Five units that are mixtures of three inputs: any three of them say all. The consumer differs.
  const spread: Readonly<Record<string, (random: Random) => { net: Net; from: string; axis: number }>> = {
    MatMul: (random) => ({ from: 'w1', axis: 1, net: { input: ['N', 3],
      nodes: [{ op: 'MatMul', inputs: ['x', 'w1'], outputs: ['h'] }, { op: 'MatMul', inputs: ['h', 'w2'], outputs: ['y'] }],
      weights: { w1: draw(random, [3, 5]), w2: draw(random, [5, 4]) } } }),
    'Gemm with a transposed weight and a bias': (random) => ({ from: 'w1', axis: 1, net: { input: ['N', 3],
      nodes: [{ op: 'MatMul', inputs: ['x', 'w1'], outputs: ['h'] }, { op: 'Gemm', inputs: ['h', 'w2', 'b'], outputs: ['y'], attributes: { transB: 1, alpha: 0.5 } }],
      weights: { w1: draw(random, [3, 5]), w2: draw(random, [4, 5]), b: draw(random, [4]) } } }),
    'MatMul whose weight is transposed in the graph': (random) => ({ from: 'w1', axis: 1, net: { input: ['N', 3],
      nodes: [{ op: 'MatMul', inputs: ['x', 'w1'], outputs: ['h'] }, { op: 'Transpose', inputs: ['w2'], outputs: ['w2t'], attributes: { perm: [1, 0] } }, { op: 'MatMul', inputs: ['h', 'w2t'], outputs: ['y'] }],
      weights: { w1: draw(random, [3, 5]), w2: draw(random, [4, 5]) } } }),
    Einsum: (random) => ({ from: 'w1', axis: 1, net: { input: ['N', 3],
      nodes: [{ op: 'MatMul', inputs: ['x', 'w1'], outputs: ['h'] }, { op: 'Einsum', inputs: ['h', 'w2'], outputs: ['y'], attributes: { equation: 'ni,oi->no' } }],
      weights: { w1: draw(random, [3, 5]), w2: draw(random, [4, 5]) } } }),
    'Conv with padding, stride and dilation': (random) => ({ from: 'w1', axis: 0, net: { input: ['N', 3, 'T', 6],
      nodes: [{ op: 'Conv', inputs: ['x', 'w1'], outputs: ['h'] }, { op: 'Conv', inputs: ['h', 'w2', 'b'], outputs: ['y'], attributes: { pads: [1, 2, 1, 2], strides: [2, 1], dilations: [1, 2] } }],
      weights: { w1: draw(random, [5, 3, 1, 1]), w2: draw(random, [4, 5, 3, 3]), b: draw(random, [4]) } } }),
    ConvTranspose: (random) => ({ from: 'w1', axis: 0, net: { input: ['N', 3, 'T'],
      nodes: [{ op: 'Conv', inputs: ['x', 'w1'], outputs: ['h'] }, { op: 'ConvTranspose', inputs: ['h', 'w2'], outputs: ['y'], attributes: { strides: [2] } }],
      weights: { w1: draw(random, [5, 3, 1]), w2: draw(random, [5, 4, 3]) } } }),
    'MatMul through a flatten': (random) => ({ from: 'w1', axis: 0, net: { input: ['N', 3, 7],
      nodes: [{ op: 'Conv', inputs: ['x', 'w1'], outputs: ['h'] }, { op: 'Flatten', inputs: ['h'], outputs: ['f'] }, { op: 'MatMul', inputs: ['f', 'w2'], outputs: ['y'] }],
      weights: { w1: draw(random, [5, 3, 1]), w2: draw(random, [35, 4]) } } }),
    'the input of a bidirectional GRU through a flatten': (random) => ({ from: 'w1', axis: 0, net: { input: ['N', 3, 'T', 4],
      nodes: [
        { op: 'Conv', inputs: ['x', 'w1'], outputs: ['h'] }, { op: 'Transpose', inputs: ['h'], outputs: ['t'], attributes: { perm: [2, 0, 1, 3] } },
        { op: 'Reshape', inputs: ['t', 'merge'], outputs: ['f'] }, { op: 'GRU', inputs: ['f', 'W', 'R', 'B'], outputs: ['y'], attributes: { hidden_size: 3, direction: 'bidirectional', linear_before_reset: 1 } },
      ],
      weights: { w1: draw(random, [5, 3, 1, 1]), W: draw(random, [2, 9, 20], 0.3), R: draw(random, [2, 9, 3]), B: draw(random, [2, 18]) }, shapes: { merge: [0, 0, -1] } } }),
  };

  for (const [name, make] of Object.entries(spread)) {
    it(`loses nothing where kept units say what the removed ones said: ${name}`, async () => {
      for (const seed of [1, 2, 3]) {
        const random = createRandom(`${name}/${seed}`);
        const { net, from, axis } = make(random);
        const gone = random.shuffle([0, 1, 2, 3, 4]).slice(0, 2);
        const data = [6, 9].map((length) => ({ x: draw(random, net.input.map((n) => (typeof n === 'number' ? n : length))) }));
        const { cut, rebuilt, consumers, unchanged } = await compare(build(net), (units) => unitsAt(units, from, axis, gone), data, 1e-12);
        expect(cut).toBeGreaterThan(1e-3);
        expect(Math.sqrt(rebuilt)).toBeLessThan(1e-5);
        expect(consumers).toEqual([expect.objectContaining({ units: 2 })]);
        expect(consumers[0].unexplained).toBeLessThan(1e-6);
        expect(unchanged).toEqual([]);
      }
    });
  }

  it('rebuilds each group of a grouped convolution from that group alone', async () => {
    const random = createRandom('grouped');
    // Three channels from two inputs in each group: the third of each is a mixture of the others there.
    const net: Net = { input: ['N', 4, 'T'],
      nodes: [{ op: 'Conv', inputs: ['x', 'w1'], outputs: ['h'], attributes: { group: 2 } }, { op: 'Conv', inputs: ['h', 'w2'], outputs: ['y'], attributes: { group: 2, pads: [1, 1] } }],
      weights: { w1: draw(random, [6, 2, 1]), w2: draw(random, [4, 3, 3]) } };
    const { cut, rebuilt } = await compare(build(net), (units) => unitsAt(units, 'w1', 0, [1, 5]), [{ x: draw(random, [3, 4, 12]) }], 1e-12);
    expect(cut).toBeGreaterThan(1e-3);
    expect(Math.sqrt(rebuilt)).toBeLessThan(1e-5);
  });

  for (const [op, gates, attributes] of [['RNN', 1, {}], ['GRU', 3, { linear_before_reset: 1 }], ['LSTM', 4, {}], ['GRU', 3, { linear_before_reset: 0 }]] as const) {
    const behindReset = op === 'GRU' && attributes.linear_before_reset === 0;
    /** Hidden unit 4 of each direction does what unit 1 does; a dense layer reads all. */
    const twins = (random: Random, layout: number): Net => {
      const same = (tensor: Tensor, rows: number): Tensor => {
        const data = (tensor.data as Float32Array).slice();
        const width = tensor.dims[2] ?? 1;
        const blocks = tensor.dims[1] / rows;
        for (let d = 0; d < 2; d++) for (let g = 0; g < blocks; g++) data.copyWithin(((d * blocks + g) * rows + 4) * width, ((d * blocks + g) * rows + 1) * width, ((d * blocks + g) * rows + 2) * width);
        return { ...tensor, data };
      };
      return { input: layout ? ['N', 'T', 3] : ['T', 'N', 3],
        nodes: [
          { op, inputs: ['x', 'W', 'R', 'B'], outputs: ['s'], attributes: { hidden_size: 5, direction: 'bidirectional', layout, ...attributes } },
          ...(layout ? [] : [{ op: 'Transpose', inputs: ['s'], outputs: ['t'], attributes: { perm: [0, 2, 1, 3] } }]),
          { op: 'Reshape', inputs: [layout ? 's' : 't', 'merge'], outputs: ['f'] }, { op: 'MatMul', inputs: ['f', 'w2'], outputs: ['y'] },
        ],
        weights: { W: same(draw(random, [2, 5 * gates, 3]), 5), R: same(draw(random, [2, 5 * gates, 5]), 5), B: same(draw(random, [2, 10 * gates]), 5), w2: draw(random, [10, 4]) }, shapes: { merge: [0, 0, -1] } };
    };
    const title = behindReset ? 'changes only the first gates of a GRU that resets the state before its matrix, and says so' : `loses nothing where a kept state of the same direction says what the removed one said: ${op}`;
    it(title, async () => {
      const random = createRandom(`${op}/${behindReset}`);
      const { cut, rebuilt, consumers, unchanged, weights, units } = await compare(build(twins(random, 0)), (u) => unitsAt(u, 'W', 1, [4]), [{ x: draw(random, [40, 3, 3]) }, { x: draw(random, [30, 2, 3]) }], 1e-12);
      expect(cut).toBeGreaterThan(1e-3);
      expect(consumers.map(({ operand, units: count }) => [operand, count]).sort()).toEqual([['B', 2], ['R', 2]]);
      if (!behindReset) {
        expect(Math.sqrt(rebuilt)).toBeLessThan(1e-5);
        expect(unchanged).toEqual([]);
        return;
      }
      expect(unchanged).toEqual([expect.objectContaining({ operator: 'GRU', operand: 'R', initializer: 'R', why: expect.stringContaining('reset gate') })]);
      const { model } = units.analysed.program;
      const before = readTensor(model, graphOf(model).initializer.find(({ name }) => name === 'R')!).data as Float32Array;
      const changed = [...new Set(Array.from(weights.R.data as Float32Array).flatMap((value, k) => (value === before[k] ? [] : [Math.floor(k / 5) % 15])))].sort((a, b) => a - b);
      expect(changed).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    });
  }

  it('gives a dense layer the weights of a dense least-squares solve, which no others beat', async () => {
    const random = createRandom('dense');
    const net: Net = { input: ['N', 4],
      nodes: [{ op: 'MatMul', inputs: ['x', 'w1'], outputs: ['h'] }, { op: 'Relu', inputs: ['h'], outputs: ['a'] }, { op: 'MatMul', inputs: ['a', 'w2'], outputs: ['y'] }],
      weights: { w1: draw(random, [4, 6]), w2: draw(random, [6, 3]) } };
    const data = [{ x: draw(random, [30, 4]) }, { x: draw(random, [50, 4]) }];
    const { slim, rebuilt, cut } = await compare(build(net), (units) => unitsAt(units, 'w1', 1, [0, 3]), data, 0);
    const [w1, w2] = [net.weights.w1, net.weights.w2].map(({ data: d }) => d as Float32Array);
    const rows = data.flatMap(({ x }) => Array.from({ length: x.dims[0] }, (_, n) => Array.from({ length: 6 }, (_, h) => Math.max(0, [0, 1, 2, 3].reduce((sum, i) => sum + (x.data as Float32Array)[n * 4 + i] * w1[i * 6 + h], 0)))));
    const wanted = rows.map((row) => [0, 1, 2].map((o) => row.reduce((sum, value, h) => sum + value * w2[h * 3 + o], 0)));
    const kept = [1, 2, 4, 5];
    const errorOf = (w: readonly number[]) => rows.reduce((sum, row, n) => sum + wanted[n].reduce((s, y, o) => s + (y - kept.reduce((given, h, k) => given + row[h] * w[k * 3 + o], 0)) ** 2, 0), 0);
    // Coordinate descent: each weight in turn to its best value, until nothing moves.
    const slow = Array.from({ length: 12 }, () => 0);
    for (let turn = 0; turn < 3000; turn++) {
      kept.forEach((h, k) => [0, 1, 2].forEach((o) => {
        const rest = (n: number) => wanted[n][o] - kept.reduce((given, other, j) => given + (j === k ? 0 : rows[n][other] * slow[j * 3 + o]), 0);
        slow[k * 3 + o] = rows.reduce((sum, row, n) => sum + row[h] * rest(n), 0) / rows.reduce((sum, row) => sum + row[h] ** 2, 0);
      }));
    }
    const got = Array.from(readTensor(slim, graphOf(slim).initializer.find(({ name }) => name === 'w2')!).data as Float32Array);
    got.forEach((value, k) => expect(value).toBeCloseTo(slow[k], 4));
    expect(rebuilt).toBeLessThan(cut);
    for (let round = 0; round < 200; round++) expect(errorOf(got.map((value) => value + 0.01 * random.normal()))).toBeGreaterThan(errorOf(got) - 1e-9);
  });

  it('is closer to the whole reference model than the plain cut, whichever group is cut, and much closer on data that it has not seen', async () => {
    for (const rnn of ['gru', 'lstm'] as const) {
      const model = buildReferenceModel({ mels: 8, channels: [6, 6], kernels: [[3, 3], [3, 3]], rnn, hidden: 8, layers: 2, tokens: 5, seed: rnn });
      const random = createRandom(`reference/${rnn}`);
      const data = [24, 40, 32].map((time) => ({ features: draw(random, [4, time, 8]) }));
      const units = findUnits(await traceModel(model, backend));
      const fresh = [{ features: draw(random, [6, 30, 8]) }];
      const [whole, wholeFresh] = [await outputs(model, data), await outputs(model, fresh)];
      const gains: number[] = [];
      for (const { lanes } of units.groups) {
        const removed = lanes.flatMap((lane) => random.shuffle(lane).slice(0, Math.floor(lane.length / 3)));
        const { weights, consumers, unchanged } = await reconstruct(units, removed, { backend, data });
        expect(unchanged).toEqual([]);
        for (const { unexplained } of consumers) expect(unexplained).toBeLessThan(1);
        const [plain, slim] = [cutModel(units, removed), cutModel(unitsWithWeights(units, weights), removed)];
        expect(squaredError(await outputs(slim, data), whole)).toBeLessThan(squaredError(await outputs(plain, data), whole));
        gains.push(squaredError(await outputs(plain, fresh), wholeFresh) / squaredError(await outputs(slim, fresh), wholeFresh));
      }
      expect(gains).toHaveLength(4);
      // Geometric mean over the groups.
      expect(Math.exp(gains.reduce((sum, gain) => sum + Math.log(gain), 0) / gains.length)).toBeGreaterThan(1.5);
    }
  });

  it('rebuilds indices from other indices of kept units when it is asked to', async () => {
    const random = createRandom('shift');
    // Channel 1 at position p is channel 0 at p + 1, so from other indices all but its last position can be rebuilt, from the same one nothing.
    const net: Net = { input: ['N', 1, 8],
      nodes: [{ op: 'Conv', inputs: ['x', 'w1'], outputs: ['h'] }, { op: 'Flatten', inputs: ['h'], outputs: ['f'] }, { op: 'MatMul', inputs: ['f', 'w2'], outputs: ['y'] }],
      weights: { w1: { dtype: 'float32', dims: [2, 1, 2], data: Float32Array.of(1, 0, 0, 1) }, w2: draw(random, [14, 3]) } };
    const units = findUnits(await traceModel(build(net), backend));
    const data = [{ x: draw(random, [4000, 1, 8]) }];
    const [unit, index] = await Promise.all((['unit', 'index'] as const).map((from) => reconstruct(units, unitsAt(units, 'w1', 0, [1]), { backend, data, from, ridge: 0 })));
    expect(unit.consumers[0].unexplained).toBeGreaterThan(0.98);
    expect(index.consumers[0].unexplained).toBeCloseTo(1 / 7, 1);
    expect(index.consumers[0].units).toBe(1);
    const w2 = net.weights.w2.data as Float32Array;
    const folded = index.weights.w2.data as Float32Array;
    for (let p = 0; p < 7; p++) for (let o = 0; o < 3; o++) expect(Math.abs(folded[p * 3 + o] - w2[p * 3 + o] - (p === 0 ? 0 : w2[(7 + p - 1) * 3 + o]))).toBeLessThan(0.15);
    expect(Array.from(folded.subarray(21))).toEqual(Array.from(w2.subarray(21)));
  });

  it('leaves alone what is not linear in the units or not theirs alone, and says why', async () => {
    const random = createRandom('left');
    // The same matrix reads the units twice; a product of two activations reads them as well.
    const net: Net = { input: ['N', 3],
      nodes: [
        { op: 'MatMul', inputs: ['x', 'w1'], outputs: ['h'] }, { op: 'Relu', inputs: ['h'], outputs: ['a'] }, { op: 'MatMul', inputs: ['a', 'w2'], outputs: ['p'] },
        { op: 'Abs', inputs: ['h'], outputs: ['b'] }, { op: 'MatMul', inputs: ['b', 'w2'], outputs: ['q'] },
        { op: 'Transpose', inputs: ['b'], outputs: ['bt'], attributes: { perm: [1, 0] } }, { op: 'MatMul', inputs: ['a', 'bt'], outputs: ['r'] },
        { op: 'ReduceSum', inputs: ['r', 'last'], outputs: ['s'] }, { op: 'Add', inputs: ['p', 'q'], outputs: ['pq'] }, { op: 'Add', inputs: ['pq', 's'], outputs: ['y'] },
      ],
      weights: { w1: draw(random, [3, 5]), w2: draw(random, [5, 4]) }, shapes: { last: [-1] } };
    const { weights, consumers, unchanged, cut, rebuilt } = await compare(build(net), (units) => unitsAt(units, 'w1', 1, [0, 1]), [{ x: draw(random, [20, 3]) }]);
    expect([weights, consumers]).toEqual([{}, []]);
    expect(rebuilt).toBe(cut);
    expect(unchanged.map(({ operator, initializer, units, why }) => [operator, initializer, units, why]).sort()).toEqual([
      ...[1, 2, 3].map(() => ['MatMul', '', 2, 'the units meet no weight there that is not used elsewhere']),
      ['MatMul', 'w2', 2, 'its weights are computed with on the way, or used elsewhere too'],
    ]);
  });

  it('says the same however the data are split into batches, and refuses none', async () => {
    const random = createRandom('batches');
    const net = spread['MatMul through a flatten'](random).net;
    const units = findUnits(await traceModel(build({ ...net, nodes: [net.nodes[0], { op: 'Relu', inputs: ['h'], outputs: ['hr'] }, { ...net.nodes[1], inputs: ['hr'] }, net.nodes[2]] }), backend));
    const removed = unitsAt(units, 'w1', 0, [2]);
    const x = draw(random, [8, 3, 7]);
    const half = (from: number) => ({ x: { ...x, dims: [4, 3, 7], data: (x.data as Float32Array).slice(from * 84, (from + 1) * 84) }, labels: draw(random, [1]) });
    async function* later() {
      yield half(0);
      yield half(1);
    }
    const seen: number[] = [];
    const whole = await reconstruct(units, removed, { backend, data: [{ x }] });
    const split = await reconstruct(units, removed, { backend, data: later(), onProgress: (done) => seen.push(done) });
    expect(seen).toEqual([1, 2]);
    (whole.weights.w2.data as Float32Array).forEach((value, k) => expect((split.weights.w2.data as Float32Array)[k]).toBeCloseTo(value, 6));
    await expect(reconstruct(units, removed, { backend, data: [] })).rejects.toMatchObject({ code: 'COPPICE_INPUT_INVALID' });
  });
});
