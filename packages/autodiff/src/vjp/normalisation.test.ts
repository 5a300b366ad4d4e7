import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom, gradientName, traceModel, type Loss, type Random } from '@coppice/core';
import { makeInitializer, makeModel, makeNode, makeValueInfo } from '@coppice/graph';
import { between, checkGradient, checkRandomGradients, compute, distinct, uniform, type Array64, type GradientCase } from '@coppice/testkit';
import { describe, expect, it } from 'vitest';
import { differentiate } from '../differentiate.ts';

const backend = wasmBackend();

/** Sizes [N, C, …] of 1 to 4, and the same with another batch and other last sizes. */
function twoShapes(random: Random, rank: number, channels = between(random, 2, 4)): readonly [number[], number[]] {
  const space = Array.from({ length: rank - 2 }, () => between(random, 2, 4));
  const n = between(random, 2, 3);
  return [[n, channels, ...space], [n + 1, channels, ...space.map((size, a) => (a === space.length - 1 ? size + 2 : size))]];
}

/** Scales away from zero. */
const scales = (random: Random, shape: readonly number[]): Array64 => uniform(random, shape, 0.5, 2);

describe('BatchNormalization', () => {
  const operands = (random: Random, shape: readonly number[]) => {
    const c = [shape[1]];
    return [uniform(random, shape), scales(random, c), uniform(random, c), uniform(random, c), scales(random, c)];
  };

  it('goes back with stored statistics, which are constants', async () => {
    await checkRandomGradients('BatchNormalization', 24, backend, (random) => {
      const [shape, again] = twoShapes(random, between(random, 2, 4));
      const inputs = operands(random, shape);
      return { inputs, again: [uniform(random, again), ...inputs.slice(1)], wrt: [0, 1, 2], attributes: { epsilon: 10 ** -between(random, 2, 5) } };
    });
  });

  it('goes back through the statistics of the batch in training, and gives the new running ones', async () => {
    await checkRandomGradients('BatchNormalization', 24, backend, (random) => {
      const [shape, again] = twoShapes(random, between(random, 2, 4));
      const inputs = operands(random, shape);
      const attributes = { epsilon: 10 ** -between(random, 1, 3), momentum: 0.5 + random.uniform() / 2 };
      const forward: GradientCase['forward'] = (list) => compute('BatchNormalization', list, { ...attributes, training_mode: 1 }, 3).slice(0, 1);
      return { inputs, again: [uniform(random, again), ...inputs.slice(1)], wrt: [0, 1, 2], training: true, attributes, forward };
    });
  });

  it('goes back through the statistics of the batch where the file asks for them', async () => {
    await checkRandomGradients('BatchNormalization', 6, backend, (random) => ({ inputs: operands(random, twoShapes(random, 3)[0]), wrt: [0, 1, 2], attributes: { epsilon: 0.01, training_mode: 1 }, results: 3 }));
  });
});

describe('LayerNormalization', () => {
  it('goes back over the last axes, with and without a shift', async () => {
    await checkRandomGradients('LayerNormalization', 24, backend, (random) => {
      const [shape, wider] = twoShapes(random, between(random, 2, 4));
      const axis = between(random, 1, shape.length - 1);
      const again = [wider[0], ...shape.slice(1)];
      const own = shape.slice(axis);
      const vectors = [scales(random, own), ...(random.integer(2) ? [uniform(random, own)] : [])];
      return { inputs: [uniform(random, shape), ...vectors], again: [uniform(random, again), ...vectors], attributes: { axis: random.integer(2) ? axis : axis - shape.length, epsilon: 0.01 } };
    });
  });

  it('goes back over axes whose sizes differ between runs, with one scale', async () => {
    await checkRandomGradients('LayerNormalization', 10, backend, (random) => {
      const [shape, again] = twoShapes(random, 3);
      const scale = [scales(random, [1]), uniform(random, [1])];
      return { inputs: [uniform(random, shape), ...scale], again: [uniform(random, again), ...scale], attributes: { axis: 1, epsilon: 0.01 } };
    });
  });
});

it('RMSNormalization goes back', async () => {
  await checkRandomGradients('RMSNormalization', 20, backend, (random) => {
    const [shape] = twoShapes(random, between(random, 2, 4));
    const axis = between(random, 1, shape.length - 1);
    const scale = scales(random, shape.slice(axis));
    return { inputs: [uniform(random, shape), scale], again: [uniform(random, shape.with(0, shape[0] + 2)), scale], attributes: { axis: random.integer(2) ? axis : axis - shape.length, epsilon: 0.01 } };
  });
});

it('InstanceNormalization goes back', async () => {
  await checkRandomGradients('InstanceNormalization', 24, backend, (random) => {
    const [shape, again] = twoShapes(random, between(random, 3, 4));
    const vectors = [scales(random, [shape[1]]), uniform(random, [shape[1]])];
    return { inputs: [uniform(random, shape), ...vectors], again: [uniform(random, again), ...vectors], attributes: { epsilon: 0.01 } };
  });
});

