import { array, at, axisOf, build, indices, offset, type Array64 } from './array64.ts';
import type { EagerRows } from './row.ts';

const replaced = (index: readonly number[], axis: number, by: number): number[] => index.map((i, a) => (a === axis ? by : i));
/** A place counted from the front. */
const place = (i: number, size: number): number => {
  const from = i < 0 ? i + size : i;
  if (from < 0 || from >= size) throw new Error(`index ${i} is outside 0 … ${size - 1}`);
  return from;
};

/** How an update joins what is there. */
const join: Readonly<Record<string, (old: number, update: number) => number>> = {
  none: (_, update) => update,
  add: (old, update) => old + update,
  mul: (old, update) => old * update,
  max: (old, update) => Math.max(old, update),
  min: (old, update) => Math.min(old, update),
};

/** Cumulated along an axis, from the end where reverse, without the own element where exclusive. */
const cumulate = (f: (a: number, b: number) => number, start: number) =>
  ([x, axis]: readonly [Array64, Array64], { exclusive, reverse }: { readonly exclusive: number; readonly reverse: number }): readonly Array64[] => {
    const along = axisOf(axis.data[0], x.shape.length);
    const size = x.shape[along];
    return [build(x.shape, (index) => {
      let result = start;
      for (let t = 0; t < size; t++) {
        const before = reverse === 1 ? t > index[along] : t < index[along];
        if (before || (exclusive === 0 && t === index[along])) result = f(result, at(x, replaced(index, along, t)));
      }
      return result;
    }, x.type)];
  };

/** The places of an axis that a slice reads. ONNX specification of Slice: bounds are clamped. */
function places(size: number, start: number, end: number, step: number): number[] {
  const clamp = (bound: number, low: number, high: number): number => Math.max(low, Math.min(high, bound < 0 ? bound + size : bound));
  const [from, to] = step > 0 ? [clamp(start, 0, size), clamp(end, 0, size)] : [clamp(start, 0, size - 1), clamp(end, -1, size - 1)];
  return Array.from({ length: Math.max(0, Math.ceil((to - from) / step)) }, (_, k) => from + k * step);
}

/** The element that stands where a pad leaves a tensor; undefined for the constant. */
function mirrored(i: number, size: number, mode: string): number | undefined {
  if (i >= 0 && i < size) return i;
  if (mode === 'edge') return i < 0 ? 0 : size - 1;
  if (mode === 'wrap') return ((i % size) + size) % size;
  if (mode === 'constant') return undefined;
  const period = Math.max(1, 2 * (size - 1));
  const folded = ((i % period) + period) % period;
  return folded < size ? folded : period - folded;
}

const numbers = (x: Array64): number[] => Array.from(x.data);

