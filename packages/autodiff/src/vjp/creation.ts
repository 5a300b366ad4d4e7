import type { Rows } from '../vjp.ts';

/** What is made from a shape, a count or a frequency does not change with small changes of anything. */
const made = () => ({});

export const creation = {
  Constant: made,
  ConstantOfShape: made,
  EyeLike: made,
  RandomNormal: made,
  RandomUniform: made,
  Multinomial: made,
  BlackmanWindow: made,
  HammingWindow: made,
  HannWindow: made,
  MelWeightMatrix: made,
  Shape: made,
  Size: made,
  /** y[k] = start + k·delta, and the limit only says how many: dstart = Σ dy, ddelta = Σ k·dy. */
  Range: ({ inputs: { start, delta }, outputs: { output }, dY, emit }) => ({
    start: () => emit.reshape(emit.reduceSum(dY, [0]), emit.sizes(start)),
    delta() {
      const k = emit.op('CumSum', [emit.expand(emit.scalar(1), emit.sizes(output)), emit.ints([0], [])], { exclusive: 1 });
      return emit.reshape(emit.reduceSum(emit.mul(dY, k), [0]), emit.sizes(delta));
    },
  }),
} satisfies Rows;
