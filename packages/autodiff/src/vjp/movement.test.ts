import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom, type Random } from '@coppice/core';
import type { OperatorName } from '@coppice/graph';
import { array, checkGradient, integers, integersBelow, uniform, type GradientCase } from '@coppice/testkit';
import { describe, expect, it } from 'vitest';

const backend = wasmBackend();
const among = <T>(random: Random, items: readonly T[]): T => items[random.integer(items.length)];
const shapeOf = (random: Random, rank: number): number[] => Array.from({ length: rank }, () => 1 + random.integer(4));

/** Many random cases in float64, the first few also on the runtime. */
function checks(op: OperatorName, cases: number, onRuntime: number, draw: (random: Random, k: number) => Omit<GradientCase, 'op'>): void {
  it(op, async () => {
    const random = createRandom(op);
    for (let k = 0; k < cases; k++) await checkGradient({ op, ...draw(random, k) }, k < onRuntime ? backend : undefined);
  });
}

describe('the gradient of an operator that moves elements', () => {
  checks('Transpose', 30, 6, (random) => {
    const shape = shapeOf(random, 1 + random.integer(4));
    const perm = random.shuffle(shape.map((_, axis) => axis));
    return { attributes: { perm: random.integer(4) === 0 ? undefined : perm }, inputs: [uniform(random, shape)], again: [uniform(random, [shape[0] + 2, ...shape.slice(1)])] };
  });

  checks('Reshape', 30, 8, (random, k) => {
    const [a, b, c] = shapeOf(random, 3);
    const [from, to] = among(random, [[[a, b, c], [0, -1]], [[a, b * c], [-1, b, c]], [[a * 2, b, c], [2, -1, b * c]], [[a, b, c], [-1]], [[a, 1, b], [0, b]]]);
    const open = uniform(random, [from[0] * 3, ...from.slice(1)]);
    return k % 2 === 0 ? { inputs: [uniform(random, from), integers(to)], again: [open, integers(to)] } : { inputs: [uniform(random, from), integers(to)], fed: [1] };
  });

  it('Reshape where two sizes are open', async () => {
    const random = createRandom('two');
    await checkGradient({ op: 'Reshape', inputs: [uniform(random, [2, 3, 4]), integers([0, 0, 2, 2])], again: [uniform(random, [5, 2, 4]), integers([0, 0, 2, 2])] }, backend);
  });

  checks('Flatten', 20, 4, (random) => {
    const shape = shapeOf(random, 1 + random.integer(4));
    return { attributes: { axis: random.integer(2 * shape.length + 1) - shape.length }, inputs: [uniform(random, shape)], again: [uniform(random, [shape[0] + 3, ...shape.slice(1)])] };
  });

  checks('Squeeze', 20, 4, (random, k) => {
    const [a, b] = [2 + random.integer(3), 2 + random.integer(3)];
    return { inputs: [uniform(random, [a, 1, b, 1]), k % 3 === 0 ? undefined : integers(among(random, [[1], [-1], [1, 3], [-3]]))], again: undefined, fed: k % 3 === 1 ? [1] : [] };
  });

  checks('Unsqueeze', 20, 4, (random) => {
    const shape = shapeOf(random, random.integer(3));
    const axes = integers(among(random, [[0], [-1], [0, -1], [1, 0]]));
    return { inputs: [uniform(random, shape), axes], ...(shape.length > 0 && { again: [uniform(random, [shape[0] + 1, ...shape.slice(1)]), axes] }) };
  });

  checks('Concat', 30, 8, (random) => {
    const shape = shapeOf(random, 1 + random.integer(3));
    const axis = random.integer(shape.length);
    const sizes = Array.from({ length: 1 + random.integer(3) }, () => 1 + random.integer(3));
    const at = (grow: number, axisGrows: boolean) => sizes.map((size, k) => uniform(random, shape.map((n, a) => (a === axis ? size + (axisGrows && k === 0 ? grow : 0) : n + (a === 0 ? grow : 0)))));
    return { attributes: { axis: random.integer(2) === 0 ? axis : axis - shape.length }, inputs: at(0, true), again: at(2, random.integer(2) === 0) };
  });

  checks('Split', 30, 8, (random, k) => {
    const shape = shapeOf(random, 2);
    const axis = random.integer(2);
    const sizes = [1 + random.integer(3), 1 + random.integer(3), 2];
    const at = (grow: number) => uniform(random, shape.map((n, a) => (a === axis ? sizes.reduce((x, y) => x + y) : n + grow)));
    return { attributes: { axis }, inputs: [at(0), integers(sizes)], again: [at(2), integers(sizes)], reads: among(random, [[0], [1], [0, 2], [0, 1, 2]]), results: 3, fed: k % 3 === 0 ? [1] : [] };
  });

  it('Split into equal parts, also a smaller last one', async () => {
    const random = createRandom('equal');
    await checkGradient({ op: 'Split', attributes: { axis: 1, num_outputs: 3 }, inputs: [uniform(random, [2, 7])], again: [uniform(random, [2, 11])], reads: [0, 2], results: 3 }, backend);
  });

  checks('Expand', 30, 8, (random, k) => {
    const result = shapeOf(random, 1 + random.integer(3)).map((n) => n + 1);
    const at = (shape: number[], to: number[]) => [uniform(random, shape), integers(to)];
    const from = result.slice(random.integer(result.length)).map((n) => (random.integer(2) === 0 ? 1 : n));
    const grown = [result[0] + 2, ...result.slice(1)];
    const grownFrom = from.length === result.length && from[0] !== 1 ? [grown[0], ...from.slice(1)] : from;
    return { inputs: at(from, result), again: k % 2 === 0 ? at(grownFrom, grown) : at(from, result) };
  });

  checks('Tile', 30, 8, (random, k) => {
    const shape = shapeOf(random, 1 + random.integer(3));
    const repeats = integers(shape.map(() => 1 + random.integer(3)));
    return { inputs: [uniform(random, shape), repeats], again: [uniform(random, [shape[0] + 1, ...shape.slice(1)]), repeats], fed: k % 3 === 0 ? [1] : [] };
  });

  checks('DepthToSpace', 16, 4, (random) => {
    const b = 1 + random.integer(3);
    const [c, w] = [b * b * (1 + random.integer(2)), 1 + random.integer(3)];
    return { attributes: { blocksize: b, mode: among(random, ['DCR', 'CRD']) }, inputs: [uniform(random, [2, c, 2, w])], again: [uniform(random, [3, c, 4, w])] };
  });
  checks('SpaceToDepth', 12, 4, (random) => {
    const b = 1 + random.integer(3);
    return { attributes: { blocksize: b }, inputs: [uniform(random, [2, 2, b * 2, b])], again: [uniform(random, [1, 2, b * 3, b])] };
  });

  checks('Trilu', 20, 4, (random, k) => {
    const shape = shapeOf(random, 2 + random.integer(2)).map((n) => n + 1);
    const offset = k % 2 === 0 ? undefined : array([], [random.integer(5) - 2], 'int');
    return { attributes: { upper: random.integer(2) }, inputs: [uniform(random, shape), offset], again: [uniform(random, shape.map((n) => n + 2)), offset] };
  });

  checks('ReverseSequence', 16, 4, (random, k) => {
    const attributes = { batch_axis: k % 2 === 0 ? 1 : 0, time_axis: k % 2 };
    const at = (n: number, t: number) => [uniform(random, k % 2 === 0 ? [t, n, 2] : [n, t, 2]), array([n], Array.from({ length: n }, () => 1 + random.integer(t)), 'int')];
    return { attributes, inputs: at(2, 4), again: at(3, 6) };
  });

  checks('CenterCropPad', 20, 6, (random) => {
    const shape = shapeOf(random, 3).map((n) => n + 1);
    const axes = among(random, [undefined, [1], [-1, 1]]);
    const to = integers((axes ?? shape).map(() => 1 + random.integer(6)));
    const free = axes ? [shape[0] + 2, ...shape.slice(1)] : [shape[0] + 3, shape[1], shape[2] + 2];
    return { attributes: { axes }, inputs: [uniform(random, shape), to], again: [uniform(random, free), to] };
  });

  checks('Col2Im', 16, 4, (random) => {
    const rank = 2;
    const [block, strides, dilations] = [0, 0, 0].map(() => Array.from({ length: rank }, () => 1 + random.integer(2)));
    const pads = Array.from({ length: 2 * rank }, () => random.integer(2));
    const image = block.map((k, a) => dilations[a] * (k - 1) + 1 + random.integer(4));
    const steps = image.map((n, a) => Math.floor((n + pads[a] + pads[a + rank] - dilations[a] * (block[a] - 1) - 1) / strides[a]) + 1);
    const at = (n: number) => [uniform(random, [n, 2 * block[0] * block[1], steps[0] * steps[1]]), integers(image), integers(block)];
    return { attributes: { strides, dilations, pads }, inputs: at(1), again: at(3) };
  });
});

