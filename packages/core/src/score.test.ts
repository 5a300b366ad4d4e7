import { makeInitializer, makeModel, type DataType, type Tensor } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import type { Units } from './analysis/units.ts';
import type { Backend, NamedTensors } from './backend.ts';
import { scoreUnits } from './score.ts';
import { countingWeight, statedUnits } from './stated-model.ts';
import { defineCriterion, defineScorer, type Gradients, type Need, type Scorer, type SlicePlace } from './scorer.ts';
import type { ScoreState } from './scoring/options.ts';
import { deserialiseState, serialiseState } from './scoring/state-text.ts';

const unitsOf = statedUnits;
const weight = countingWeight;
const counting = (length: number) => Float32Array.from({ length }, (_, k) => k);

/** x [N, T, 2] → MatMul to 3 → bias → MatMul to 2. */
const perceptron = (dtype: DataType = 'float32') => unitsOf(
  [
    { op: 'MatMul', name: 'up', inputs: ['x', 'w'], outputs: ['h'] },
    { op: 'Add', inputs: ['h', 'b'], outputs: ['a'] },
    { op: 'MatMul', name: 'down', inputs: ['a', 'v'], outputs: ['y'] },
  ],
  [weight('w', [2, 3], dtype), weight('b', [3], dtype), weight('v', [3, 2], dtype)],
  { x: [[1, 5, 2], [2, 7, 2]], h: [[1, 5, 3], [2, 7, 3]], a: [[1, 5, 3], [2, 7, 3]], y: [[1, 5, 2], [2, 7, 2]] },
  dtype,
);

type Heard = SlicePlace & { weights?: number[]; activations?: number[]; gradients?: number[]; loss?: number };

/** What a scorer is told, in order. */
async function heard<N extends Need>(units: Units, needs: readonly N[], options: Parameters<typeof scoreUnits>[2] = {}): Promise<Heard[]> {
  const slices: Heard[] = [];
  const listener: Scorer = {
    name: 'listener', needs,
    start: () => undefined,
    add: (_, { unit, role, operator, operand, initializer, weights, activations, gradients, loss }) => {
      const lists = Object.entries({ weights, activations, gradients }).filter(([, list]) => list.length > 0).map(([name, list]) => [name, [...list]]);
      slices.push({ unit, role, operator, operand, initializer, ...Object.fromEntries(lists), ...(loss !== 0 && { loss }) });
    },
    finish: (_, all) => new Float64Array(all.length),
  };
  await scoreUnits(units, listener, options);
  return slices;
}

/** `out Conv.W`, one for each slice of unit 0. */
const uses = (slices: readonly Heard[], unit = 0) => slices.filter((s) => s.unit === unit).map((s) => `${s.role} ${s.operator}.${s.operand} ${s.initializer}`);

function backendGiving(give: (inputs: NamedTensors) => NamedTensors, disposed?: () => void): Backend {
  return {
    name: 'given',
    info: async () => ({ version: '0', device: 'test', threads: 1 }),
    compile: async () => ({ run: async (inputs) => give(inputs), dispose: async () => disposed?.() }),
  };
}

