import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom, type Backend, type NamedTensors } from '@coppice/core';
import { checkModel, encodeModel, graphOf, makeInitializer, makeModel, makeNode, makeValueInfo, type Model } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { chooseQuantization, type ChooseOptions } from './choose.ts';
import { outputError } from './compare.ts';

const real = wasmBackend();
const random = createRandom('choose');
const weight = (name: string, dims: readonly number[]) => makeInitializer(name, 'float32', dims, Float32Array.from({ length: dims.reduce((p, n) => p * n, 1) }, () => random.normal() / Math.sqrt(dims[0])));

/** Two convolutions, the second depthwise, and two products. */
const model = makeModel({ opset: 17, graph: {
  inputs: [makeValueInfo('x', 'float32', [1, 8, 'time'])], outputs: [makeValueInfo('y', 'float32', [1, 'time', 12])],
  initializers: [weight('W1', [16, 8, 3]), weight('W2', [16, 1, 9]), weight('W3', [16, 32]), weight('W4', [32, 12])],
  nodes: [
    makeNode({ op: 'Conv', name: 'conv', inputs: ['x', 'W1'], outputs: ['a'], attributes: { pads: [1, 1] } }), makeNode({ op: 'Relu', name: 'relu', inputs: ['a'], outputs: ['b'] }),
    makeNode({ op: 'Conv', name: 'depthwise', inputs: ['b', 'W2'], outputs: ['c'], attributes: { pads: [4, 4], group: 16 } }), makeNode({ op: 'Transpose', inputs: ['c'], outputs: ['d'], attributes: { perm: [0, 2, 1] } }),
    makeNode({ op: 'MatMul', name: 'first', inputs: ['d', 'W3'], outputs: ['e'] }), makeNode({ op: 'MatMul', name: 'last', inputs: ['e', 'W4'], outputs: ['y'] }),
  ],
} });

const inputs = Array.from({ length: 3 }, (): NamedTensors => ({ x: { dtype: 'float32', dims: [1, 8, 20], data: Float32Array.from({ length: 160 }, () => random.normal()) } }));
const runs = async function* () { yield* inputs; };

/** A backend on which time is what a test says about operators, and a clock that reads it. */
function timed(costOf: (op: string, node: string) => number): { backend: Backend; now: () => number } {
  let clock = 0;
  return {
    now: () => clock,
    backend: {
      ...real,
      async compile(of, options) {
        const executable = await real.compile(of, options);
        const cost = graphOf(of).node.reduce((sum, { opType, name }) => sum + costOf(opType, name), 0);
        return { ...executable, dispose: () => executable.dispose(), run: (...given) => { clock += cost; return executable.run(...given); } };
      },
    },
  };
}

const formsOf = async (costOf: (op: string, node: string) => number, options: ChooseOptions = {}) => {
  const { backend, now } = timed(costOf);
  const chosen = await chooseQuantization(model, backend, runs, { now, repeats: 3, reduceRange: false, ...options });
  checkModel(chosen.model);
  return { chosen, forms: Object.fromEntries(chosen.table.filter(({ bytesBefore }) => bytesBefore > 0).map(({ node, form, why }) => [node, { form, why }])) };
};

/** Float costs 10, conversions nothing, integers what is said. */
const costs = (of: Record<string, number>) => (op: string): number => of[op] ?? 0;