describe('the gradient of Resize', () => {
  for (const mode of ['nearest', 'linear']) {
    for (const coordinates of ['half_pixel', 'asymmetric', 'align_corners', 'pytorch_half_pixel']) {
      it(`${mode}, ${coordinates}, by scales and by sizes`, async () => {
        const random = createRandom(mode + coordinates);
        const attributes = { mode, coordinate_transformation_mode: coordinates, nearest_mode: among(random, ['round_prefer_floor', 'floor']) };
        for (const [scale, out] of [[2, 7], [0.5, 3], [1.5, 5]] as const) {
          const at = (n: number, w: number) => uniform(random, [n, 2, 4, w]);
          const scales = array([4], [1, 1, 2, scale]);
          await checkGradient({ op: 'Resize', attributes, inputs: [at(1, 4), undefined, scales], again: [at(2, 6), undefined, scales], wrt: [0] }, backend);
          await checkGradient({ op: 'Resize', attributes, inputs: [at(1, 4), undefined, undefined, integers([1, 2, 3, out])], again: [at(2, 6), undefined, undefined, integers([2, 2, 3, out])], wrt: [0] }, scale === 2 ? backend : undefined);
        }
      });
    }
  }

  it('is refused for cubic interpolation', async () => {
    const x = uniform(createRandom(1), [1, 1, 2, 2]);
    await expect(checkGradient({ op: 'Resize', attributes: { mode: 'cubic' }, inputs: [x, undefined, array([4], [1, 1, 2, 2])], wrt: [0], forward: ([y]) => [y!] })).rejects.toThrow('only nearest and linear');
  });
});

describe('what is made from a shape', () => {
  it('has no gradient', async () => {
    const x = uniform(createRandom(1), [2, 3]);
    for (const op of ['Shape', 'Size', 'EyeLike'] as const) await checkGradient({ op, inputs: [x] });
  });
  it('Range follows its start and its step', async () => {
    const inputs = [array([], [0.5]), array([], [3.2]), array([], [0.75])];
    await checkGradient({ op: 'Range', inputs }, backend);
    await checkGradient({ op: 'Range', inputs, again: [inputs[0], array([], [6]), inputs[2]], wrt: [0, 2] }, backend);
  });
});

it('the harness itself tells a wrong gradient from a right one', async () => {
  const random = createRandom('wrong');
  const x = uniform(random, [2, 3]);
  const reversed = { op: 'Transpose' as const, attributes: { perm: [1, 0] }, inputs: [x], forward: () => [uniform(random, [3, 2])] };
  await expect(checkGradient(reversed)).rejects.toThrow('finite differences say');
  await expect(checkGradient({ op: 'GatherElements', inputs: [x, integersBelow(random, [2, 3], 2)], forward: ([data]) => [{ ...data!, data: data!.data.map((v) => 2 * v) }] })).rejects.toThrow('finite differences say');
});
