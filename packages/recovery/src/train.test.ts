import { adam, sgd, trainableParameters, trainingStep, type TrainingStep } from '@coppice/autodiff';
import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom, gradientName, traceModel, type Backend, type Loss, type NamedTensors, type Trace } from '@coppice/core';
import { CoppiceError, graphOf, makeInitializer, makeModel, makeNode, makeValueInfo, readTensor, type Model, type Tensor } from '@coppice/graph';
import { beforeAll, describe, expect, it } from 'vitest';
import { constantRate, oneCycle } from './schedule.ts';
import { train, type Trained, type TrainingState, type TrainOptions } from './train.ts';
import { withWeights } from './weights.ts';

const backend = wasmBackend();
const [INPUTS, HIDDEN, ITEMS] = [2, 6, 8];

/** y = relu(x·w1 + b1)·w2 + b2. */
function buildMlp(): Model {
  const random = createRandom('mlp');
  const tensor = (name: string, dims: readonly number[]) => makeInitializer(name, 'float32', dims, Array.from({ length: dims.reduce((p, n) => p * n, 1) }, () => 0.7 * random.normal()));
  return makeModel({ opset: 17, graph: {
    inputs: [makeValueInfo('x', 'float32', ['N', INPUTS])], outputs: [makeValueInfo('y', 'float32', ['N', 1])],
    nodes: [
      { op: 'MatMul', inputs: ['x', 'w1'], outputs: ['m1'] }, { op: 'Add', inputs: ['m1', 'b1'], outputs: ['a1'] }, { op: 'Relu', inputs: ['a1'], outputs: ['h'] },
      { op: 'MatMul', inputs: ['h', 'w2'], outputs: ['m2'] }, { op: 'Add', inputs: ['m2', 'b2'], outputs: ['y'] },
    ].map(makeNode),
    initializers: [tensor('w1', [INPUTS, HIDDEN]), tensor('b1', [HIDDEN]), tensor('w2', [HIDDEN, 1]), makeInitializer('b2', 'float32', [1], [0.1])],
  } });
}

/** Mean of (y − target)². */
const squaredError: Loss = {
  name: 'squared error', reads: ['y'], labels: ['target'],
  graph: makeModel({ opset: 21, graph: {
    inputs: [makeValueInfo('y', 'float32', ['N', 1]), makeValueInfo('target', 'float32', ['N', 1])], outputs: [makeValueInfo('loss', 'float32', []), makeValueInfo(gradientName('y'), 'float32')],
    nodes: [
      { op: 'Sub', inputs: ['y', 'target'], outputs: ['d'] }, { op: 'Mul', inputs: ['d', 'd'], outputs: ['dd'] }, { op: 'ReduceMean', inputs: ['dd'], outputs: ['loss'], attributes: { keepdims: 0 } },
      { op: 'Mul', inputs: ['d', 'slope'], outputs: [gradientName('y')] },
    ].map(makeNode),
    initializers: [makeInitializer('slope', 'float32', [], [2 / ITEMS])],
  } }),
};

const column = (dims: readonly number[], data: readonly number[]): Tensor => ({ dtype: 'float32', dims, data: Float32Array.from(data) });

/** Points of the function to learn: |x₀| − x₁ / 2. */
function batch(step: number): NamedTensors {
  const random = createRandom(`batch/${step}`);
  const points = Array.from({ length: ITEMS }, () => [random.normal(), random.normal()]);
  return { x: column([ITEMS, INPUTS], points.flat()), target: column([ITEMS, 1], points.map(([a, b]) => Math.abs(a) - b / 2)) };
}

type Weights = Record<string, number[]>;
const asNumbers = (weights: NamedTensors): Weights => Object.fromEntries(Object.entries(weights).map(([name, { data }]) => [name, Array.from(data as Float32Array)]));

