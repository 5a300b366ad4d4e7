import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom, type Random } from '@coppice/core';
import { between, checkGradient, checkRandomGradients, compute, distinct, type Array64 } from '@coppice/testkit';
import { describe, expect, it } from 'vitest';

const backend = wasmBackend();

/** Farther from zero, where the powers of a norm bend sharply. */
const eightfold = (x: Array64): Array64 => ({ ...x, data: x.data.map((a) => 8 * a) });

/** A pool over one or two axes: random windows, padding less than a window, sizes that differ between runs in all but the channels. */
function drawPool(random: Random, { dilates = true, ceil = true, same = true }: { readonly dilates?: boolean; readonly ceil?: boolean; readonly same?: boolean } = {}): { readonly inputs: Array64[]; readonly again: Array64[]; readonly attributes: Record<string, number | string | number[]> } {
  const rank = between(random, 1, 2);
  const each = (from: number, to: number) => Array.from({ length: rank }, () => between(random, from, to));
  const kernel = each(1, 3);
  const dilations = dilates ? each(1, 2) : kernel.map(() => 1);
  const auto = same && random.integer(4) === 0 ? ['SAME_UPPER', 'SAME_LOWER', 'VALID'][random.integer(3)] : undefined;
  const reach = kernel.map((k, a) => (k - 1) * (auto?.startsWith('SAME') ? 1 : dilations[a]) + 1);
  const space = reach.map((size) => size + between(random, 0, 4));
  const shape = [between(random, 1, 2), between(random, 1, 3), ...space];
  const again = [shape[0] + 1, shape[1], ...space.map((size) => size + random.integer(3))];
  // ONNX Runtime pads by less than nothing where a stride is longer than its window and padding is automatic.
  const strides = each(1, 3).map((stride, a) => (auto ? Math.min(stride, reach[a]) : stride));
  const attributes = {
    kernel_shape: kernel, strides,
    ...(auto ? { auto_pad: auto } : { pads: [...kernel, ...kernel].map((k) => random.integer(k)) }),
    ...(dilates && (!auto || auto === 'VALID') && { dilations }),
    ...(ceil && !auto && { ceil_mode: random.integer(2) }),
  };
  return { inputs: [distinct(random, shape)], again: [distinct(random, again)], attributes };
}

describe('MaxPool', () => {
  it('sends back what flows to the winners', async () => {
    await checkRandomGradients('MaxPool', 30, backend, (random) => drawPool(random));
  });

  it('does so where the numbers of the winners are results too', async () => {
    await checkRandomGradients('MaxPool', 10, backend, (random) => ({ ...drawPool(random, { ceil: false }), results: 2 }));
  });

  it('refuses numbers of winners that count columns first', async () => {
    const x = distinct(createRandom('columns'), [1, 1, 4, 4]);
    await expect(checkGradient({ op: 'MaxPool', inputs: [x], results: 2, attributes: { kernel_shape: [2, 2], storage_order: 1 } })).rejects.toThrow('columns first');
  });
});

it('AveragePool spreads what flows back over each window', async () => {
  await checkRandomGradients('AveragePool', 40, backend, (random) => {
    const drawn = drawPool(random);
    return { ...drawn, attributes: { ...drawn.attributes, count_include_pad: random.integer(2) } };
  });
});

it.each([1, 2, 3])('LpPool goes back for p = %i', async (p) => {
  await checkRandomGradients('LpPool', 16, backend, (random) => {
    const { inputs, again, attributes } = drawPool(random);
    return { inputs: inputs.map(eightfold), again: again.map(eightfold), attributes: { ...attributes, p } };
  });
});

it.each(['GlobalAveragePool', 'GlobalMaxPool'] as const)('%s goes back', async (op) => {
  await checkRandomGradients(op, 12, backend, (random) => {
    const { inputs, again } = drawPool(random);
    return { inputs, again };
  });
});

it.each([1, 2, 3])('GlobalLpPool goes back for p = %i', async (p) => {
  await checkRandomGradients('GlobalLpPool', 8, backend, (random) => {
    const { inputs, again } = drawPool(random);
    return { inputs: inputs.map(eightfold), again: again.map(eightfold), attributes: { p } };
  });
});

it('MaxUnpool takes what flows back from where each element went', async () => {
  await checkRandomGradients('MaxUnpool', 12, backend, (random) => {
    const attributes = { kernel_shape: [2, 2], strides: [2, 2] };
    const of = (height: number) => {
      const [pooled, places] = compute('MaxPool', [distinct(random, [2, 3, height, 6])], attributes, 2);
      return [pooled, places];
    };
    const height = 2 * between(random, 1, 3);
    return { inputs: of(height), again: of(height + 2), wrt: [0], fed: [1], attributes };
  });
});