describe('scoreUnits with weights', () => {
  it('hands over every slice of every unit once, row-major', async () => {
    const slices = await heard(perceptron(), ['weights']);
    expect(slices.filter(({ unit }) => unit === 1)).toEqual([
      { unit: 1, role: 'out', operator: 'MatMul', operand: 'B', initializer: 'w', weights: [1, 4] },
      { unit: 1, role: 'along', operator: 'Add', operand: 'B', initializer: 'b', weights: [1] },
      { unit: 1, role: 'in', operator: 'MatMul', operand: 'B', initializer: 'v', weights: [2, 3] },
    ]);
    expect(slices).toHaveLength(9);
  });

  it('narrows a slice of a packed recurrent weight to its direction, and tells rows of R from columns', async () => {
    const units = unitsOf(
      [
        { op: 'RNN', name: 'r', inputs: ['x', 'w', 'r'], outputs: ['h'], attributes: { hidden_size: 2, direction: 'bidirectional' } },
        { op: 'ReduceSum', inputs: ['h'], outputs: ['y'], attributes: { keepdims: 0 } },
      ],
      [weight('w', [2, 2, 1]), weight('r', [2, 2, 2])],
      { x: [[5, 1, 1], [7, 2, 1]], h: [[5, 2, 1, 2], [7, 2, 2, 2]], y: [[], []] },
    );
    const slices = await heard(units, ['weights']);
    expect(units.groups.map(({ lanes }) => lanes.map((lane) => lane.length))).toEqual([[2, 2]]);
    const last = units.groups[0].lanes[1][1];
    expect(slices.filter(({ unit }) => unit === last).map(({ role, operand, weights }) => [role, operand, weights])).toEqual([['out', 'W', [3]], ['out', 'R', [6, 7]], ['in', 'R', [5, 7]]]);
  });

  it('follows weights that are computed from others to the operator that applies them', async () => {
    const units = unitsOf(
      [
        { op: 'DequantizeLinear', inputs: ['q', 'scale'], outputs: ['f'], attributes: { axis: 0 } },
        { op: 'Transpose', inputs: ['f'], outputs: ['t'], attributes: { perm: [1, 0] } },
        { op: 'MatMul', name: 'up', inputs: ['x', 't'], outputs: ['h'] },
        { op: 'MatMul', name: 'down', inputs: ['h', 'v'], outputs: ['y'] },
      ],
      [weight('q', [3, 2], 'int8'), weight('scale', [3]), weight('v', [3, 2])],
      { x: [[1, 2], [4, 2]], f: [[3, 2], [3, 2]], t: [[2, 3], [2, 3]], h: [[1, 3], [4, 3]], y: [[1, 2], [4, 2]] },
    );
    expect(uses(await heard(units, ['weights']))).toEqual(['out MatMul.B q', 'along DequantizeLinear.x_scale scale', 'in MatMul.B v']);
  });

  it('tells the parts of a packed weight apart that the graph cuts out of it', async () => {
    const units = unitsOf(
      [
        { op: 'Split', inputs: ['packed', 'sizes'], outputs: ['w', 'u'], attributes: { axis: 1 } },
        { op: 'MatMul', inputs: ['x', 'w'], outputs: ['h'] },
        { op: 'Gemm', inputs: ['x', 'u'], outputs: ['g'] },
        { op: 'MatMul', inputs: ['h', 'v'], outputs: ['p'] },
        { op: 'MatMul', inputs: ['g', 't'], outputs: ['q'] },
        { op: 'Add', inputs: ['p', 'q'], outputs: ['y'] },
      ],
      [weight('packed', [2, 7]), makeInitializer('sizes', 'int64', [2], [3, 4]), weight('v', [3, 2]), weight('t', [4, 2])],
      { x: [[1, 2], [5, 2]], w: [[2, 3], [2, 3]], u: [[2, 4], [2, 4]], h: [[1, 3], [5, 3]], g: [[1, 4], [5, 4]], p: [[1, 2], [5, 2]], q: [[1, 2], [5, 2]], y: [[1, 2], [5, 2]] },
    );
    const slices = await heard(units, ['weights']);
    expect(units.groups.map(({ lanes }) => uses(slices, lanes[0][0]))).toEqual([['out MatMul.B packed', 'in MatMul.B v'], ['out Gemm.B packed', 'in MatMul.B t']]);
  });

  it('uses the state that add returns', async () => {
    const counter = defineScorer({ name: 'counter', needs: ['weights'], start: () => 0, add: (count) => count + 1, finish: (count, all) => all.map(() => count) });
    expect(await scoreUnits(perceptron(), counter)).toEqual(Float64Array.of(9, 9, 9));
  });

  it('runs a criterion given as one function', async () => {
    const most = defineCriterion({ name: 'most', score: (slices) => Math.max(...slices.flatMap((slice) => [...slice])) });
    expect(await scoreUnits(perceptron(), most)).toEqual(Float64Array.of(3, 4, 5));
  });

  it('passes the seed on and reports progress', async () => {
    const progress: string[] = [];
    const seeded = defineScorer({ name: 'seeded', needs: ['weights'], start: (_, { seed }) => seed, add() {}, finish: (seed, all) => all.map(() => seed) });
    expect(await scoreUnits(perceptron(), seeded, { seed: 5, onProgress: ({ stage, done, total }) => progress.push(`${stage} ${done}/${total}`) })).toEqual(Float64Array.of(5, 5, 5));
    expect(progress).toEqual(['weights 1/3', 'weights 2/3', 'weights 3/3']);
  });
});

