import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom, type Random } from '@coppice/core';
import { checkGradient, uniform, type GradientCase } from '@coppice/testkit';
import { describe, it } from 'vitest';

const backend = wasmBackend();

/** Batch, channels of input and result, groups: dense, one channel, depthwise, depthwise with a multiplier, groups of several channels. */
const channels = [[2, 3, 4, 1], [1, 1, 3, 1], [2, 3, 3, 3], [2, 2, 4, 2], [2, 4, 6, 2], [1, 6, 3, 3], [2, 2, 1, 1]] as const;
const placements = ['pads', 'none', 'SAME_UPPER', 'SAME_LOWER', 'VALID'] as const;

interface Drawn { readonly space: number[]; readonly spaceAgain: number[]; readonly taps: number[]; readonly attributes: Record<string, number | string | number[]> }

/** Kernel, strides, dilations, padding and two sizes of the data for some spatial axes. */
function draw(random: Random, rank: number, placement: (typeof placements)[number]): Drawn {
  const pick = (low: number, high: number) => low + random.integer(high - low + 1);
  const each = (low: number, high: number) => Array.from({ length: rank }, () => pick(low, high));
  const taps = each(1, rank === 3 ? 2 : 3);
  const strides = each(1, 3);
  // ONNX Runtime refuses SAME with dilations.
  const dilations = placement.startsWith('SAME') ? taps.map(() => 1) : each(1, 2);
  const space = taps.map((count, a) => dilations[a] * (count - 1) + 1 + pick(0, 3));
  const pads = placement === 'pads' ? [...each(0, 2), ...each(0, 2)] : undefined;
  const stated = random.integer(3) > 0 || placement !== 'none';
  return {
    taps, space, spaceAgain: space.map((size) => size + pick(1, 3)),
    attributes: { ...(stated && { strides, dilations }), ...(pads && { pads }), ...(placement === 'pads' || placement === 'none' ? {} : { auto_pad: placement }), ...(random.integer(2) && { kernel_shape: taps }) },
  };
}

/** Cases of every rank, placement and kind of grouping in turn. */
const cases = Array.from({ length: 42 }, (_, k) => [k, 1 + (k % 4) % 3, placements[k % 5], channels[k % 7]] as const);

const named = (k: number, rank: number, placement: string, [, ins, outs, group]: readonly number[]) => `case ${k}: ${rank}-D, ${placement}, ${ins} to ${outs} channels in ${group} groups`;

describe('Conv', () => {
  for (const [k, rank, placement, [batch, ins, outs, group]] of cases) {
    it(`goes back through ${named(k, rank, placement, [batch, ins, outs, group])}`, async () => {
      const random = createRandom(`conv ${k}`);
      const { taps, space, spaceAgain, attributes } = draw(random, rank, placement);
      const weights = [uniform(random, [outs, ins / group, ...taps]), ...(k % 3 === 0 ? [] : [uniform(random, [outs])])];
      const given: GradientCase = {
        op: 'Conv', inputs: [uniform(random, [batch, ins, ...space]), ...weights], attributes: { ...attributes, group },
        // Half of the cases know their sizes; the others leave batch and space open, or the first spatial axis only.
        ...(k % 2 === 1 && { again: [uniform(random, [batch + 1, ins, ...(k % 4 === 1 ? spaceAgain : space.with(0, spaceAgain[0]))]), ...weights] }),
      };
      await checkGradient(given, backend);
    });
  }
});

describe('ConvTranspose', () => {
  for (const [k, rank, placement, [batch, outs, ins, group]] of cases) {
    it(`goes back through ${named(k, rank, placement, [batch, ins, outs, group])}`, async () => {
      const random = createRandom(`transpose ${k}`);
      const { taps, space, spaceAgain, attributes } = draw(random, rank, placement);
      const strides = (attributes.strides as number[] | undefined) ?? taps.map(() => 1);
      const sizes = (x: readonly number[], most: number) => x.map((size) => Math.min(Math.max(size, 3), most));
      const pads = (attributes.pads as number[] | undefined)?.map((size) => Math.min(size, 1));
      const output_padding = strides.map((stride) => (placement.startsWith('SAME') ? 0 : random.integer(stride)));
      const weights = [uniform(random, [ins, outs / group, ...taps]), ...(k % 3 === 0 ? [] : [uniform(random, [outs])])];
      await checkGradient({
        op: 'ConvTranspose', inputs: [uniform(random, [batch, ins, ...sizes(space, 4)]), ...weights], attributes: { ...attributes, ...(pads && { pads }), group, ...(k % 4 < 2 && { output_padding }) },
        ...(k % 2 === 1 && { again: [uniform(random, [batch + 1, ins, ...sizes(spaceAgain, 5)]), ...weights] }),
      }, backend);
    });
  }

  it.each([[7, 'NOTSET'], [8, 'NOTSET'], [9, 'NOTSET'], [8, 'SAME_UPPER'], [8, 'SAME_LOWER'], [11, 'NOTSET']])('goes back through a stated result of %d elements, %s', async (size, auto_pad) => {
    const random = createRandom(size);
    await checkGradient({
      op: 'ConvTranspose', inputs: [uniform(random, [2, 3, 4]), uniform(random, [3, 2, 3])], attributes: { strides: [2], output_shape: [size], auto_pad, ...(size > 9 && { strides: [3] }) },
    }, backend);
  });
});
