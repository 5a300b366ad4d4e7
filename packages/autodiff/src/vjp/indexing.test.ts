import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom, type Random } from '@coppice/core';
import type { OperatorName } from '@coppice/graph';
import { array, build, checkGradient, integers, integersBelow, uniform, type Array64, type GradientCase } from '@coppice/testkit';
import { describe, expect, it } from 'vitest';

const backend = wasmBackend();
const among = <T>(random: Random, items: readonly T[]): T => items[random.integer(items.length)];
const shapeOf = (random: Random, rank: number, least = 1): number[] => Array.from({ length: rank }, () => least + random.integer(4));
/** Whole numbers from −size to below it. */
const anyPlace = (random: Random, shape: readonly number[], size: number): Array64 => build(shape, () => random.integer(2 * size) - size, 'int');

/** Many random cases in float64, the first few also on the runtime. */
function checks(claim: string, op: OperatorName, cases: number, onRuntime: number, draw: (random: Random, k: number) => Omit<GradientCase, 'op'>): void {
  it(`${op} ${claim}`, async () => {
    const random = createRandom(op + claim);
    for (let k = 0; k < cases; k++) await checkGradient({ op, ...draw(random, k) }, k < onRuntime ? backend : undefined);
  });
}

const farthest = Number.MAX_SAFE_INTEGER;

describe('the gradient of Slice', () => {
  /** Bounds of any sign, also beyond the ends, of a slice that may be empty. */
  const bounds = (random: Random, size: number) => [random.integer(2 * size) - size, among(random, [random.integer(2 * size + 2) - size, farthest])] as const;

  checks('with steps of one, on fixed and open axes', 'Slice', 40, 12, (random) => {
    const shape = shapeOf(random, 1 + random.integer(3), 3);
    const axes = random.shuffle(shape.map((_, axis) => axis)).slice(0, 1 + random.integer(shape.length));
    // One element at least: kernels take no empty tensors.
    const pairs = axes.map((axis) => among(random, [[0, farthest], [0, -1], [1, farthest], [-2, farthest], [1, shape[axis]], [0, 1], [-3, -1], [2, 3]]));
    const operands = [integers(pairs.map(([start]) => start)), integers(pairs.map(([, end]) => end)), integers(axes.map((axis) => (random.integer(2) === 0 ? axis : axis - shape.length)))];
    return { inputs: [uniform(random, shape), ...operands], again: [uniform(random, shape.map((n) => n + 2)), ...operands] };
  });

  checks('with bounds anywhere', 'Slice', 60, 0, (random) => {
    const shape = shapeOf(random, 1 + random.integer(2), 3);
    const pairs = shape.map((n) => bounds(random, n));
    const operands = [integers(pairs.map(([start]) => start)), integers(pairs.map(([, end]) => end)), undefined, random.integer(2) === 0 ? undefined : integers(shape.map(() => 1 + random.integer(3)))];
    return { inputs: [uniform(random, shape), ...operands] };
  });

  checks('with larger steps', 'Slice', 40, 10, (random) => {
    const shape = shapeOf(random, 1 + random.integer(3), 4);
    const axes = random.shuffle(shape.map((_, axis) => axis)).slice(0, 1 + random.integer(shape.length));
    const operands = [integers(axes.map(() => among(random, [0, 1, -3]))), integers(axes.map(() => among(random, [farthest, -1]))), integers(axes), integers(axes.map(() => 1 + random.integer(3)))];
    return { inputs: [uniform(random, shape), ...operands], again: [uniform(random, shape.map((n) => n + 3)), ...operands] };
  });

  checks('backwards', 'Slice', 30, 8, (random) => {
    const shape = shapeOf(random, 2, 3);
    const operands = [integers([-1, 0]), integers([-farthest, farthest]), integers([1, 0]), integers([-1 - random.integer(3), 1 + random.integer(2)])];
    return { inputs: [uniform(random, shape), ...operands], again: [uniform(random, shape.map((n) => n + 2)), ...operands] };
  });

  checks('with computed bounds', 'Slice', 20, 8, (random) => {
    const at = (grow: number) => [uniform(random, [4 + grow, 3]), integers([1 + random.integer(2)]), integers([3 + random.integer(1 + grow)]), integers([0])];
    return { inputs: at(0), again: at(3), fed: [1, 2] };
  });
});

describe('the gradient of Pad', () => {
  const pads = (random: Random, rank: number, from: number, to: number) => integers(Array.from({ length: 2 * rank }, () => from + random.integer(to - from + 1)));

  checks('with a constant, negative pads included', 'Pad', 40, 12, (random, k) => {
    const shape = shapeOf(random, 1 + random.integer(3), 4);
    const axes = among(random, [undefined, [shape.length - 1], [-1]]);
    const operands = [pads(random, axes?.length ?? shape.length, k % 2 === 0 ? 0 : -1, 2), array([], [0.5]), axes && integers(axes)];
    return { attributes: { mode: 'constant' }, inputs: [uniform(random, shape), ...operands], again: [uniform(random, shape.map((n) => n + 2)), ...operands], fed: k % 4 === 0 ? [1] : [] };
  });

  for (const mode of ['reflect', 'edge', 'wrap']) {
    checks(`by ${mode}`, 'Pad', 20, 6, (random, k) => {
      const shape = shapeOf(random, 1 + random.integer(3), 4);
      const operands = [pads(random, shape.length, 0, 2)];
      return { attributes: { mode }, inputs: [uniform(random, shape), ...operands], again: [uniform(random, shape.map((n) => n + 2)), ...operands], fed: k % 3 === 0 ? [1] : [] };
    });
  }
});