/** Loss and gradients of the network by hand, in float64. */
function slowGradients({ w1, b1, w2, b2 }: Weights, { x, target }: NamedTensors): { loss: number; gradients: Weights } {
  const [points, wanted] = [x.data as Float32Array, target.data as Float32Array];
  const gradients: Weights = { w1: w1.map(() => 0), b1: b1.map(() => 0), w2: w2.map(() => 0), b2: [0] };
  let loss = 0;
  for (let n = 0; n < ITEMS; n++) {
    const before = b1.map((b, h) => b + points[n * 2] * w1[h] + points[n * 2 + 1] * w1[HIDDEN + h]);
    const hidden = before.map((value) => Math.max(0, value));
    const off = hidden.reduce((sum, value, h) => sum + value * w2[h], b2[0]) - wanted[n];
    loss += off ** 2 / ITEMS;
    const slope = (2 * off) / ITEMS;
    gradients.b2[0] += slope;
    hidden.forEach((value, h) => {
      gradients.w2[h] += slope * value;
      if (before[h] <= 0) return;
      gradients.b1[h] += slope * w2[h];
      for (let i = 0; i < INPUTS; i++) gradients.w1[i * HIDDEN + h] += slope * w2[h] * points[n * 2 + i];
    });
  }
  return { loss, gradients };
}

type Rule = (weight: number, gradient: number, memory: Record<string, number>, step: number, rate: number, matrix: boolean) => number;

/** Adam as algorithm 1 of the paper writes it, decay decoupled. */
const slowAdam = (decay: number): Rule => (weight, gradient, memory, step, rate, matrix) => {
  memory.m = 0.9 * (memory.m ?? 0) + 0.1 * gradient;
  memory.v = 0.999 * (memory.v ?? 0) + 0.001 * gradient ** 2;
  return weight - (matrix ? rate * decay * weight : 0) - (rate * (memory.m / (1 - 0.9 ** step))) / (Math.sqrt(memory.v / (1 - 0.999 ** step)) + 1e-8);
};
const slowSgd = (momentum: number): Rule => (weight, gradient, memory, _step, rate) => {
  memory.v = momentum * (memory.v ?? 0) + gradient;
  return weight - rate * memory.v;
};

function trainSlowly(start: Weights, rule: Rule, steps: number, schedule: (step: number) => number, clipNorm = Infinity): { weights: Weights; losses: number[] } {
  let weights = start;
  const memory: Record<string, Record<string, number>> = {};
  const losses: number[] = [];
  for (let step = 1; step <= steps; step++) {
    const { loss, gradients } = slowGradients(weights, batch(step));
    losses.push(loss);
    const scale = Math.min(1, clipNorm / Math.sqrt(Object.values(gradients).flat().reduce((sum, g) => sum + g * g, 0)));
    weights = Object.fromEntries(Object.entries(weights).map(([name, list]) => [name, list.map((value, k) => rule(value, scale * gradients[name][k], (memory[`${name}/${k}`] ??= {}), step, schedule(step), name.startsWith('w')))]));
  }
  return { weights, losses };
}

let trace: Trace;
let step: TrainingStep;
let start: Weights;
beforeAll(async () => {
  trace = await traceModel(buildMlp(), backend);
  step = trainingStep(trace, { loss: squaredError, parameters: trainableParameters(trace), optimizer: adam() });
  start = Object.fromEntries(graphOf(trace.program.model).initializer.map((proto) => [proto.name, Array.from(readTensor(trace.program.model, proto).data as Float32Array)]));
});

const run = (options: Partial<TrainOptions> = {}, taken = step): Promise<Trained> => train(taken, { backend, steps: 12, schedule: oneCycle({ peak: 0.05, steps: 12 }), batch, ...options });

