import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { nativeBackend, wasmBackend } from '@coppice/backend-onnx';
import { createRandom, cutModel, findUnits, traceModel, verifyCut, type NamedTensors } from '@coppice/core';
import { checkModel, contribOperators, encodeModel, graphOf, makeGraph, makeInitializer, makeModel, makeNode, makeValueInfo, operators, type Model } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { buildCase, givenBackend, randomPlan, randomRecipe } from '@coppice/testkit';
import { describe, expect, it } from 'vitest';
import { outputError, outputsOf } from './choose/compare.ts';
import { quantize, type QuantizationMode, type QuantizeOptions } from './quantize.ts';
import { saturates } from './saturation.ts';
import { contribQuantisation, formsOf, isAbsent, quantisation } from './table/forms.ts';

const native = nativeBackend();
const hasNative = await native.info().then(() => true, () => false);
const backend = hasNative ? native : wasmBackend();
const modes: readonly QuantizationMode[] = ['int8-static', 'int8-dynamic', 'weight-int8', 'weight-int4'];
const shared = new URL('../../../../shared/', import.meta.url);
const has = existsSync(new URL('zoo/', shared));

const random = createRandom('quantize');
const weight = (name: string, dims: readonly number[], scale = 1) => makeInitializer(name, 'float32', dims, Float32Array.from({ length: dims.reduce((p, n) => p * n, 1) }, () => random.normal() * scale));
const normal = (dims: readonly number[]): NamedTensors[string] => ({ dtype: 'float32', dims, data: Float32Array.from({ length: dims.reduce((p, n) => p * n, 1) }, () => random.normal()) });
const runsOf = (...inputs: readonly NamedTensors[]) => async function* () { yield* inputs; };

/** An embedding, a GRU, an LSTM and a dense layer, wide enough for weights to be nearly all of the file. */
const recurrent = makeModel({ opset: 17, graph: {
  inputs: [makeValueInfo('x', 'float32', ['time', 'batch', 96]), makeValueInfo('word', 'int64', ['batch'])], outputs: [makeValueInfo('y', 'float32'), makeValueInfo('embedded', 'float32')],
  initializers: [
    weight('table', [500, 64]), weight('W', [2, 288, 96], 0.1), weight('R', [2, 288, 96], 0.1), weight('B', [2, 576], 0.1), weight('W2', [1, 512, 192], 0.1), weight('R2', [1, 512, 128], 0.1), weight('out', [128, 40], 0.1),
    makeInitializer('shape', 'int64', [3], [0, 0, -1]), makeInitializer('axis', 'int64', [1], [1]),
  ],
  nodes: [
    makeNode({ op: 'Gather', name: 'embed', inputs: ['table', 'word'], outputs: ['embedded'] }),
    makeNode({ op: 'GRU', name: 'gru', inputs: ['x', 'W', 'R', 'B'], outputs: ['g'], attributes: { hidden_size: 96, direction: 'bidirectional', linear_before_reset: 1 } }),
    makeNode({ op: 'Transpose', inputs: ['g'], outputs: ['gt'], attributes: { perm: [0, 2, 1, 3] } }), makeNode({ op: 'Reshape', inputs: ['gt', 'shape'], outputs: ['gr'] }),
    makeNode({ op: 'LSTM', name: 'lstm', inputs: ['gr', 'W2', 'R2'], outputs: ['l'], attributes: { hidden_size: 128 } }), makeNode({ op: 'Squeeze', inputs: ['l', 'axis'], outputs: ['ls'] }),
    makeNode({ op: 'MatMul', name: 'dense', inputs: ['ls', 'out'], outputs: ['y'] }),
  ],
} });
const recurrentInputs: NamedTensors = { x: normal([7, 2, 96]), word: { dtype: 'int64', dims: [2], data: BigInt64Array.of(3n, 499n) } };

