import { NoGradient, absent, type Rows } from '../vjp.ts';
import { axisOf, from } from './axes.ts';

/** Why everything before a quantised value is refused. */
export const rounds = absent('it rounds to integers, and a rounded value does not change with small changes; train the model before it is quantised');

export const quantise = {
  /** y = (x − zero point)·scale with whole x: dscale = Σ dy·(x − zero point) over what shares a scale. The whole numbers have no gradient. */
  DequantizeLinear: ({ inputs: { x, x_scale, x_zero_point }, attributes: { axis, block_size }, dY, emit }) => ({
    x_scale() {
      if (block_size !== 0) throw new NoGradient('its scale, which is to be learnt, belongs to blocks');
      const unit = emit.expand(emit.scalar(1), emit.sizes(x_scale));
      const product = emit.mul(dY, emit.op('DequantizeLinear', [x, unit, x_zero_point], { axis }));
      const shares = from(0, x.shape.length).filter((a) => x_scale.shape.length === 0 || a !== axisOf(x, axis));
      if (x_scale.shape.length === 1 && x_scale.shape[0] === 1) return emit.reshape(emit.reduceSum(product, from(0, x.shape.length)), [1]);
      return emit.reduceSum(product, shares);
    },
  }),
  QuantizeLinear: rounds,
  DynamicQuantizeLinear: rounds,
} satisfies Rows;
