import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom, type Random } from '@coppice/core';
import { between, checkGradient, integersBelow, uniform, type Array64, type GradientCase } from '@coppice/testkit';
import { describe, expect, it } from 'vitest';

const backend = wasmBackend();

/** Which parts an attention has. */
interface Form { readonly flat: boolean; readonly grouped: boolean; readonly mask?: 'float' | 'bool'; readonly causal?: boolean; readonly cache?: boolean; readonly scale?: boolean }

function drawAttention(random: Random, { flat, grouped, mask, causal = false, cache = false, scale = false }: Form): Omit<GradientCase, 'op'> {
  const keys = between(random, 1, 2);
  const heads = keys * (grouped ? between(random, 2, 3) : 1);
  const [width, valueWidth] = [between(random, 2, 4), between(random, 1, 3)];
  const place = (b: number, positions: number, of: number, size: number) => (flat ? [b, positions, of * size] : [b, of, positions, size]);
  const operands = (b: number, s: number, t: number, p: number): (Array64 | undefined)[] => {
    const all = [
      uniform(random, place(b, s, heads, width)), uniform(random, place(b, t, keys, width)), uniform(random, place(b, t, keys, valueWidth)),
      mask === 'float' ? uniform(random, [s, t + p], -2, 2) : mask === 'bool' ? openMask(random, [b, 1, s, t + p]) : undefined,
      ...(cache ? [uniform(random, [b, keys, p, width]), uniform(random, [b, keys, p, valueWidth])] : []),
    ];
    return all.slice(0, all.findLastIndex((operand) => operand !== undefined) + 1);
  };
  const [b, s, t, p] = [between(random, 1, 2), between(random, 2, 4), between(random, 2, 4), cache ? between(random, 1, 3) : 0];
  const steps = causal ? s : t;
  return {
    inputs: operands(b, s, steps, p), again: operands(b + 1, s + 1, steps + 1, p && p + 1), ...(mask === 'bool' && { fed: [3] }),
    results: cache ? 3 : 1,
    attributes: { ...(causal && { is_causal: 1 }), ...(scale && { scale: 0.3 }), ...(flat && { q_num_heads: heads, kv_num_heads: keys }) },
  };
}

/** Some positions are hidden, never all of a row. */
const openMask = (random: Random, shape: readonly number[]): Array64 => {
  const drawn = integersBelow(random, shape, 2);
  return { ...drawn, type: 'bool', data: drawn.data.map((x, k) => ((k % shape.at(-1)!) === 0 ? 1 : x)) };
};

describe('Attention', () => {
  const forms: readonly (readonly [string, Omit<Form, 'flat' | 'grouped'>])[] = [
    ['as it is', {}], ['with a scale', { scale: true }], ['with numbers as mask', { mask: 'float' }], ['with a mask', { mask: 'bool' }], ['looking back only', { causal: true }], ['with a cache', { cache: true }],
  ];
  const all = forms.flatMap(([name, form]) => [false, true].flatMap((flat) => [false, true].map((grouped) => [`${name}, ${flat ? 'heads side by side' : 'heads apart'}${grouped ? ', several queries a key' : ''}`, { ...form, flat, grouped }] as const)));
  it.each(all)('goes back %s', async (name, form) => {
    for (let k = 0; k < 2; k++) await checkGradient({ op: 'Attention', ...drawAttention(createRandom(`${name} ${k}`), form) }, backend);
  });

  it('goes back from the cache that it leaves', async () => {
    for (let k = 0; k < 4; k++) {
      const random = createRandom(`present ${k}`);
      await checkGradient({ op: 'Attention', ...drawAttention(random, { flat: k % 2 === 1, grouped: k > 1, cache: true }), reads: [0, 1, 2] }, backend);
    }
  });

  it('refuses a cap on the scores', async () => {
    const drawn = drawAttention(createRandom('cap'), { flat: false, grouped: false });
    await expect(checkGradient({ op: 'Attention', ...drawn, attributes: { softcap: 2 } })).rejects.toThrow('softcap');
  });
});

describe('RotaryEmbedding', () => {
  const draw = (random: Random, flat: boolean, numbered: boolean): Omit<GradientCase, 'op'> => {
    const [heads, pairs] = [between(random, 1, 3), between(random, 1, 3)];
    const width = 2 * pairs + (random.integer(2) ? 2 : 0);
    const operands = (b: number, s: number) => {
      const angles = uniform(random, numbered ? [9, pairs] : [b, s, pairs], -3, 3);
      return [
        uniform(random, flat ? [b, s, heads * width] : [b, heads, s, width]), { ...angles, data: angles.data.map((a) => Math.fround(Math.cos(a))) }, { ...angles, data: angles.data.map((a) => Math.fround(Math.sin(a))) },
        ...(numbered ? [integersBelow(random, [b, s], 9)] : []),
      ];
    };
    const [b, s] = [between(random, 1, 2), between(random, 2, 4)];
    return {
      inputs: operands(b, s), again: operands(b + 1, s + 2), wrt: [0], fed: [1, 2, 3],
      attributes: { interleaved: random.integer(2), ...((flat || width !== 2 * pairs) && { num_heads: heads }), ...(width !== 2 * pairs && { rotary_embedding_dim: 2 * pairs }) },
    };
  };
  it.each([false, true].flatMap((flat) => [false, true].map((numbered) => [flat, numbered] as const)))('turns back, heads side by side: %j, positions numbered: %j', async (flat, numbered) => {
    for (let k = 0; k < 8; k++) await checkGradient({ op: 'RotaryEmbedding', ...draw(createRandom(`${flat}${numbered}${k}`), flat, numbered) }, backend);
  });
});
