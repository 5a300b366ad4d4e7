import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom, type Random } from '@coppice/core';
import type { OperatorName } from '@coppice/graph';
import { between, checkGradient, checkRandomGradients, compute, distinct, EagerEmit, integers, uniform, type Array64 } from '@coppice/testkit';
import { describe, expect, it } from 'vitest';
import type { Value } from '../emit.ts';
import type { Rule } from '../vjp.ts';
import { reduction } from './reduction.ts';

const backend = wasmBackend();

const positive = (random: Random, shape: readonly number[]): Array64 => uniform(random, shape, 0.3, 2);

/** The gradient of Σ y of a reduction over axis 1, where finite differences say nothing for there is a kink. */
function ofOnes<N extends 'ReduceL2' | 'ReduceMax'>(rule: Rule<N>, op: N, x: Array64): number[] {
  const emit = new EagerEmit();
  const data = emit.hold(x);
  const axes = emit.hold(integers([1]));
  const attributes = { keepdims: 1, noop_with_empty_axes: 0 };
  const reduced = emit.hold(compute(op, [x, integers([1])], attributes, 1)[0]);
  const dY = emit.expand(emit.scalar(1), reduced.shape as number[]);
  const call = { op, attributes, legacy: {}, inputs: { data, axes }, outputs: { reduced }, constants: { axes: [1] }, training: false, wants: () => true, emit, dY, gradients: {} };
  return [...emit.read((rule(call as unknown as Parameters<Rule<N>>[0]) as unknown as { data: () => Value }).data()).data];
}

/** Sizes of some axes, and the same where some differ. */
const twoShapes = (random: Random): readonly [number[], number[]] => {
  const shape = Array.from({ length: between(random, 1, 4) }, () => between(random, 2, 4));
  return [shape, shape.map((size) => (random.integer(3) === 0 ? size + 1 : size))];
};

describe('reductions', () => {
  const values: Partial<Record<OperatorName, typeof positive>> = { ReduceLogSum: positive, ReduceProd: positive };

  it.each(['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceL1', 'ReduceL2', 'ReduceSumSquare', 'ReduceLogSum', 'ReduceLogSumExp'] as const)('%s goes back over any axes, listed, missing or empty, kept or not', async (op) => {
    const draw = values[op] ?? distinct;
    await checkRandomGradients(op, 20, backend, (random) => {
      const [shape, again] = twoShapes(random);
      const some = random.shuffle(shape.map((_, axis) => axis)).slice(0, between(random, 1, shape.length)).map((axis) => (random.integer(2) ? axis : axis - shape.length));
      const axes = [integers(some), undefined, integers([])][Math.max(0, random.integer(6) - 3)];
      return { inputs: [draw(random, shape), axes], again: [draw(random, again), axes], attributes: { keepdims: random.integer(2) } };
    });
  });

  it.each(['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceProd'] as const)('%s over no axes is the identity', async (op) => {
    const random = createRandom(op);
    await checkGradient({ op, inputs: [distinct(random, [2, 3])], attributes: { noop_with_empty_axes: 1 } }, backend);
    await checkGradient({ op, inputs: [distinct(random, [2, 3]), integers([])], attributes: { noop_with_empty_axes: 1, keepdims: 0 } }, backend);
  });

  it('refuses a norm over no axes, on which runtimes disagree, and axes that are computed', async () => {
    const x = distinct(createRandom('refused'), [2, 3]);
    await expect(checkGradient({ op: 'ReduceL2', inputs: [x], attributes: { noop_with_empty_axes: 1 } })).rejects.toThrow('do not agree');
    await expect(checkGradient({ op: 'ReduceSum', inputs: [x, integers([1])], fed: [1] })).rejects.toThrow('computed from data');
  });

  it.each([
    ['one zero', [0, 0.5, -2, 3]], ['two zeros', [0, 0.5, 0, 3]], ['none', [1, 0.5, -1, 3]],
  ])('ReduceProd goes back through %s', async (_, data) => {
    await checkGradient({ op: 'ReduceProd', inputs: [{ shape: [1, 4], type: 'float', data: Float64Array.from(data) }, integers([1])] }, backend);
  });

  it('ReduceL2 goes back through a vector of zeros as zero', async () => {
    const x: Array64 = { shape: [2, 2], type: 'float', data: Float64Array.of(0, 0, 0, -4) };
    expect(ofOnes(reduction.ReduceL2, 'ReduceL2', x)).toEqual([0, 0, 0, -1]);
  });

  it('winners that are equal share', async () => {
    const x: Array64 = { shape: [1, 4], type: 'float', data: Float64Array.of(2, 1, 2, 0) };
    expect(ofOnes(reduction.ReduceMax, 'ReduceMax', x)).toEqual([0.5, 0, 0.5, 0]);
  });
});

it.each(['ArgMax', 'ArgMin'] as const)('nothing flows back into %s, whose result is a number of an element', async (op) => {
  for (let k = 0; k < 6; k++) {
    const random = createRandom(`${op} ${k}`);
    const [shape] = twoShapes(random);
    await checkGradient({ op, inputs: [distinct(random, shape)], attributes: { axis: random.integer(2 * shape.length) - shape.length, keepdims: random.integer(2) } });
  }
});

it('TopK sends back what flows to where each element came from', async () => {
  await checkRandomGradients('TopK', 24, backend, (random) => {
    const [shape, again] = twoShapes(random);
    const axis = random.integer(2 * shape.length) - shape.length;
    const k = integers([between(random, 1, shape.at(axis % shape.length)!)]);
    return { inputs: [distinct(random, shape), k], again: [distinct(random, again), k], results: 2, attributes: { axis, largest: random.integer(2) } };
  });
});
