import type { Emit, Known, Size, Value } from '../emit.ts';
import { NoGradient, type Call, type Cotangents, type Rows } from '../vjp.ts';
import { axisOf, from } from './axes.ts';

/** The shape of a value again, from what has as many elements in the same order. */
function shapedLike(emit: Emit, x: Known, value: Value): Value {
  const open = x.shape.filter((size) => size === undefined).length;
  return emit.reshape(value, open === 1 && !x.shape.includes(0) ? x.shape.map((size) => size ?? -1) : emit.sizes(x));
}

/** A row of an operator that only gives its operand another shape. */
const reshaping = <N extends 'Reshape' | 'Flatten' | 'Squeeze' | 'Unsqueeze'>({ inputs, dY, emit }: Call<N> & Cotangents<N>) => {
  const [name, x] = Object.entries(inputs)[0] as [N extends 'Flatten' ? 'input' : 'data', Known];
  return { [name]: () => shapedLike(emit, x, dY) } as { readonly [I in typeof name]: () => Value };
};

/** Every size of a value, one by one. */
const eachSize = (emit: Emit, x: Known): Size[] => x.shape.map((_, axis) => emit.size(x, axis));

/** Half of a size, cut to a whole number. */
const half = (emit: Emit, size: Size): Size => (typeof size === 'number' ? Math.trunc(size / 2) : emit.op('Div', [size, emit.ints([2])]));

export const movement = {
  /** Axes go back to where they were. */
  Transpose({ inputs: { data }, attributes: { perm }, dY, emit }) {
    const order = perm ?? data.shape.map((_, axis) => data.shape.length - 1 - axis);
    return { data: () => emit.transpose(dY, order.map((_, axis) => order.indexOf(axis))) };
  },
  Reshape: reshaping<'Reshape'>,
  Flatten: reshaping<'Flatten'>,
  Squeeze: reshaping<'Squeeze'>,
  Unsqueeze: reshaping<'Unsqueeze'>,

  /** Each operand gets its part. */
  Concat({ inputs: { inputs }, attributes, dY, emit }) {
    const axis = axisOf(inputs[0], attributes.axis);
    const starts = inputs.reduce<Size[]>((list, x) => [...list, emit.plus(list.at(-1)!, emit.size(x, axis))], [0]);
    return { inputs: inputs.map((_, k) => () => (inputs.length === 1 ? dY : emit.slice(dY, { axes: [axis], starts: [starts[k]], ends: [starts[k + 1]] }))) };
  },
  /** The parts are put together again, zeros where nobody used one. */
  Split({ outputs: { outputs }, attributes: { axis }, gradients, emit }) {
    const flowing: Readonly<Record<string, Value | undefined>> = gradients;
    return { input: () => emit.concat(outputs.map((part, k) => flowing[`outputs.${k}`] ?? emit.zerosLike(part)), axis) };
  },

  /** Sums over what was repeated. */
  Expand: ({ inputs: { input }, outputs: { output }, dY, emit }) => ({ input: () => emit.reduceTo(dY, output.shape, input) }),
  /** An axis of r·s becomes two, of which the repetitions are summed. */
  Tile({ inputs: { input, repeats }, constants, dY, emit }) {
    const times = (axis: number): Size => constants.repeats?.[axis] ?? emit.slice(repeats, { axes: [0], starts: [axis], ends: [axis + 1] });
    return {
      input() {
        const rank = input.shape.length;
        const repeated = from(0, rank).filter((axis) => constants.repeats?.[axis] !== 1);
        const split = from(0, rank).flatMap((axis) => (repeated.includes(axis) ? [times(axis), emit.size(input, axis)] : [emit.size(input, axis)]));
        return emit.reduceSum(emit.reshape(dY, split), repeated.map((axis, k) => axis + k));
      },
    };
  },

  /** [n, c, h·b, w·b] → [n, c·b², h, w]; in the order CRD the channels come before the block. */
  DepthToSpace: ({ inputs: { input }, outputs: { output }, attributes: { blocksize, mode }, dY, emit }) => ({
    input() {
      if (mode === 'DCR') return emit.op('SpaceToDepth', [dY], { blocksize });
      const [n, c, h, w] = [emit.size(output, 0), emit.size(output, 1), emit.size(input, 2), emit.size(input, 3)];
      return shapedLike(emit, input, emit.transpose(emit.reshape(dY, [n, c, h, blocksize, w, blocksize]), [0, 1, 3, 5, 2, 4]));
    },
  }),
  SpaceToDepth: ({ attributes: { blocksize, mode }, dY, emit }) => ({ input: () => emit.op('DepthToSpace', [dY], { blocksize, mode }) }),

  /** The triangle that was kept. */
  Trilu: ({ inputs: { k }, attributes: { upper }, dY, emit }) => ({ input: () => emit.op('Trilu', [dY, k], { upper }) }),
  /** Its own inverse. */
  ReverseSequence: ({ inputs: { sequence_lens }, attributes: { batch_axis, time_axis }, dY, emit }) => ({ input: () => emit.op('ReverseSequence', [dY, sequence_lens], { batch_axis, time_axis }) }),
  /** What was cut comes back as zeros, what was added is cut. */
  CenterCropPad({ inputs: { input_data: x }, outputs: { output_data: y }, dY, emit }) {
    return {
      input_data() {
        const missing = from(0, x.shape.length).map((axis) => emit.minus(emit.size(x, axis), emit.size(y, axis)));
        const before = missing.map((size) => half(emit, size));
        return emit.pad(dY, [...before, ...missing.map((size, axis) => emit.minus(size, before[axis]))]);
      },
    };
  },

  /**
   * Blocks that were summed into an image are read out of it again: for each place k within a block, the pixels at s·l + d·k − p.
   * x [n, c·blocks, l] with l over all positions of a block.
   */
  Col2Im({ inputs: { input }, outputs: { output }, attributes, constants, dY, emit }) {
    const { block_shape: block, image_shape: image } = constants;
    if (!block || !image) throw new NoGradient('the shape of its image or block is computed');
    const space = from(0, block.length);
    const { dilations = space.map(() => 1), strides = space.map(() => 1), pads = [...space, ...space].map(() => 0) } = attributes;
    const reach = space.map((a) => image[a] + pads[a] + pads[a + space.length]);
    const steps = space.map((a) => Math.floor((reach[a] - dilations[a] * (block[a] - 1) - 1) / strides[a]) + 1);
    return {
      input() {
        const padded = emit.pad(dY, [0, 0, ...pads.slice(0, space.length), 0, 0, ...pads.slice(space.length)]);
        const taps = space.reduce<number[][]>((heads, a) => heads.flatMap((head) => from(0, block[a]).map((k) => [...head, k])), [[]]).map((tap) => {
          const seen = emit.slice(padded, { axes: space.map((a) => a + 2), starts: tap.map((k, a) => dilations[a] * k), ends: tap.map((k, a) => dilations[a] * k + strides[a] * (steps[a] - 1) + 1), steps: strides });
          return emit.reshape(seen, [emit.size(output, 0), emit.size(output, 1), 1, steps.reduce((product, n) => product * n, 1)]);
        });
        return emit.reshape(emit.concat(taps, 2), eachSize(emit, input));
      },
    };
  },
} satisfies Rows;
