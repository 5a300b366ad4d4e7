import type { Emit, Known, Size, Value } from '../emit.ts';
import { absent, NoGradient, type Call, type Cotangents, type Rows } from '../vjp.ts';
import { axisOf, from } from './axes.ts';
import { places, scatterParts } from './scatter.ts';

/** One element of an int64 vector, as a vector. */
const element = (emit: Emit, x: Value, k: number): Value => emit.slice(x, { axes: [0], starts: [k], ends: [k + 1] });

/** Sizes of a value that goes from one shape to another axis by axis: those of `to` where an axis is done. */
const sizesAfter = (emit: Emit, to: Known, of: Known, done: (axis: number) => boolean): Size[] =>
  of.shape.map((_, axis) => emit.size(done(axis) ? to : of, axis));

/** Where each element of a padded axis comes from. */
function origins(emit: Emit, size: Size, pads: readonly Size[], mode: string): Value {
  return emit.op('Pad', [places(emit, size), emit.vector(pads)], { mode });
}

interface Cut { readonly axis: number; readonly start?: number; readonly step?: number; readonly at: number }

/** What a slice reads of each axis; numbers where the file states them. */
function cutsOf({ inputs: { data, starts, axes, steps }, constants }: Call<'Slice'>): readonly Cut[] {
  const count = constants.starts?.length ?? starts.shape[0];
  if (count === undefined || (axes && !constants.axes)) throw new NoGradient('the axes that it cuts are computed');
  return from(0, count).map((k) => ({ axis: axisOf(data, constants.axes?.[k] ?? k), start: constants.starts?.[k], step: steps ? constants.steps?.[k] : 1, at: k }));
}

/** Zeros around what was cut out along some axes, and between it where only every `step`-th element was. */
function embed(emit: Emit, data: Known, output: Known, cuts: readonly Cut[], dY: Value): Value {
  const rank = data.shape.length;
  let spread = dY;
  const stretched = cuts.filter(({ step }) => step !== 1);
  if (stretched.length > 0) {
    const steps = from(0, rank).map((axis) => stretched.find((cut) => cut.axis === axis)?.step ?? 1);
    const apart = emit.unsqueeze(dY, steps.map((_, axis) => 2 * axis + 1));
    const filled = emit.pad(apart, [...steps.flatMap(() => [0, 0]), ...steps.flatMap((step) => [0, step - 1])]);
    spread = emit.reshape(filled, steps.map((step, axis) => emit.times(emit.size(output, axis), step)));
  }
  const [before, after]: [Size[], Size[]] = [from(0, rank).map(() => 0), from(0, rank).map(() => 0)];
  for (const { axis, start, step } of cuts) {
    const size = emit.size(data, axis);
    const counted = start! < 0 ? emit.plus(size, start!) : start!;
    before[axis] = typeof counted !== 'number' ? emit.op('Max', [counted, emit.ints([0])]) : typeof size === 'number' ? Math.min(Math.max(counted, 0), size) : counted;
    after[axis] = emit.minus(emit.minus(size, before[axis]), emit.times(emit.size(output, axis), step!));
  }
  return emit.pad(spread, [...before, ...after]);
}

/** Coordinates of elements with those of the batch axes in front, int64 [batch…, …, coordinates]. */
function withBatch(emit: Emit, indices: Known, batch: number): Value {
  const rank = indices.shape.length;
  const each = [...from(0, rank - 1).map((axis) => emit.size(indices, axis)), 1];
  const own = from(0, batch).map((axis) => emit.expand(emit.reshape(places(emit, emit.size(indices, axis)), from(0, rank).map((a) => (a === axis ? -1 : 1))), each));
  return emit.concat([...own, indices], rank - 1);
}

/** What is scattered replaces what was there, or adds to it. */
const scattering = <N extends 'ScatterElements' | 'ScatterND' | 'Scatter'>(call: Call<N> & Cotangents<N>, gather: (dY: Value) => Value, erase: (zeros: Value) => Value) => {
  const { inputs, attributes, dY, emit } = call;
  const { updates } = inputs as Call<'ScatterND'>['inputs'];
  const { reduction = 'none' } = attributes as { readonly reduction?: string };
  if (reduction !== 'none' && reduction !== 'add') throw new NoGradient(`it joins elements by '${reduction}'`);
  return { data: () => (reduction === 'add' ? dY : erase(emit.zerosLike(updates))), updates: () => gather(dY) };
};

/** Elements along an axis; where two went to the same place, both get what flows back, and which one stayed is not defined. */
const scatterElements = <N extends 'ScatterElements' | 'Scatter'>(call: Call<N> & Cotangents<N>) => {
  const { indices } = call.inputs as Call<'ScatterElements'>['inputs'];
  const { axis } = call.attributes as Call<'ScatterElements'>['attributes'];
  const { dY, emit } = call;
  return scattering<N>(call, (g) => emit.op('GatherElements', [g, indices], { axis }), (zeros) => emit.op('ScatterElements', [dY, indices, zeros], { axis }));
};

/** Running sums: what flows back is summed from the other end. */
const cumulative = ({ inputs: { axis }, attributes: { exclusive, reverse }, dY, emit }: Call<'CumSum'> & Cotangents<'CumSum'>) =>
  ({ x: () => emit.op('CumSum', [dY, axis], { exclusive, reverse: 1 - reverse }) });