describe('the choice for each operator', () => {
  it('is float where integers are slower and stored weights cost time too', async () => {
    const { forms, chosen } = await formsOf(costs({ Conv: 10, MatMul: 10, MatMulInteger: 30, ConvInteger: 180, QuantizeLinear: 15, Cast: 12 }));
    for (const { form, why } of Object.values(forms)) expect([form, why]).toEqual(['float', expect.stringMatching(/times as long as float/)]);
    expect(forms.first.why).toMatch(/int8-dynamic takes 4\.20 times/);
    expect(encodeModel(chosen.model).byteLength).toBeLessThanOrEqual(encodeModel(model).byteLength);
  });

  it('is stored weights where nothing is faster, because they are smaller', async () => {
    const { forms } = await formsOf(costs({ Conv: 10, MatMul: 10, MatMulInteger: 30, ConvInteger: 180, QuantizeLinear: 15 }));
    for (const { form, why } of Object.values(forms)) expect([form, why]).toEqual(['weight-int8', expect.stringMatching(/as fast as float, and smaller/)]);
  });

  it('is the fastest form, operator by operator', async () => {
    const { forms } = await formsOf((op, node) => ({ Conv: 10, MatMul: node === 'first' ? 10 : 10, MatMulInteger: node === 'first' ? 4 : 30, ConvInteger: 180, QuantizeLinear: 30 })[op] ?? 0);
    expect(forms).toMatchObject({ conv: { form: 'weight-int8' }, depthwise: { form: 'weight-int8' }, first: { form: 'int8-dynamic' }, last: { form: 'weight-int8' } });
    expect(forms.first.why).toMatch(/takes 0\.40 of the time of float/);
  });

  it('lets static operators stand together when the whole is faster so', async () => {
    // Alone a static operator pays for both conversions; next to each other QuantizeLinear is paid once.
    const { backend, now } = timed(() => 0);
    let clock = 0;
    const whole: Backend = { ...backend, async compile(of, options) {
      const executable = await real.compile(of, options);
      const { node } = graphOf(of);
      const quantised = node.filter(({ opType }) => opType === 'QuantizeLinear').length;
      const linear = node.filter(({ opType }) => opType === 'Conv' || opType === 'MatMul').length;
      const cost = linear === 1 ? 10 + 10 * quantised : quantised > 3 ? 10 : 40;
      return { ...executable, dispose: () => executable.dispose(), run: (...given) => { clock += cost; return executable.run(...given); } };
    } };
    expect(now()).toBe(0);
    const { table } = await chooseQuantization(model, whole, runs, { now: () => clock, repeats: 3, reduceRange: false });
    const convs = table.filter(({ operator }) => operator === 'Conv');
    for (const { form, why } of convs) expect([form, why]).toEqual(['int8-static', expect.stringMatching(/static operators next to each other/)]);
  });

  it('gives back what costs too much accuracy, the worst first, and says so', async () => {
    const { forms, chosen } = await formsOf(costs({ Conv: 10, MatMul: 10 }), { candidates: ['weight-int4'], operatorError: 1, totalError: 0.08 });
    expect(chosen.whole!.error).toBeLessThanOrEqual(0.08);
    const floats = Object.values(forms).filter(({ form }) => form === 'float');
    expect(floats.length).toBeGreaterThan(0);
    for (const { why } of floats) expect(why).toMatch(/together the operators moved the output|scales/);
    const { forms: strict } = await formsOf(costs({ Conv: 10, MatMul: 10 }), { operatorError: 1e-9 });
    for (const { form, why } of Object.values(strict)) expect([form, why]).toEqual(['float', expect.stringMatching(/more than the/)]);
  });

  it('listens to what the model is for', async () => {
    const asked: Model[] = [];
    const { backend, now } = timed(costs({ Conv: 10, MatMul: 10 }));
    const isQuantized = (of: Model) => graphOf(of).node.some(({ opType }) => opType === 'Cast' || opType === 'QuantizeLinear');
    const chosen = await chooseQuantization(model, backend, runs, { now, repeats: 3, reduceRange: false, metric: async (of) => { asked.push(of); return isQuantized(of) ? 0.2 : 0.1; } });
    expect(chosen.table.every(({ form }) => form === 'float')).toBe(true);
    expect(chosen.whole).toMatchObject({ metric: 0.1, floatMetric: 0.1 });
    expect(asked.length).toBeGreaterThan(2);
    const lenient = await chooseQuantization(model, backend, runs, { now, repeats: 3, reduceRange: false, metric: async (of) => (isQuantized(of) ? 0.2 : 0.1), metricRise: 0.1001 });
    expect(lenient.table.some(({ form }) => form !== 'float')).toBe(true);
  });

  it('keeps what it was told to keep, and has a sentence for every operator', async () => {
    const { chosen, forms } = await formsOf(costs({ Conv: 10, MatMul: 10 }), { keepFloat: ['conv'] });
    expect(forms.conv).toEqual({ form: 'float', why: 'it was asked to stay in float' });
    expect(chosen.table.map(({ operator }) => operator)).toEqual(graphOf(model).node.map(({ opType }) => opType));
    for (const { why } of chosen.table) expect(why).toMatch(/\w+ \w+ \w+/);
  });

  it('can be replayed from its record: the same bytes, and nothing is timed', async () => {
    const { chosen } = await formsOf(costs({ Conv: 10, MatMul: 10, MatMulInteger: 2 }));
    const record = JSON.parse(JSON.stringify(chosen.record)) as typeof chosen.record;
    const again = await chooseQuantization(model, real, async function* () {}, { replay: record, now: () => { throw new Error('timed'); } });
    expect(encodeModel(again.model)).toEqual(encodeModel(chosen.model));
    const other = { ...record, choices: record.choices.map((choice, k) => (k === 0 ? { ...choice, node: 'stranger' } : choice)) };
    await expect(chooseQuantization(model, real, runs, { replay: other })).rejects.toThrow(/another model: there is no node 'stranger'/);
  });

  it('needs a run', async () => {
    await expect(chooseQuantization(model, real, async function* () {}, {})).rejects.toThrow(/no run/);
  });
});

it('outputError is the relative root mean square of the worst output', () => {
  const of = (...data: number[]): NamedTensors => ({ y: { dtype: 'float32', dims: [data.length], data: Float32Array.from(data) } });
  expect(outputError([of(1, 2, 3)], [of(1, 2, 3)])).toBe(0);
  expect(outputError([of(3, 4)], [of(3, 3)])).toBeCloseTo(1 / Math.sqrt(18), 9);
  expect(outputError([of(Infinity, 1)], [of(Infinity, 1)])).toBe(0);
  expect(outputError([of(Number.NaN)], [of(1)])).toBe(Infinity);
  expect(outputError([of(1)], [of(1, 2)])).toBe(Infinity);
});