describe('a model with recurrent layers', () => {
  it('takes at most 0.27 of its bytes in int8, whatever the mode, and says what became of each layer', async () => {
    const expected = await outputsOf(recurrent, backend, [recurrentInputs]);
    const forms: Record<string, Record<string, string>> = {};
    for (const mode of modes) {
      const { model, table, bytesAfter, bytesBefore } = await quantize(recurrent, backend, runsOf(recurrentInputs), { mode });
      checkModel(model);
      expect(bytesAfter).toBe(encodeModel(model).byteLength);
      expect(bytesAfter / bytesBefore, mode).toBeLessThanOrEqual(mode === 'weight-int4' ? 0.2 : 0.27);
      expect(outputError(await outputsOf(model, backend, [recurrentInputs]), expected), mode).toBeLessThan(mode === 'weight-int4' ? 0.2 : 0.03);
      forms[mode] = Object.fromEntries(table.filter(({ bytesBefore: bytes }) => bytes > 0).map(({ node, form }) => [node, form]));
      expect(table.find(({ node }) => node === 'gru')!.why).toMatch(mode.startsWith('int8') ? /recurrent kernel|LSTM only/ : /stored/);
    }
    expect(forms).toEqual({
      'int8-static': { embed: 'weight-int8', gru: 'weight-int8', lstm: 'int8-dynamic', dense: 'int8-static' },
      'int8-dynamic': { embed: 'weight-int8', gru: 'weight-int8', lstm: 'int8-dynamic', dense: 'int8-dynamic' },
      'weight-int8': { embed: 'weight-int8', gru: 'weight-int8', lstm: 'weight-int8', dense: 'weight-int8' },
      'weight-int4': { embed: 'weight-int4', gru: 'weight-int4', lstm: 'weight-int4', dense: 'weight-int4' },
    });
  });

  it('stores the same numbers by DequantizeLinear, one axis of scales at a time', async () => {
    const expected = await outputsOf(recurrent, backend, [recurrentInputs]);
    for (const mode of ['weight-int8', 'weight-int4'] as const) {
      const { model } = await quantize(recurrent, backend, runsOf(recurrentInputs), { mode, weightsAs: 'dequantize' });
      expect(graphOf(model).node.filter(({ opType }) => opType === 'DequantizeLinear').length).toBe(5);
      expect(outputError(await outputsOf(model, backend, [recurrentInputs]), expected)).toBeLessThan(mode === 'weight-int4' ? 0.2 : 0.03);
    }
  });

  it('leaves recurrent layers in float when asked', async () => {
    const { table } = await quantize(recurrent, backend, runsOf(recurrentInputs), { mode: 'int8-static', recurrent: 'float', keepFloat: ['dense'] });
    expect(table.filter(({ node }) => ['gru', 'lstm', 'dense'].includes(node)).map(({ form }) => form)).toEqual(['float', 'float', 'float']);
  });
});

describe('what cannot be quantised', () => {
  const product = (w: Float32Array, dims = [16, 16]): Model => makeModel({ opset: 17, graph: {
    inputs: [makeValueInfo('x', 'float32', ['n', 16])], outputs: [makeValueInfo('y', 'float32')], initializers: [makeInitializer('W', 'float32', dims, w)],
    nodes: [makeNode({ op: 'MatMul', name: 'layer', inputs: ['x', 'W'], outputs: ['y'] })],
  } });
  const good = product(Float32Array.from({ length: 256 }, (_, k) => Math.sin(k)));
  const run = { x: normal([3, 16]) };

  it('is refused by name', async () => {
    const bad: [Model, NamedTensors, Partial<QuantizeOptions>, RegExp][] = [
      [product(new Float32Array(256).fill(Number.NaN)), run, {}, /MatMul 'layer': its weight 'W' has elements that are infinite or not a number/],
      [product(Float32Array.from({ length: 256 }, (_, k) => (k === 255 ? Infinity : 1))), run, { mode: 'weight-int8' }, /its weight 'W'/],
      [good, run, { keepFloat: ['layr'] }, /No node is named 'layr'/],
      [good, run, { keepFloat: ['layer'] }, /asked to stay in float/],
      [good, run, { mode: 'int9' as 'int8-static' }, /There is no mode 'int9'. Choose int8-static/],
      [good, run, { blockSize: 33 }, /Blocks of 33/],
      [makeModel({ opset: 17, graph: { inputs: [makeValueInfo('x', 'float32', [2])], outputs: [makeValueInfo('y', 'float32')], nodes: [makeNode({ op: 'Relu', inputs: ['x'], outputs: ['y'] })] } }), { x: normal([2]) }, {}, /None has constant weights/],
    ];
    for (const [model, inputs, options, message] of bad) await expect(quantize(model, backend, runsOf(inputs), { mode: 'int8-static', ...options })).rejects.toThrow(message);
    await expect(quantize(good, backend, runsOf(), { mode: 'int8-static' })).rejects.toThrow(/no run to calibrate/);
  });

  it('because of its range becomes stored weights, and the table says why', async () => {
    const larger = product(Float32Array.from({ length: 16 * 64 }, (_, k) => Math.sin(k)), [16, 64]);
    const nothing = { x: { dtype: 'float32', dims: [2, 16], data: new Float32Array(32) } } as const;
    const infinite = { x: { dtype: 'float32', dims: [2, 16], data: new Float32Array(32).fill(Infinity) } } as const;
    for (const [input, why] of [[nothing, /zero in all calibration runs/], [infinite, /infinite or not a number/]] as const) {
      const { table } = await quantize(larger, backend, runsOf(input), { mode: 'int8-static' });
      expect(table[0]).toMatchObject({ form: 'weight-int8', why: expect.stringMatching(why) });
    }
  });

  it('is in the body of another node when it is static: its weights are stored', async () => {
    const body = (sign: number) => makeGraph({ inputs: [], outputs: [makeValueInfo('r', 'float32')], initializers: [weight('V', [16, 32], sign)], nodes: [makeNode({ op: 'MatMul', name: `inner${sign > 0 ? 1 : 2}`, inputs: ['x', 'V'], outputs: ['r'] })] });
    const model = makeModel({ opset: 17, graph: { inputs: [makeValueInfo('x', 'float32', ['n', 16]), makeValueInfo('c', 'bool', [])], outputs: [makeValueInfo('y', 'float32')], nodes: [makeNode({ op: 'If', name: 'if', inputs: ['c'], outputs: ['y'], attributes: { then_branch: body(1), else_branch: body(-1) } })] } });
    const inputs: NamedTensors = { ...run, c: { dtype: 'bool', dims: [], data: Uint8Array.of(1) } };
    const { model: small, table } = await quantize(model, backend, runsOf(inputs), { mode: 'int8-static' });
    expect(table.filter(({ operator }) => operator === 'MatMul').map(({ form, why }) => [form, why.slice(0, 40)])).toEqual([['weight-int8', 'it is in the body of another node, where'], ['weight-int8', 'it is in the body of another node, where']]);
    expect(encodeModel(small).byteLength).toBeLessThan(0.6 * encodeModel(model).byteLength);
    expect(outputError(await outputsOf(small, backend, [inputs]), await outputsOf(model, backend, [inputs]))).toBeLessThan(0.02);
  });
});

