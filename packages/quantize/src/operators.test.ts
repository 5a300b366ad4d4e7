import { nativeBackend, wasmBackend } from '@coppice/backend-onnx';
import { createRandom, type Backend, type NamedTensors, type Random } from '@coppice/core';
import { checkModel, graphOf, makeInitializer, makeModel, makeNode, makeValueInfo, readTensor, toFloat32, withFields, type Model, type NodeProto, type Tensor } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { outputsOf } from './choose/compare.ts';
import { quantize, type QuantizationMode } from './quantize.ts';

const backend = wasmBackend();
const native = nativeBackend();
const hasNative = await native.info().then(() => true, () => false);

/** A model of one linear operator y = f(x, W, b), and what its weight is. */
interface Case {
  readonly model: Model;
  readonly node: NodeProto;
  readonly x: Tensor;
  /** The axis of W that keeps its scales. */
  readonly axis: number;
}

const tensor = (random: Random, dims: readonly number[], scale = 1): Tensor => ({ dtype: 'float32', dims, data: Float32Array.from({ length: dims.reduce((p, n) => p * n, 1) }, () => random.normal() * scale) });

function oneNode(random: Random, op: string, x: Tensor, w: readonly number[], bias: readonly number[] | undefined, attributes: Record<string, number | number[] | { float: number }>, axis: number): Case {
  // Channels of very different sizes are what scales for each channel are for; one of zeros has none.
  const data = tensor(random, w).data as Float32Array;
  const strides = w.slice(axis + 1).reduce((p, n) => p * n, 1);
  data.forEach((_, k) => { data[k] *= [1, 0.01, 30, 0.3][Math.floor(k / strides) % w[axis] % 4]; });
  if (random.uniform() < 0.2) data.forEach((_, k) => { if (Math.floor(k / strides) % w[axis] === 0) data[k] = 0; });
  const node = makeNode({ op, name: 'layer', inputs: bias ? ['x', 'W', 'b'] : ['x', 'W'], outputs: ['y'], attributes });
  const model = makeModel({ opset: random.integer(2) ? 17 : 13, graph: {
    inputs: [makeValueInfo('x', 'float32', x.dims.map((_, k) => `d${k}`))], outputs: [makeValueInfo('y', 'float32')], nodes: [node],
    initializers: [makeInitializer('W', 'float32', w, data), ...(bias ? [makeInitializer('b', 'float32', bias, tensor(random, bias, 2).data)] : [])],
  } });
  return { model, node, x, axis };
}

const makers: Readonly<Record<string, (random: Random) => Case>> = {
  Conv(random) {
    const groups = 1 + random.integer(3);
    const [ins, outs, k, spatial] = [groups * (2 + random.integer(4)), groups * (4 + random.integer(4)), 1 + random.integer(3), 1 + random.integer(2)];
    const kernel = Array.from({ length: spatial }, () => k);
    const strides = kernel.map(() => 1 + random.integer(2));
    return oneNode(random, 'Conv', tensor(random, [2, ins, ...kernel.map(() => 7 + random.integer(4))], 3), [outs, ins / groups, ...kernel], random.uniform() < 0.7 ? [outs] : undefined, { group: groups, pads: [...kernel, ...kernel].map(() => random.integer(k)), strides }, 0);
  },
  ConvTranspose(random) {
    const groups = 1 + random.integer(2);
    const [ins, outs, k] = [groups * (3 + random.integer(3)), 12 + random.integer(9), 3 + random.integer(3)];
    return oneNode(random, 'ConvTranspose', tensor(random, [2, ins, 6 + random.integer(4)]), [ins, outs, k], random.uniform() < 0.7 ? [outs * groups] : undefined, { group: groups, strides: [1 + random.integer(2)] }, 1);
  },
  MatMul(random) {
    const [inner, columns] = [8 + random.integer(9), 8 + random.integer(9)];
    return oneNode(random, 'MatMul', tensor(random, [...(random.integer(2) ? [2] : []), 5, inner]), [inner, columns], undefined, {}, 1);
  },
  Gemm(random) {
    const [inner, columns, transB] = [8 + random.integer(9), 8 + random.integer(9), random.integer(2)];
    return oneNode(random, 'Gemm', tensor(random, [5, inner]), transB ? [columns, inner] : [inner, columns], random.uniform() < 0.7 ? [[columns], [1, columns], [1]][random.integer(3)] : undefined, { transB, alpha: { float: [1, 0.5][random.integer(2)] }, beta: { float: [1, 2][random.integer(2)] } }, transB ? 0 : 1);
  },
};