export const indexing = {
  /** Zeros where nothing was read. */
  Slice(call) {
    const { inputs: { data, starts, ends, steps }, outputs: { output }, dY, emit } = call;
    const cuts = cutsOf(call);
    return {
      data() {
        if (output.shape.includes(0)) return emit.zerosLike(data);
        if (cuts.every(({ start, step }) => start !== undefined && step !== undefined && step > 0)) return embed(emit, data, output, cuts, dY);
        return cuts.reduce((value, { axis, at }, done) => {
          const read = emit.op('Slice', [places(emit, emit.size(data, axis)), element(emit, starts, at), element(emit, ends, at), emit.ints([0]), steps && element(emit, steps, at)]);
          return scatterParts(emit, sizesAfter(emit, data, output, (a) => cuts.slice(0, done + 1).some((cut) => cut.axis === a)), axis, read, value);
        }, dY);
      },
    };
  },

  /** A constant: what was added is cut, what was cut comes back as zeros. Else each element gets what flows back to its copies, axis by axis. */
  Pad({ inputs: { data, pads, axes, constant_value }, outputs: { output }, attributes: { mode }, constants, dY, emit }) {
    const rank = data.shape.length;
    if (axes && !constants.axes) throw new NoGradient('the axes that it pads are computed');
    const padded = constants.axes?.map((axis) => axisOf(data, axis)) ?? from(0, rank);
    const at = (k: number): Size => constants.pads?.[k] ?? element(emit, pads, k);
    const pair = (axis: number): readonly [Size, Size] => (padded.includes(axis) ? [at(padded.indexOf(axis)), at(padded.indexOf(axis) + padded.length)] : [0, 0]);
    const cut = (): Value => {
      const pairs = from(0, rank).map(pair);
      return emit.pad(dY, [...pairs.map(([before]) => emit.times(before, -1)), ...pairs.map(([, after]) => emit.times(after, -1))]);
    };
    if (mode === 'constant') {
      const all = from(0, rank);
      return {
        data: cut,
        constant_value: constant_value && (() => emit.reshape(emit.sub(emit.reduceSum(dY, all), emit.reduceSum(cut(), all)), emit.sizes(constant_value))),
      };
    }
    const moved = padded.filter((axis) => pair(axis).some((size) => size !== 0));
    return {
      data: () => moved.reduce((value, axis, done) =>
        scatterParts(emit, sizesAfter(emit, data, output, (a) => moved.indexOf(a) >= 0 && moved.indexOf(a) <= done), axis, origins(emit, emit.size(data, axis), pair(axis), mode), value), dY),
    };
  },

  /** What flows back is added where it was read. Indices [q…] take the place of an axis: they become one axis, as they were one list. */
  Gather({ inputs: { data, indices }, attributes, constants, dY, emit }) {
    const axis = axisOf(data, attributes.axis);
    return {
      data() {
        const sizes = data.shape.map((_, a) => emit.size(data, a));
        const single = indices.shape.length === 0 ? emit.unsqueeze(dY, [axis]) : dY;
        const [id] = constants.indices ?? [];
        if (constants.indices?.length === 1 && indices.shape.length < 2) {
          const before = id < 0 ? emit.plus(sizes[axis], id) : id;
          const after = id < 0 ? -id - 1 : emit.minus(sizes[axis], id + 1);
          const around = (size: Size): Size[] => sizes.map((_, a) => (a === axis ? size : 0));
          return emit.pad(single, [...around(before), ...around(after)]);
        }
        const list = indices.shape.length === 1 ? indices : emit.reshape(indices, [-1]);
        return scatterParts(emit, sizes, axis, list, indices.shape.length < 2 ? single : emit.reshape(dY, sizes.map((size, a) => (a === axis ? -1 : size))));
      },
    };
  },
  GatherElements: ({ inputs: { data, indices }, attributes: { axis }, dY, emit }) => ({
    data: () => emit.op('ScatterElements', [emit.zerosLike(data), indices, dY], { axis, reduction: 'add' }),
  }),
  GatherND: ({ inputs: { data, indices }, attributes: { batch_dims }, dY, emit }) => ({
    data: () => emit.op('ScatterND', [emit.zerosLike(data), withBatch(emit, indices, batch_dims), dY], { reduction: 'add' }),
  }),

  ScatterElements: scatterElements<'ScatterElements'>,
  Scatter: scatterElements<'Scatter'>,
  ScatterND(call) {
    const { inputs: { indices }, dY, emit } = call;
    return scattering<'ScatterND'>(call, (g) => emit.op('GatherND', [g, indices]), (zeros) => emit.op('ScatterND', [dY, indices, zeros]));
  },
  TensorScatter: absent('it writes into a cache in place, which training has no use for; export the model without a cache'),

  /** The chosen parts go back to where they were; without an axis, of the flat tensor. */
  Compress({ inputs: { input, condition }, attributes, dY, emit }) {
    const chosen = () => emit.reshape(emit.op('NonZero', [condition]), [-1]);
    return {
      input() {
        const sizes = input.shape.map((_, a) => emit.size(input, a));
        if (attributes.axis !== undefined) return scatterParts(emit, sizes, axisOf(input, attributes.axis), chosen(), dY);
        const count = sizes.reduce<Size>((product, size) => emit.times(product, size), 1);
        return emit.reshape(scatterParts(emit, [count], 0, chosen(), dY), sizes);
      },
    };
  },

  /** values = [off, on]: each gets what flows back to where it stands. */
  OneHot: ({ inputs: { indices, depth }, outputs: { output }, attributes: { axis }, dY, emit }) => ({
    values() {
      const all = from(0, output.shape.length);
      const on = emit.reduceSum(emit.mul(dY, emit.op('OneHot', [indices, depth, emit.floats([0, 1], [2])], { axis })), all);
      return emit.concat([emit.sub(emit.reduceSum(dY, all), on), on].map((sum) => emit.unsqueeze(sum, [0])), 0);
    },
  }),

  CumSum: cumulative,
  CumProd: absent('its gradient divides by its input, which may be zero'),
} satisfies Rows;