describe('scoreUnits with activations', () => {
  const shown = (dims: readonly number[]) => ({ a: { dtype: 'float32' as const, dims, data: counting(dims.reduce((p, n) => p * n, 1)) } });

  it('hands over what each consumer reads of a unit, beside the columns that it weighs it with, batch by batch', async () => {
    const slices = await heard(perceptron(), ['weights', 'activations'], { backend: backendGiving((inputs) => shown(inputs.x.data[0] === 0 ? [1, 2, 3] : [2, 1, 3])) });
    expect(slices.filter(({ unit }) => unit === 2)).toEqual([
      { unit: 2, role: 'in', operator: 'MatMul', operand: 'B', initializer: 'v', weights: [4, 5], activations: [2, 5] },
      { unit: 2, role: 'in', operator: 'MatMul', operand: 'B', initializer: 'v', weights: [4, 5], activations: [2, 5] },
    ]);
    expect(slices).toHaveLength(6);
  });

  it('shows what a quantised consumer reads before it was quantised', async () => {
    const units = unitsOf(
      [
        { op: 'MatMul', name: 'up', inputs: ['x', 'w'], outputs: ['a'] },
        { op: 'DynamicQuantizeLinear', inputs: ['a'], outputs: ['q', 's', 'z'] },
        { op: 'MatMulInteger', name: 'down', inputs: ['q', 'v', 'z'], outputs: ['y'] },
      ],
      [weight('w', [2, 3]), weight('v', [3, 2], 'int8')],
      { x: [[1, 2], [4, 2]], a: [[1, 3], [4, 3]], q: [[1, 3], [4, 3]], s: [[], []], z: [[], []], y: [[1, 2], [4, 2]] },
    );
    const slices = await heard(units, ['weights', 'activations'], { backend: backendGiving(() => shown([2, 3])), data: [{}] });
    expect(slices.filter(({ unit }) => unit === 1)).toEqual([{ unit: 1, role: 'in', operator: 'MatMulInteger', operand: 'B', initializer: 'v', weights: [2, 3], activations: [1, 4] }]);
  });

  it('says that the inputs of the trace are random when no data are given', async () => {
    const notes: string[] = [];
    const options = { backend: backendGiving(() => shown([1, 1, 3])), onNote: (note: string) => notes.push(note) };
    await heard(perceptron(), ['activations'], options);
    expect(notes).toEqual([expect.stringContaining('no data were given')]);
    await heard(perceptron(), ['activations'], { ...options, data: [{}] });
    expect(notes).toHaveLength(1);
  });

  it('takes data that come one after another, and frees the executable also when they end in an error', async () => {
    let disposed = 0;
    const backend = backendGiving(() => shown([1, 1, 3]), () => disposed++);
    async function* recordings(): AsyncGenerator<NamedTensors> {
      yield {};
      throw new Error('disk');
    }
    await expect(heard(perceptron(), ['activations'], { backend, data: recordings() })).rejects.toThrow('disk');
    expect(disposed).toBe(1);
  });

  it('gives units that no run can show the same score, and says so', async () => {
    const notes: string[] = [];
    const nothing = defineScorer({ name: 'nothing', needs: ['activations'], start: () => 0, add() {}, finish: (_, all) => all.map(() => 0) });
    const scores = await scoreUnits(perceptron('bfloat16'), nothing, { backend: backendGiving(() => ({})), data: [{}], onNote: (note) => notes.push(note) });
    expect(scores).toEqual(Float64Array.of(1, 1, 1));
    expect(notes).toEqual([expect.stringContaining('3 units of')]);
  });

  it('refuses to go without a backend or without data', async () => {
    await expect(heard(perceptron(), ['activations'])).rejects.toMatchObject({ code: 'COPPICE_BACKEND_MISSING' });
    await expect(heard(perceptron(), ['activations'], { backend: backendGiving(() => ({})), data: [] })).rejects.toMatchObject({ code: 'COPPICE_INPUT_INVALID' });
  });
});

/** Gradients that count up from a number. */
const gradientsFrom = (start: number, shapes: Readonly<Record<string, readonly number[]>>): Gradients => new Map(Object.entries(shapes).map(([name, dims]): [string, Tensor] =>
  [name, { dtype: 'float32', dims, data: counting(dims.reduce((p, n) => p * n, 1)).map((x) => start + x) }]));