const runsOf = (x: Tensor) => async function* (): AsyncGenerator<NamedTensors> { yield { x }; };
const run = async (model: Model, x: Tensor, on: Backend = backend): Promise<Float32Array> => toFloat32((await outputsOf(model, on, [{ x }]))[0].y);
const initializer = (model: Model, name: string): Tensor => readTensor(model, graphOf(model).initializer.find((t) => t.name === name)!);
const sizes = (x: Tensor): Tensor => ({ ...x, data: (x.data as Float32Array).map(Math.abs) });
const filled = ({ dims, data }: Tensor, value: number): Tensor => ({ dtype: 'float32', dims, data: new Float32Array(data.length).fill(value) });

/** The same node with other weights and no bias, and positive factors. */
function withWeights({ model, node }: Case, data: Float32Array): Model {
  const graph = graphOf(model);
  const w = graph.initializer.find(({ name }) => name === 'W')!;
  return { ...model, proto: withFields(model.proto, { graph: withFields(graph, { node: [withFields(node, { input: ['x', 'W'] })], initializer: [makeInitializer('W', 'float32', w.dims.map(Number), data)] }) }) };
}

/** The scale of each element of W, from what the quantised model stores. */
function scaleOfEach({ model, axis }: Case, quantised: Model): Float32Array {
  const { dims } = initializer(model, 'W');
  const scales = initializer(quantised, 'W/scale').data as Float32Array;
  const strides = dims.slice(axis + 1).reduce((p, n) => p * n, 1);
  return Float32Array.from({ length: dims.reduce((p, n) => p * n, 1) }, (_, k) => scales[Math.floor(k / strides) % dims[axis]]);
}

/** Slow reference for the stored weight: the largest size in each channel over 127, ties to even. */
function expectedWeight(w: Tensor, axis: number, times: number): { q: number[]; scales: number[] } {
  const strides = w.dims.slice(axis + 1).reduce((p, n) => p * n, 1);
  const channel = (k: number) => Math.floor(k / strides) % w.dims[axis];
  const data = (w.data as Float32Array).map((v) => v * times);
  const scales = Array.from({ length: w.dims[axis] }, (_, c) => Math.fround(data.reduce((most, v, k) => (channel(k) === c ? Math.max(most, Math.abs(v)) : most), 0) / 127) || 1);
  const even = (x: number): number => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));
  return { q: Array.from(data, (v, k) => even(v / scales[channel(k)]) + 0), scales };
}

const alphaOf = ({ node }: Case): number => node.attribute.find(({ name }) => name === 'alpha')?.f ?? 1;