describe('the table of operators', () => {
  it('has a row or a sentence for every operator of both domains', () => {
    expect(Object.keys(quantisation).sort()).toEqual(Object.keys(operators).sort());
    expect(Object.keys(contribQuantisation).sort()).toEqual(Object.keys(contribOperators).sort());
    for (const row of [...Object.values(quantisation), ...Object.values(contribQuantisation)]) if (isAbsent(row)) expect(row.absent).toMatch(/^\w+( \w+)+/);
    expect(formsOf('no.such', 'Op')).toEqual({ absent: 'Coppice does not know the operator' });
  });
});

describe('saturation of uint8 × int8 products', () => {
  it('is tried on the backend: exact sums are right, pairs in 16 bits are not, and a backend without them is not trusted', async () => {
    const sums = (value: number) => givenBackend(() => ({ y: { dtype: 'int32', dims: [4, 16], data: new Int32Array(64).fill(value) } }));
    expect(await saturates(sums(255 * 127 * 64))).toBe(false);
    expect(await saturates(sums(32767 * 32))).toBe(true);
    expect(await saturates({ ...sums(0), compile: async () => { throw new Error('no integers'); } })).toBe(true);
    expect(await saturates(wasmBackend())).toBe(false);
  });

  it('costs one bit of the weights', async () => {
    const { model } = await quantize(recurrent, backend, runsOf(recurrentInputs), { mode: 'int8-static', reduceRange: true });
    const q = graphOf(model).initializer.find(({ name }) => name === 'out/int8')!;
    expect(Math.max(...new Int8Array(q.rawData).map(Math.abs))).toBe(63);
  });
});

/** Removes random units of a model and compares with the masked original. */
async function expectCut(model: Model, seed: string, options: Parameters<typeof traceModel>[2] = {}): Promise<boolean> {
  const units = findUnits(await traceModel(model, backend, options));
  const removed = randomPlan(units, createRandom(seed));
  if (removed.length === 0) return false;
  const verdict = await verifyCut(units, removed, cutModel(units, removed), backend);
  expect(verdict.worst, seed).toMatchObject({ finite: true });
  expect(verdict.equal, `${seed}: ${verdict.worst.output} ${verdict.worst.relative}`).toBe(true);
  return true;
}

describe('pruning', () => {
  it('works after quantising, and quantising after pruning, on random graphs in every mode', async () => {
    let cuts = 0;
    for (let seed = 2000; seed < 2005; seed++) {
      const recipe = randomRecipe(seed);
      const { model } = buildCase(recipe);
      const trace = await traceModel(model, backend, { dims: recipe.dims, seed }).catch(() => undefined);
      if (!trace) continue;
      const inputs = trace.runs.map((r) => r.inputs);
      for (const mode of modes) {
        const options = { mode, weightsAs: seed % 2 ? 'cast' : 'dequantize' } as const;
        const small = await quantize(model, backend, runsOf(...inputs), options).catch(() => undefined);
        if (small && await expectCut(small.model, `${seed}/${mode}`, { dims: recipe.dims, seed })) cuts++;
      }
      const units = findUnits(trace);
      const slim = cutModel(units, randomPlan(units, createRandom(`${seed}/slim`)));
      const both = await quantize(slim, backend, runsOf(...inputs), { mode: 'int8-static' }).catch(() => undefined);
      if (both) expect(outputError(await outputsOf(both.model, backend, inputs), await outputsOf(slim, backend, inputs))).toBeLessThan(0.4);
    }
    expect(cuts).toBeGreaterThan(5);
  });

  it.skipIf(!has)('works on an exported QDQ model, before and after its LSTM is quantised too', async () => {
    const model = readModel(fileURLToPath(new URL('zoo/16a_crnn_int8_qdq.onnx', shared)));
    const trace = await traceModel(model, backend);
    const { model: small, table } = await quantize(model, backend, runsOf(...trace.runs.map((r) => r.inputs)), { mode: 'int8-dynamic' });
    expect(table.filter(({ form }) => form !== 'float').map(({ operator }) => operator)).toEqual(['LSTM']);
    expect(table.find(({ operator }) => operator === 'MatMul')!.why).toMatch(/few bits already/);
    await expectCut(model, '16a');
    await expectCut(small, '16a quantised');
  });
});