describe('scoreUnits with gradients', () => {
  const shapes = { w: [2, 3], b: [3], v: [3, 2] };

  it('hands over every slice of every unit once for each batch, its gradients beside its weights', async () => {
    const slices = await heard(perceptron(), ['weights', 'gradients'], { gradients: [gradientsFrom(10, shapes), gradientsFrom(20, shapes)] });
    const place = { operator: 'MatMul', operand: 'B' };
    expect(slices.filter(({ unit }) => unit === 1)).toEqual([10, 20].flatMap((g) => [
      { ...place, unit: 1, role: 'out', initializer: 'w', weights: [1, 4], gradients: [g + 1, g + 4] },
      { unit: 1, role: 'along', operator: 'Add', operand: 'B', initializer: 'b', weights: [1], gradients: [g + 1] },
      { ...place, unit: 1, role: 'in', initializer: 'v', weights: [2, 3], gradients: [g + 2, g + 3] },
    ]));
    expect(slices).toHaveLength(18);
  });

  it('hands over no weights when none are needed, and numbers the batches', async () => {
    const batches: number[] = [];
    const listener: Scorer = { name: 'batches', needs: ['gradients'], start() {}, add: (_, { batch, weights }) => { batches.push(batch, weights.length); }, finish: (_, all) => all.map(() => 0) };
    await scoreUnits(perceptron(), listener, { gradients: (async function* () { yield gradientsFrom(1, shapes); yield gradientsFrom(2, shapes); })() });
    expect(batches).toEqual([...Array.from({ length: 9 }, () => [0, 0]), ...Array.from({ length: 9 }, () => [1, 0])].flat());
  });

  it('takes the weights of other floating-point types for what they are', async () => {
    const slices = await heard(perceptron('float16'), ['weights', 'gradients'], { gradients: [gradientsFrom(0, shapes)] });
    expect(slices[1]).toMatchObject({ initializer: 'w', weights: [1, 4], gradients: [1, 4] });
  });

  it('counts an initializer without gradient as zero, and says so once', async () => {
    const notes: string[] = [];
    const batch = gradientsFrom(1, { w: [2, 3], v: [3, 2] });
    const slices = await heard(perceptron(), ['gradients'], { gradients: [batch, batch], onNote: (note) => notes.push(note) });
    expect(slices.filter(({ initializer }) => initializer === 'b').map(({ gradients }) => gradients)).toEqual(Array.from({ length: 6 }, () => [0]));
    expect(notes).toEqual([expect.stringContaining("no gradients were given for 'b'")]);
  });

  it('gives units whose weights are integers the mean score of others, and says so', async () => {
    const units = unitsOf(
      [
        { op: 'MatMul', name: 'up', inputs: ['x', 'w'], outputs: ['h'] },
        { op: 'MatMul', name: 'middle', inputs: ['h', 'v'], outputs: ['a'] },
        { op: 'DequantizeLinear', inputs: ['q', 'scale'], outputs: ['t'] },
        { op: 'MatMul', name: 'next', inputs: ['a', 't'], outputs: ['c'] },
        { op: 'DequantizeLinear', inputs: ['p', 'scale'], outputs: ['u'] },
        { op: 'MatMul', name: 'down', inputs: ['c', 'u'], outputs: ['y'] },
      ],
      [weight('w', [2, 3]), weight('v', [3, 4]), weight('q', [4, 5], 'int8'), weight('p', [5, 2], 'int8'), makeInitializer('scale', 'float32', [], [1])],
      { x: [[1, 2], [6, 2]], h: [[1, 3], [6, 3]], a: [[1, 4], [6, 4]], t: [[4, 5], [4, 5]], c: [[1, 5], [6, 5]], u: [[5, 2], [5, 2]], y: [[1, 2], [6, 2]] },
    );
    expect(units.groups.map(({ lanes }) => lanes[0].length)).toEqual([3, 4, 5]);
    const notes: string[] = [];
    const mass = defineScorer({
      name: 'mass', needs: ['gradients'],
      start: (all) => new Float64Array(all.length),
      add(sums, { unit, gradients }) { for (const g of gradients) sums[unit] += g; },
      finish: (sums) => sums,
    });
    const scores = await scoreUnits(units, mass, { gradients: [gradientsFrom(0, { w: [2, 3], v: [3, 4] })], onNote: (note) => notes.push(note) });
    const known = [3 + 6, 5 + 22, 7 + 38, 12, 15, 18, 21];
    expect(Array.from(scores)).toEqual([...known, ...Array.from({ length: 5 }, () => known.reduce((a, b) => a + b) / 7)]);
    expect(notes).toEqual([expect.stringContaining("integers have no gradient, so those of 'q', 'p' count as zero"), expect.stringContaining('have no gradient in any of their slices')]);
  });

  it('refuses gradients of another model, of another shape, and such as are not finite', async () => {
    const refusal = (gradients: readonly Gradients[]) => heard(perceptron(), ['gradients'], { gradients });
    await expect(refusal([gradientsFrom(0, { other: [2, 3] })])).rejects.toMatchObject({ code: 'COPPICE_INPUT_INVALID', message: expect.stringContaining("'other'") });
    await expect(refusal([gradientsFrom(0, { w: [3, 2] })])).rejects.toMatchObject({ code: 'COPPICE_INPUT_INVALID', message: expect.stringContaining('[3, 2] instead of [2, 3]') });
    await expect(refusal([gradientsFrom(0, shapes), gradientsFrom(NaN, shapes)])).rejects.toMatchObject({ code: 'COPPICE_INPUT_INVALID', message: expect.stringContaining('for batch 1 is infinite') });
    await expect(refusal([])).rejects.toMatchObject({ code: 'COPPICE_INPUT_INVALID' });
  });
});