describe('a quantised operator', () => {
  for (const [op, make] of Object.entries(makers)) for (const mode of ['int8-static', 'int8-dynamic', 'weight-int8'] as const satisfies QuantizationMode[]) {
    it(`${op} in ${mode} stays within the bound that its scales imply`, async () => {
      let quantised = 0;
      for (let seed = 0; seed < 12; seed++) {
        const one = make(createRandom(`${op}/${seed}`));
        const { x, model } = one;
        const weights = initializer(model, 'W');
        const result = await quantize(model, backend, runsOf(x), { mode, convInteger: true }).catch((error: Error) => error);
        if (result instanceof Error) {
          // Weights of a few elements stay as they are where there is no integer form.
          expect(result.message).toMatch(/too few/);
          continue;
        }
        checkModel(result.model);
        quantised++;
        const [{ form }] = result.table.filter(({ node }) => node === 'layer');
        const folded = form === 'int8-static' || (form === 'int8-dynamic' && op === 'Gemm') ? alphaOf(one) : 1;
        const transposed = form === 'int8-dynamic' && op === 'Gemm' && one.axis === 0;
        if (!transposed) {
          const expected = expectedWeight(weights, one.axis, folded);
          expect(Array.from(initializer(result.model, 'W/int8').data as Int8Array), `seed ${seed}`).toEqual(expected.q);
          expect(Array.from(initializer(result.model, 'W/scale').data as Float32Array)).toEqual(expected.scales);
        }
        const { axis } = one;
        const stepW = transposed ? expectedWeight(weights, axis, folded).scales : undefined;
        const strides = weights.dims.slice(axis + 1).reduce((p, n) => p * n, 1);
        const scaleW = (stepW ? Float32Array.from(weights.data as Float32Array, (_, k) => stepW[Math.floor(k / strides) % weights.dims[axis]]) : scaleOfEach(one, result.model)).map((s) => s / folded);
        const range = (x.data as Float32Array).reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [0, 0]);
        const scaleX = form === 'weight-int8' ? 0 : (range[1] - range[0]) / 255;
        // |ŷ − y| ≤ Σ |x|·|ΔW| + Σ |Δx|·(|W| + |ΔW|), |ΔW| ≤ scale/2, |Δx| ≤ scale (half of it, and half where the zero point was rounded).
        const half = scaleW.map((s) => s * 0.501);
        const fromWeights = await run(withWeights(one, half), sizes(x));
        const fromInput = await run(withWeights(one, (weights.data as Float32Array).map((w, k) => Math.abs(w) + half[k])), filled(x, scaleX));
        const [got, expected] = [await run(result.model, x), await run(model, x)];
        const spread = expected.reduce(([low, high], y) => [Math.min(low, y), Math.max(high, y)], [0, 0]);
        const scaleY = form === 'int8-static' && op === 'Conv' ? (spread[1] - spread[0]) / 255 : 0;
        const biasStep = form === 'int8-static' ? scaleX * Math.max(...scaleW) : 0;
        const size = expected.reduce((most, y) => Math.max(most, Math.abs(y)), 0);
        expect(got.length).toBe(expected.length);
        got.forEach((y, k) => expect(Math.abs(y - expected[k]), `${op} ${mode} seed ${seed} element ${k}`).toBeLessThanOrEqual(fromWeights[k] + fromInput[k] + 1.01 * scaleY + biasStep + 1e-4 * size));
        // And something was done: the numbers are not those of float.
        if (size > 0) expect(got.some((y, k) => y !== expected[k])).toBe(true);
      }
      expect(quantised).toBeGreaterThan(3);
    });
  }

  it('has the int32 bias that the pattern wants: round(b / (scale(x)·scale(W)))', async () => {
    for (let seed = 0; seed < 15; seed++) {
      for (const op of ['Conv', 'Gemm'] as const) {
        const one = makers[op](createRandom(`bias/${seed}`));
        if (!graphOf(one.model).initializer.some(({ name }) => name === 'b')) continue;
        const { model } = await quantize(one.model, backend, runsOf(one.x), { mode: 'int8-static' });
        const [scaleX] = initializer(model, 'x/scale').data as Float32Array;
        const scaleW = initializer(model, 'W/scale').data as Float32Array;
        const bias = initializer(one.model, 'b').data as Float32Array;
        const beta = one.node.attribute.find(({ name }) => name === 'beta')?.f ?? 1;
        expect(Array.from(initializer(model, 'b/scale').data as Float32Array)).toEqual(Array.from(scaleW, (s) => Math.fround(s * scaleX)));
        const q = Array.from(initializer(model, 'b/int32').data as Int32Array);
        q.forEach((n, c) => expect(Math.abs(n - (beta * bias[bias.length === 1 ? 0 : c]) / Math.fround(scaleW[c] * scaleX))).toBeLessThanOrEqual(0.501));
      }
    }
  });

  it('keeps a bias within int32 even when its channel is tiny', async () => {
    const one = makers.Conv(createRandom('overflow'));
    const graph = graphOf(one.model);
    const dims = graph.initializer[0].dims.map(Number);
    const weights = (initializer(one.model, 'W').data as Float32Array).map((w, k) => (k < dims.slice(1).reduce((p, n) => p * n, 1) ? w * 1e-12 : w));
    const model: Model = { ...one.model, proto: withFields(one.model.proto, { graph: withFields(graph, { node: [withFields(one.node, { input: ['x', 'W', 'b'] })], initializer: [makeInitializer('W', 'float32', dims, weights), makeInitializer('b', 'float32', [dims[0]], new Float32Array(dims[0]).fill(5))] }) }) };
    const quantised = (await quantize(model, backend, runsOf(one.x), { mode: 'int8-static' })).model;
    const [got, expected] = [await run(quantised, one.x), await run(model, one.x)];
    const size = expected.reduce((most, y) => Math.max(most, Math.abs(y)), 0);
    got.forEach((y, k) => expect(Math.abs(y - expected[k])).toBeLessThan(0.05 * size));
  });

  it.skipIf(!hasNative)('says the same natively and in WebAssembly', async () => {
    for (const [op, make] of Object.entries(makers)) for (const mode of ['int8-static', 'int8-dynamic', 'weight-int8', 'weight-int4'] as const) {
      const { model, x } = make(createRandom(`agree/${op}`));
      const result = await quantize(model, backend, runsOf(x), { mode, convInteger: true }).catch(() => undefined);
      if (!result) continue;
      const [a, b] = [await run(result.model, x), await run(result.model, x, native)];
      const size = a.reduce((most, y) => Math.max(most, Math.abs(y)), 0);
      // One step of the output, where a rounding falls on the other side.
      a.forEach((y, k) => expect(Math.abs(y - b[k]), `${op} ${mode}`).toBeLessThanOrEqual(size * (mode === 'int8-static' ? 2 / 255 : 1e-5)));
    }
  });
});