describe('train', () => {
  it('does what the optimisers say, step by step', async () => {
    const schedule = oneCycle({ peak: 0.05, steps: 5 });
    for (const [optimizer, rule, clipNorm] of [[adam(), slowAdam(0), undefined], [adam({ weightDecay: 0.1 }), slowAdam(0.1), 0.3], [sgd({ momentum: 0.9 }), slowSgd(0.9), undefined], [sgd({ momentum: 0 }), slowSgd(0), 0.5]] as const) {
      const taken = trainingStep(trace, { loss: squaredError, parameters: ['w1', 'b1', 'w2', 'b2'], optimizer, clipNorm });
      const losses: number[] = [];
      const { weights, state, stopped } = await run({ steps: 5, schedule, onProgress: ({ loss }) => losses.push(loss) }, taken);
      const slow = trainSlowly(start, rule, 5, schedule, clipNorm);
      // 1 − 0.999ᵗ has a relative error of 5e-5 in float32, which is that of Adam's first steps.
      losses.forEach((loss, k) => expect(loss).toBeCloseTo(slow.losses[k], 4));
      for (const [name, numbers] of Object.entries(asNumbers(weights))) numbers.forEach((value, k) => expect(value).toBeCloseTo(slow.weights[name][k], 4));
      expect(Object.keys(weights).sort()).toEqual(['b1', 'b2', 'w1', 'w2']);
      expect(asNumbers(weights).w1).not.toEqual(start.w1);
      expect([state.step, stopped]).toEqual([5, undefined]);
      expect(state.history).toEqual([{ step: 5, loss: expect.closeTo(slow.losses.reduce((sum, loss) => sum + loss, 0) / 5, 4) }]);
    }
  });

  it('learns the function', async () => {
    const seen: number[] = [];
    const { weights } = await run({ steps: 600, schedule: oneCycle({ peak: 0.05, steps: 600 }), onProgress: ({ loss }) => seen.push(loss) });
    expect(seen.slice(-20).reduce((sum, loss) => sum + loss, 0) / 20).toBeLessThan(0.02);
    const executable = await backend.compile(withWeights(trace.program.model, weights));
    const y = (await executable.run({ x: column([2, 2], [1, 0, -1, 1]) })).y.data as Float32Array;
    await executable.dispose();
    expect(y[0]).toBeCloseTo(1, 0);
    expect(y[1]).toBeCloseTo(0.5, 0);
  });

  it('goes on from the state after any step to the same bytes, records and choices', async () => {
    const states: TrainingState[] = [];
    // A score that gets worse again, so that the best weights are not the last.
    const evaluate = async (weights: NamedTensors, number: number) => (weights.w1 ? Math.abs(number - 6) : NaN);
    const whole = await run({ evaluate, evaluateEvery: 3, save: (state) => void states.push(state), saveEvery: 1 });
    expect(states.map((state) => state.step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    for (const from of states) {
      const again = await run({ evaluate, evaluateEvery: 3, from: structuredClone(from) });
      expect(again.state).toEqual(whole.state);
      expect(again.weights).toEqual(whole.weights);
    }
    expect(whole.state.history.map((record) => [record.step, record.score])).toEqual([[3, 3], [6, 0], [9, 3], [12, 6]]);
    expect(whole.state.best).toMatchObject({ step: 6, score: 0 });
    expect(whole.weights).toBe(whole.state.best!.weights);
    expect(asNumbers(whole.weights)).toEqual(asNumbers(Object.fromEntries(step.weights.map((name) => [name, states[5].carried[name]]))));
  });

  it('records the mean loss of each stretch', async () => {
    const losses: number[] = [];
    const { state } = await run({ steps: 8, evaluate: async () => 1, evaluateEvery: 3, onProgress: ({ loss }) => losses.push(loss) });
    const mean = (list: readonly number[]) => list.reduce((sum, loss) => sum + loss, 0) / list.length;
    expect(state.history).toEqual([[0, 3], [3, 6], [6, 8]].map(([from, to]) => ({ step: to, score: 1, loss: expect.closeTo(mean(losses.slice(from, to)), 6) })));
  });

  it('stops at a loss that is not finite, keeps the state before it and names the step', async () => {
    for (const [broken, says] of [[NaN, 'NaN'], [Infinity, 'Infinity'], [1e30, 'Infinity']] as const) {
      const before = await run({ steps: 4, schedule: constantRate(0.05) });
      const spoilt = (number: number) => (number === 5 ? { ...batch(5), target: column([ITEMS, 1], Array.from({ length: ITEMS }, () => broken)) } : batch(number));
      const error = await run({ batch: spoilt, schedule: constantRate(0.05) }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(CoppiceError);
      expect(error).toMatchObject({ code: 'COPPICE_LOSS_NOT_FINITE', message: expect.stringMatching(new RegExp(`step 5, the loss is ${says}.*step 4`)) });
      expect(((error as CoppiceError).cause as TrainingState).carried).toEqual(before.state.carried);
      expect(((error as CoppiceError).cause as TrainingState).step).toBe(4);
    }
  });

  it('stops before weights that are not finite are taken over', async () => {
    const error = await run({ schedule: (number) => (number === 3 ? Infinity : 0.01) }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'COPPICE_LOSS_NOT_FINITE', message: expect.stringContaining('In step 3, the step made a weight') });
    const { carried, step: last } = (error as CoppiceError).cause as TrainingState;
    expect(last).toBe(2);
    for (const { data } of Object.values(carried)) expect((data as Float32Array).every(Number.isFinite)).toBe(true);
  });

  it('loses patience after so many evaluations without a better one, keeps the best, and does not go on from there', async () => {
    const scores = [5, 3, NaN, 3, 4, 1];
    const saved: number[] = [];
    const evaluate = async (_weights: NamedTensors, number: number) => scores[number / 2 - 1];
    const { weights, state, stopped } = await run({ evaluate, evaluateEvery: 2, patience: 3, save: ({ step: number }) => void saved.push(number) });
    expect([stopped, state.step, state.best!.step, saved]).toEqual(['patience', 10, 4, [10]]);
    expect(weights).toBe(state.best!.weights);
    const again = await run({ evaluate, evaluateEvery: 2, patience: 3, from: state });
    expect([again.stopped, again.state]).toEqual(['patience', state]);
    const never = await run({ evaluate: async () => NaN, evaluateEvery: 2, patience: 2 });
    expect([never.stopped, never.state.step, never.state.best]).toEqual(['patience', 4, undefined]);
  });

  it('takes later weights whose score is as low as chance allows', async () => {
    const scores = [5, 3, 3.4, 3.6, 3.5, 4];
    const evaluate = async (_weights: NamedTensors, number: number) => scores[number / 2 - 1];
    const { state, weights } = await run({ evaluate, evaluateEvery: 2, noise: (lowest) => lowest / 6 });
    expect(state.best).toMatchObject({ step: 10, score: 3.5 });
    expect(weights).toBe(state.best!.weights);
  });

  it('stops and saves when it is told to, and can be taken up again', async () => {
    const abort = new AbortController();
    const saved: TrainingState[] = [];
    const first = await run({ signal: abort.signal, save: (state) => void saved.push(state), onProgress: ({ step: number }) => number === 5 && abort.abort() });
    expect([first.stopped, first.state.step, saved]).toEqual(['signal', 5, [first.state]]);
    expect((await run({ from: saved[0] })).state.carried).toEqual((await run()).state.carried);
    const never = await run({ signal: abort.signal });
    expect([never.stopped, never.state.step, never.weights]).toEqual(['signal', 0, Object.fromEntries(step.weights.map((name) => [name, step.initial[name]]))]);
    expect(Array.from(never.weights.w1.data as Float32Array)).toEqual(start.w1);
  });

  it('frees what it compiled, whatever happens', async () => {
    let live = 0;
    const counted: Backend = { ...backend, name: 'counted', info: () => backend.info(), async compile(model, options) {
      const executable = await backend.compile(model, options);
      live++;
      return { run: (inputs, outputs) => executable.run(inputs, outputs), dispose: () => (live--, executable.dispose()) };
    } };
    await run({ backend: counted, steps: 2 });
    await expect(run({ backend: counted, batch: () => { throw new Error('no more'); } })).rejects.toThrow('no more');
    expect(live).toBe(0);
  });
});