describe('scoreUnits, stopped after any batch', () => {
  const shapes = { w: [2, 3], b: [3], v: [3, 2] };
  const gradients = [1, -2, 0.3].map((start) => gradientsFrom(start, shapes));
  /** A state with everything in it: what it heard of each unit by name, and of which batch it was. */
  const hoarder = defineScorer({
    name: 'hoarder', needs: ['weights', 'gradients'],
    start: (all) => ({ last: -1, sums: new Float64Array(all.length), heard: new Map<string, { squares: number }>() }),
    add(state, { unit, batch, initializer, weights, gradients: g }) {
      const own = state.heard.get(initializer) ?? state.heard.set(initializer, { squares: 0 }).get(initializer)!;
      weights.forEach((w, k) => {
        state.sums[unit] += w * g[k] * (batch + 1) * (state.last === batch ? 1 : 0.7);
        own.squares += g[k] ** 2;
      });
      state.last = batch;
    },
    finish: ({ sums, heard: all }) => sums.map((sum) => Math.abs(sum) * [...all.values()].reduce((total, { squares }) => total + squares, 1)),
  });

  it.each([1, 2, 3])('gives the same scores from the saved state: %i', async (stop) => {
    const saved: string[] = [];
    await scoreUnits(perceptron(), hoarder, { gradients: gradients.slice(0, stop), onState: (state) => { saved.push(serialiseState(state)); } });
    expect(saved).toHaveLength(stop);
    const resume = deserialiseState(saved[stop - 1]) as ScoreState;
    const before = structuredClone(resume);
    expect(await scoreUnits(perceptron(), hoarder, { gradients: gradients.slice(stop), resume })).toEqual(await scoreUnits(perceptron(), hoarder, { gradients }));
    expect(resume).toEqual(before);
  });

  it('remembers which units were seen', async () => {
    let saved: ScoreState | undefined;
    await scoreUnits(perceptron(), hoarder, { gradients: gradients.slice(0, 1), onState: (state) => { saved = structuredClone(state); } });
    expect(saved).toMatchObject({ scorer: 'hoarder', batches: 1, seen: Uint8Array.of(1, 1, 1) });
  });

  it('refuses the state of another scorer or model', async () => {
    const resume: ScoreState = { scorer: 'hoarder', batches: 1, seen: new Uint8Array(4), state: {} };
    await expect(scoreUnits(perceptron(), hoarder, { gradients, resume })).rejects.toMatchObject({ code: 'COPPICE_RUN_INVALID' });
    await expect(scoreUnits(perceptron(), hoarder, { gradients, resume: { ...resume, scorer: 'other', seen: new Uint8Array(3) } })).rejects.toMatchObject({ code: 'COPPICE_RUN_INVALID' });
  });
});