it('GroupNormalization goes back for one group, some, and as many as channels', async () => {
  await checkRandomGradients('GroupNormalization', 20, backend, (random) => {
    const groups = between(random, 1, 3);
    const [shape, again] = twoShapes(random, between(random, 3, 4), groups * between(random, 1, 3));
    const vectors = [scales(random, [shape[1]]), uniform(random, [shape[1]])];
    return { inputs: [uniform(random, shape), ...vectors], again: [uniform(random, again), ...vectors], attributes: { num_groups: groups, epsilon: 0.01 } };
  });
});

it.each(['Softmax', 'LogSoftmax', 'Hardmax'] as const)('%s goes back along each axis', async (op) => {
  await checkRandomGradients(op, 24, backend, (random) => {
    const [shape, again] = twoShapes(random, between(random, 2, 4));
    return { inputs: [distinct(random, shape)], again: [distinct(random, again)], attributes: { axis: random.integer(2 * shape.length) - shape.length } };
  });
});

it.each([1, 2])('LpNormalization goes back for p = %i', async (p) => {
  await checkRandomGradients('LpNormalization', 16, backend, (random) => {
    const [shape, again] = twoShapes(random, between(random, 2, 4));
    return { inputs: [awayFromZero(random, shape)], again: [awayFromZero(random, again)], attributes: { p, axis: random.integer(2 * shape.length) - shape.length } };
  });
});

it('MeanVarianceNormalization goes back', async () => {
  await checkRandomGradients('MeanVarianceNormalization', 16, backend, (random) => {
    const [shape, again] = twoShapes(random, 4);
    return { inputs: [uniform(random, shape)], again: [uniform(random, again)], ...(random.integer(2) && { attributes: { axes: random.integer(2) ? [2, 3] : [0, -1] } }) };
  });
});

describe('LRN', () => {
  const lrn = (random: Random, size: number): Omit<GradientCase, 'op'> => {
    const [shape, again] = twoShapes(random, 4);
    return { inputs: [uniform(random, shape)], again: [uniform(random, again)], attributes: { size, alpha: 0.3, beta: 0.5 + random.uniform(), bias: 1 + random.uniform() } };
  };

  it('goes back for windows of 1, 3 and 5 channels, wider than there are too', async () => {
    await checkRandomGradients('LRN', 20, backend, (random) => lrn(random, 1 + 2 * random.integer(3)));
  });

  it('goes back for even windows, which ONNX Runtime refuses', async () => {
    for (let k = 0; k < 10; k++) await checkGradient({ op: 'LRN', ...lrn(createRandom(`even ${k}`), 2 + 2 * (k % 2)) });
  });
});

/** Numbers of mixed sign that are not near zero. */
const awayFromZero = (random: Random, shape: readonly number[]): Array64 => {
  const x = uniform(random, shape, 0.2, 1);
  return { ...x, data: x.data.map((a) => (random.integer(2) ? a : -a)) };
};


describe('training with a batch norm', () => {
  const loss: Loss = { name: 'given', reads: ['y'], labels: ['r'], graph: makeModel({ opset: 21, graph: {
    inputs: [makeValueInfo('y', 'float32'), makeValueInfo('r', 'float32')], outputs: [makeValueInfo('loss', 'float32', []), makeValueInfo(gradientName('y'), 'float32')],
    nodes: [makeNode({ op: 'ReduceSum', inputs: ['y'], outputs: ['loss'], attributes: { keepdims: 0 } }), makeNode({ op: 'Identity', inputs: ['r'], outputs: [gradientName('y')] })],
  } }) };
  const stored = { mean: [4, 0], variance: [2, 1] };
  const model = (channels: number) => {
    const vector = (name: string, values: readonly number[]) => makeInitializer(name, 'float32', [channels], values.slice(0, channels));
    return makeModel({ opset: 14, graph: {
      inputs: [makeValueInfo('x', 'float32', ['N', channels])], outputs: [makeValueInfo('y', 'float32')],
      nodes: [makeNode({ op: 'BatchNormalization', inputs: ['x', 'scale', 'shift', 'mean', 'variance'], outputs: ['y'], attributes: { momentum: 0.75 } })],
      initializers: [vector('scale', [1, 2]), vector('shift', [0, 1]), vector('mean', stored.mean), vector('variance', stored.variance)],
    } });
  };

  // ONNX Runtime may overwrite what it reads here: a second run must find everything as it was.
  it.each([['none', 1], ['none', 2], ['all', 1], ['all', 2]] as const)('moves the running statistics towards those of the batch, in each run from where they were (optimised: %s, channels: %i)', async (optimise, channels) => {
    const { model: graph, updates } = differentiate(await traceModel(model(channels), backend), { loss, parameters: ['scale', 'shift'], training: true });
    const executable = await backend.compile(graph, { optimise });
    const tensor = (rows: readonly (readonly number[])[]) => ({ dtype: 'float32' as const, dims: [2, channels], data: Float32Array.from(rows.flatMap((row) => row.slice(0, channels))) });
    for (let run = 0; run < 2; run++) {
      const results = await executable.run({ x: tensor([[0, 1], [2, 5]]), r: tensor([[1, 1], [1, 1]]) });
      // Of the batch: means [1, 3], variances [1, 4].
      expect(Array.from(results[updates.get('mean')!].data as Float32Array)).toEqual([3.25, 0.75].slice(0, channels));
      expect(Array.from(results[updates.get('variance')!].data as Float32Array)).toEqual([1.75, 1.75].slice(0, channels));
    }
    await executable.dispose();
  });
});