describe('the gradient of gathering adds where an element was read more than once', () => {
  checks('of lists and tables of indices', 'Gather', 40, 12, (random, k) => {
    const shape = shapeOf(random, 1 + random.integer(3), 2);
    const axis = random.integer(shape.length);
    const ids = anyPlace(random, shapeOf(random, random.integer(3)), shape[axis]);
    const grown = shape.map((n, a) => (a === axis && k % 2 === 0 ? n : n + 2));
    return { attributes: { axis: random.integer(2) === 0 ? axis : axis - shape.length }, inputs: [uniform(random, shape), ids], again: [uniform(random, grown), ids], fed: k % 3 === 0 ? [1] : [] };
  });

  checks('of token ids whose number differs', 'Gather', 8, 4, (random) => {
    const table = uniform(random, [7, 3]);
    return { inputs: [table, integersBelow(random, [2, 5], 7)], again: [table, integersBelow(random, [3, 9], 7)] };
  });

  checks('along an axis', 'GatherElements', 30, 8, (random, k) => {
    const shape = shapeOf(random, 1 + random.integer(3), 2);
    const axis = random.integer(shape.length);
    const ids = anyPlace(random, shape.map((n, a) => (a === axis ? 1 + random.integer(6) : n)), shape[axis]);
    return { attributes: { axis }, inputs: [uniform(random, shape), ids], fed: k % 2 === 0 ? [1] : [] };
  });

  for (const batch_dims of [0, 1, 2]) {
    checks(`with ${batch_dims} batch axes`, 'GatherND', 24, 6, (random) => {
      const depth = 1 + random.integer(2);
      const inner = shapeOf(random, depth + random.integer(2), 2);
      const ids = (batch: readonly number[], lead: readonly number[]) => build([...batch, ...lead, depth], (index) => random.integer(inner[index.at(-1)!]), 'int');
      const lead = shapeOf(random, random.integer(2));
      const at = (n: number) => {
        const batch = [n, 2].slice(0, batch_dims);
        return [uniform(random, [...batch, ...inner]), ids(batch, lead)];
      };
      return { attributes: { batch_dims }, inputs: at(2), again: at(3), fed: [1] };
    });
  }
});

describe('the gradient of scattering', () => {
  /** Coordinates that are pairwise different. */
  const distinct = (random: Random, count: number, below: number) => random.shuffle(Array.from({ length: below }, (_, k) => k)).slice(0, count);

  for (const reduction of ['none', 'add']) {
    checks(reduction, 'ScatterElements', 24, 6, (random) => {
      const [n, size] = [1 + random.integer(3), 3 + random.integer(3)];
      const count = 1 + random.integer(3);
      const rows = Array.from({ length: n }, () => (reduction === 'none' ? distinct(random, count, size) : Array.from({ length: count }, () => random.integer(size))));
      const ids = array([n, count], rows.flat(), 'int');
      return { attributes: { axis: 1, reduction }, inputs: [uniform(random, [n, size]), ids, uniform(random, [n, count])] };
    });

    checks(reduction, 'ScatterND', 24, 6, (random) => {
      const [size, width] = [4 + random.integer(3), 1 + random.integer(3)];
      const count = 1 + random.integer(3);
      const ids = array([count, 1], reduction === 'none' ? distinct(random, count, size) : Array.from({ length: count }, () => random.integer(size)), 'int');
      const updates = uniform(random, [count, width]);
      return { attributes: { reduction }, inputs: [uniform(random, [size, width]), ids, updates], again: [uniform(random, [size + 2, width]), ids, updates] };
    });
  }

  it('is refused where elements are joined in another way', async () => {
    const random = createRandom(1);
    const inputs = [uniform(random, [3]), integers([1]), uniform(random, [1])];
    await expect(checkGradient({ op: 'ScatterElements', attributes: { reduction: 'max' }, inputs })).rejects.toThrow("joins elements by 'max'");
  });
});

describe('the gradient of choosing and summing up', () => {
  checks('along an axis and of the flat tensor', 'Compress', 24, 6, (random, k) => {
    const shape = shapeOf(random, 2, 3);
    const axis = among(random, [undefined, 0, 1, -1]);
    const size = axis === undefined ? shape[0] * shape[1] : shape.at(axis)!;
    const condition = array([size - 1], Array.from({ length: size - 1 }, (_, j) => Number(j === 0 || random.integer(2) === 1)), 'bool');
    return { attributes: { axis }, inputs: [uniform(random, shape), condition], again: [uniform(random, shape.map((n) => n + 1)), condition], fed: k % 2 === 0 ? [1] : [] };
  });

  checks('of its two values', 'OneHot', 12, 4, (random) => {
    const depth = integers(5);
    const values = uniform(random, [2]);
    return { attributes: { axis: among(random, [-1, 0, 1]) }, inputs: [integersBelow(random, [2, 3], 5), depth, values], again: [integersBelow(random, [4, 3], 5), depth, values] };
  });

  checks('from either end, with the element itself or without', 'CumSum', 30, 8, (random) => {
    const shape = shapeOf(random, 1 + random.integer(3));
    const axis = integers(random.integer(shape.length));
    return { attributes: { exclusive: random.integer(2), reverse: random.integer(2) }, inputs: [uniform(random, shape), axis], again: [uniform(random, shape.map((n) => n + 2)), axis] };
  });
});