describe('scoreUnits with the loss', () => {
  const loss = { name: 'given', reads: ['y'], labels: ['target'], graph: makeModel({ opset: 21, graph: { inputs: [], outputs: [], nodes: [] } }) };
  const scalar = (value: number): Tensor => ({ dtype: 'float32', dims: [], data: Float32Array.of(value) });
  /** A model whose output is the number of masked entries, and a loss that adds a label. */
  const backend = backendGiving((inputs): NamedTensors => {
    if (inputs.target) return { loss: scalar((inputs.y.data[0] as number) + (inputs.target.data[0] as number)) };
    const masked = Object.entries(inputs).filter(([name]) => name.startsWith('coppice/mask')).flatMap(([, mask]) => [...(mask.data as Uint8Array)].filter((bit) => bit === 0));
    return { y: scalar(masked.length) };
  });

  it('hands over the rise of each unit alone, one for each batch', async () => {
    const slices = await heard(perceptron(), ['loss'], { backend, loss, data: [0, 5].map((label) => ({ x: scalar(0), target: scalar(label) })) });
    expect(slices.map(({ unit, loss: rise }) => [unit, rise])).toEqual([0, 1, 2, 0, 1, 2].map((unit) => [unit, expect.any(Number)]));
    expect(new Set(slices.map(({ loss: rise }) => rise))).toEqual(new Set([slices[0].loss]));
    expect(slices[0].loss).toBeGreaterThan(0);
  });

  it('refuses to go without a backend, a loss or data, with a loss of another model, and with one that is not finite', async () => {
    const data = [{ x: scalar(0), target: scalar(0) }];
    const refusal = (options: Parameters<typeof scoreUnits>[2]) => heard(perceptron(), ['loss'], { backend, loss, data, ...options });
    await expect(refusal({ backend: undefined })).rejects.toMatchObject({ code: 'COPPICE_BACKEND_MISSING' });
    await expect(refusal({ loss: undefined })).rejects.toMatchObject({ code: 'COPPICE_LOSS_INVALID' });
    await expect(refusal({ data: undefined })).rejects.toMatchObject({ code: 'COPPICE_INPUT_INVALID', message: expect.stringContaining("'target'") });
    await expect(refusal({ data: [] })).rejects.toMatchObject({ code: 'COPPICE_INPUT_INVALID' });
    await expect(refusal({ data: [{ target: scalar(0) }] })).rejects.toMatchObject({ code: 'COPPICE_INPUT_INVALID', message: expect.stringContaining("no 'x'") });
    await expect(refusal({ loss: { ...loss, reads: ['log_probs'] } })).rejects.toMatchObject({ code: 'COPPICE_LOSS_INVALID', message: expect.stringContaining("'log_probs', and the model has 'y'") });
    await expect(refusal({ data: [{ x: scalar(0), target: scalar(Infinity) }] })).rejects.toMatchObject({ code: 'COPPICE_LOSS_NOT_FINITE', message: expect.stringContaining('batch 0') });
  });
});

describe('scoreUnits refuses', () => {
  const giving = (finish: () => ArrayLike<number>): Scorer => ({ name: 'odd', needs: [], start: () => undefined, add() {}, finish });

  it.each([
    ['too few scores', [1, 2], "'odd' gave 2 scores for 3 units"],
    ['NaN', [1, NaN, 2], "'odd' gave NaN for unit 1"],
    ['infinity', [1, 2, Infinity], "'odd' gave Infinity for unit 2"],
    ['a negative score', [-1, 2, 3], "'odd' gave -1 for unit 0"],
  ])('%s', async (_, scores, words) => {
    await expect(scoreUnits(perceptron(), giving(() => scores))).rejects.toMatchObject({ code: 'COPPICE_SCORER_INVALID', message: expect.stringContaining(words) });
  });

  it('to go without gradients, which autodiff computes', async () => {
    await expect(heard(perceptron(), ['gradients'])).rejects.toMatchObject({ code: 'COPPICE_SCORER_INVALID', message: expect.stringContaining('autodiff') });
  });

  it.each([[['activations', 'gradients']], [['weights', 'loss']], [['loss', 'gradients']]] as [Need[]][])('what does not lie side by side: %j', async (needs) => {
    await expect(heard(perceptron(), needs)).rejects.toMatchObject({ code: 'COPPICE_SCORER_INVALID', message: expect.stringContaining(needs.join(' and ')) });
  });
});