export const indexing = {
  Slice: ([x, starts, ends, axes, steps]) => {
    const read = x.shape.map((size) => Array.from({ length: size }, (_, k) => k));
    (axes ? numbers(axes) : numbers(starts).map((_, k) => k)).forEach((axis, k) => {
      const along = axisOf(axis, x.shape.length);
      read[along] = places(x.shape[along], starts.data[k], ends.data[k], steps?.data[k] ?? 1);
    });
    return [build(read.map((list) => list.length), (index) => at(x, index.map((i, axis) => read[axis][i])), x.type)];
  },
  /** Negative pads cut. */
  Pad: ([x, pads, value, axes], { mode }) => {
    const rank = x.shape.length;
    const [before, after] = [x.shape.map(() => 0), x.shape.map(() => 0)];
    const padded = axes ? numbers(axes).map((axis) => axisOf(axis, rank)) : x.shape.map((_, axis) => axis);
    padded.forEach((axis, k) => {
      before[axis] = pads.data[k];
      after[axis] = pads.data[k + padded.length];
    });
    return [build(x.shape.map((size, axis) => size + before[axis] + after[axis]), (index) => {
      const from = index.map((i, axis) => mirrored(i - before[axis], x.shape[axis], mode));
      return from.includes(undefined) ? (value?.data[0] ?? 0) : at(x, from as number[]);
    }, x.type)];
  },
  Gather: ([data, ids], { axis }) => {
    const along = axisOf(axis, data.shape.length);
    const shape = [...data.shape.slice(0, along), ...ids.shape, ...data.shape.slice(along + 1)];
    return [build(shape, (index) => {
      const id = place(at(ids, index.slice(along, along + ids.shape.length)), data.shape[along]);
      return at(data, [...index.slice(0, along), id, ...index.slice(along + ids.shape.length)]);
    }, data.type)];
  },
  GatherElements: ([data, ids], { axis }) => {
    const along = axisOf(axis, data.shape.length);
    return [build(ids.shape, (index) => at(data, replaced(index, along, place(at(ids, index), data.shape[along]))), data.type)];
  },
  GatherND: ([data, ids], { batch_dims: b }) => {
    const depth = ids.shape.at(-1)!;
    const lead = ids.shape.slice(0, -1);
    return [build([...lead, ...data.shape.slice(b + depth)], (index) => {
      const own = index.slice(0, lead.length);
      const coordinates = Array.from({ length: depth }, (_, k) => place(at(ids, [...own, k]), data.shape[b + k]));
      return at(data, [...own.slice(0, b), ...coordinates, ...index.slice(lead.length)]);
    }, data.type)];
  },
  ScatterElements: ([data, ids, updates], { axis, reduction }) => {
    const along = axisOf(axis, data.shape.length);
    const result = Float64Array.from(data.data);
    for (const index of indices(ids.shape)) {
      const to = offset(data.shape, replaced(index, along, place(at(ids, index), data.shape[along])));
      result[to] = join[reduction](result[to], at(updates, index));
    }
    return [array(data.shape, result, data.type)];
  },
  ScatterND: ([data, ids, updates], { reduction }) => {
    const depth = ids.shape.at(-1)!;
    const lead = ids.shape.slice(0, -1);
    const result = Float64Array.from(data.data);
    for (const index of indices([...lead, ...data.shape.slice(depth)])) {
      const coordinates = Array.from({ length: depth }, (_, k) => place(at(ids, [...index.slice(0, lead.length), k]), data.shape[k]));
      const to = offset(data.shape, [...coordinates, ...index.slice(lead.length)]);
      result[to] = join[reduction](result[to], at(updates, index));
    }
    return [array(data.shape, result, data.type)];
  },
  /** Along an axis where one is given, else of the flat tensor. */
  Compress: ([x, condition], { axis }) => {
    const chosen = Array.from(condition.data.keys()).filter((k) => condition.data[k] !== 0);
    if (axis === undefined) return [array([chosen.length], chosen.map((k) => x.data[k]), x.type)];
    const along = axisOf(axis, x.shape.length);
    return [build(replaced(x.shape, along, chosen.length), (index) => at(x, replaced(index, along, chosen[index[along]])), x.type)];
  },
  OneHot: ([ids, depth, values], { axis }) => {
    const along = axisOf(axis, ids.shape.length + 1);
    const size = depth.data[0];
    return [build(ids.shape.toSpliced(along, 0, size), (index) => {
      const id = at(ids, index.toSpliced(along, 1));
      return values.data[Number((id < 0 ? id + size : id) === index[along])];
    }, values.type)];
  },
  NonZero: ([x]) => {
    const found = [...nonZero(x)];
    return [build([x.shape.length, found.length], ([axis, k]) => found[k][axis], 'int')];
  },
  CumSum: cumulate((a, b) => a + b, 0),
  CumProd: cumulate((a, b) => a * b, 1),
} satisfies EagerRows;

function* nonZero(x: Array64): Generator<number[]> {
  for (const index of indices(x.shape)) if (at(x, index) !== 0) yield [...index];
}
