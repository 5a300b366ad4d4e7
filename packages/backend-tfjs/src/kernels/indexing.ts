import type { Attributes } from '@coppice/graph';
import { around, axisOf, elements, expectThat, indices, isBig, numbers, permuted, reshaped, sameDims, sizeOf, stridesOf, vector, writable } from '../host/array.ts';
import { ALL, HELD, type Computed, type Rows } from '../row.ts';
import { Value, type Host } from '../value.ts';
import { lying } from './follow.ts';

const read = (value: Value): number[] => numbers(value as Value & Host);

/** Places counted from the front; what lies outside is an error on every engine, where WebGPU would read 0. */
function placesIn(list: readonly number[], size: number): Int32Array {
  return Int32Array.from(list, (index) => {
    const place = index < 0 ? index + size : index;
    if (place < 0 || place >= size) throw new Error(`index ${index} is outside 0 … ${size - 1}`);
    return place;
  });
}

/** How an update joins what is there. */
const JOIN: Readonly<Record<string, (old: never, update: never) => number | bigint>> = {
  none: (_, update) => update,
  add: (old: number, update: number) => old + update,
  mul: (old: number, update: number) => old * update,
  max: (old: number, update: number) => (old > update ? old : update),
  min: (old: number, update: number) => (old < update ? old : update),
};

/** For each element of `index`, its place in a tensor of shape `dims` when it stands for the position along an axis. */
function elementPlaces(index: Host, dims: readonly number[], axis: number): Int32Array {
  const strides = stridesOf(dims);
  expectThat(index.dims.length === dims.length && index.dims.every((size, a) => a === axis || size <= dims[a]), () => `an index [${index.dims.join(', ')}] does not fit [${dims.join(', ')}]`);
  const own = placesIn(numbers(index), dims[axis]);
  let k = 0;
  for (const at of indices(index.dims)) {
    let place = own[k] * strides[axis];
    for (let a = 0; a < at.length; a++) if (a !== axis) place += at[a] * strides[a];
    own[k++] = place;
  }
  return own;
}

/** Offsets of the parts that rows of coordinates [count, depth] name in a tensor, after `skip` leading axes. */
function ndOffsets(rows: readonly number[], depth: number, dims: readonly number[], skip = 0): number[] {
  const strides = stridesOf(dims);
  return Array.from({ length: depth === 0 ? 1 : rows.length / depth }, (_, row) => {
    let offset = 0;
    for (let a = 0; a < depth; a++) offset += placesIn([rows[row * depth + a]], dims[skip + a])[0] * strides[skip + a];
    return offset;
  });
}

/** From the start or, in reverse, from the end; without the own element where exclusive. Spec: CumSum-14. */
const cumulated = (kernel: string, f: (a: number, b: number) => number, big: (a: bigint, b: bigint) => bigint, start: number): Computed<Attributes<'CumSum'>> => ({
  host({ inputs: [x, axis], attributes: { exclusive, reverse } }) {
    const [outer, size, inner] = around(x.dims, axisOf(Number(axis.data[0]), x.dims.length));
    const out = elements(x.dtype, x.data.length);
    const to = writable(out);
    const exact = isBig(x.dtype);
    for (let o = 0; o < outer; o++) for (let i = 0; i < inner; i++) {
      let sum: number | bigint = exact ? BigInt(start) : start;
      for (let k = 0; k < size; k++) {
        const at = (o * size + (reverse === 1 ? size - 1 - k : k)) * inner + i;
        const next: number | bigint = exact ? big(sum as bigint, x.data[at] as bigint) : f(sum as number, x.data[at] as number);
        to[at] = exclusive === 1 ? sum : next;
        sum = next;
      }
    }
    return [{ ...x, data: out }];
  },
  device({ inputs: [x, axis], attributes: { exclusive, reverse }, device }) {
    const rank = x.dims.length;
    const at = axisOf(read(axis)[0], rank);
    if (at !== rank - 1) return undefined;
    return [Value.device(x.dtype, device.run(kernel, { x: x.plain(device) }, { axis: at, exclusive: exclusive === 1, reverse: reverse === 1 }))];
  },
  kernels: [kernel],
  reads: [1],
});

/** Slices of an axis in the order of an index. Spec: Gather-13. */
function gathered(x: Host, index: Host, axis: number): Host {
  const at = axisOf(axis, x.dims.length);
  const [outer, size, inner] = around(x.dims, at);
  const places = placesIn(numbers(index), size);
  const out = elements(x.dtype, outer * places.length * inner);
  const to = writable(out);
  let k = 0;
  for (let o = 0; o < outer; o++) for (const place of places) for (let i = 0; i < inner; i++) to[k++] = x.data[(o * size + place) * inner + i] as number;
  return { dtype: x.dtype, dims: [...x.dims.slice(0, at), ...index.dims, ...x.dims.slice(at + 1)], data: out };
}

export const indexing = {
  Gather: {
    host: ({ inputs: [x, index], attributes: { axis } }) => [gathered(x, index, axis)],
    device({ inputs: [x, index], attributes: { axis }, device }) {
      const at = axisOf(axis, x.dims.length);
      const places = placesIn(read(index), x.dims[at]);
      if (places.length === 1 && index.dims.length === 0) {
        const here = lying(x, device);
        const physical = x.order ? x.order[at] : at;
        const part = device.cut(here, physical, places[0], 1);
        const kept = Value.ordered(x.dtype, part, x.order);
        const result = Value.device(x.dtype, device.reshape(kept.plain(device), x.dims.toSpliced(at, 1)));
        kept.release();
        return [result];
      }
      const list = device.ints(places, [places.length]);
      const found = device.run('GatherV2', { x: x.plain(device), indices: list }, { axis: at, batchDims: 0 });
      device.dispose(list);
      const dims = [...x.dims.slice(0, at), ...index.dims, ...x.dims.slice(at + 1)];
      return [Value.device(x.dtype, index.dims.length === 1 ? found : device.consume(found, (t) => device.reshape(t, dims)))];
    },
    kernels: ['GatherV2', 'Slice'], reads: [1], takes: HELD, hostTakes: ALL,
  },
  /** y[…, i, …] = x[…, index[…, i, …], …]: on the device, one gather from the flat tensor. Spec: GatherElements-13. */
  GatherElements: {
    host({ inputs: [x, index], attributes: { axis } }) {
      const places = elementPlaces(index, x.dims, axisOf(axis, x.dims.length));
      const out = elements(x.dtype, places.length);
      const to = writable(out);
      for (let k = 0; k < places.length; k++) to[k] = x.data[places[k]] as number;
      return [{ dtype: x.dtype, dims: index.dims, data: out }];
    },
    device({ inputs: [x, index], attributes: { axis }, device }) {
      const places = elementPlaces(index as Value & Host, x.dims, axisOf(axis, x.dims.length));
      const [flat, list] = [device.reshape(x.plain(device), [x.size]), device.ints(places, [places.length])];
      const found = device.run('GatherV2', { x: flat, indices: list }, { axis: 0, batchDims: 0 });
      for (const tensor of [flat, list]) device.dispose(tensor);
      return [Value.device(x.dtype, device.consume(found, (t) => device.reshape(t, index.dims)))];
    },
    kernels: ['GatherV2'], reads: [1], takes: HELD, hostTakes: ALL,
  },
  GatherND: {
    host({ inputs: [x, index], attributes: { batch_dims: b } }) {
      const depth = index.dims.at(-1)!;
      expectThat(sameDims(index.dims.slice(0, b), x.dims.slice(0, b)), () => `batches [${index.dims.slice(0, b).join(', ')}] and [${x.dims.slice(0, b).join(', ')}] differ`);
      const batch = sizeOf(x.dims.slice(0, b));
      const inner = sizeOf(x.dims.slice(b + depth));
      const rows = numbers(index);
      const each = rows.length / batch;
      const out = elements(x.dtype, (rows.length / depth) * inner);
      const to = writable(out);
      let k = 0;
      for (let n = 0; n < batch; n++) {
        const start = (n * x.data.length) / batch;
        for (const offset of ndOffsets(rows.slice(n * each, (n + 1) * each), depth, x.dims, b)) for (let i = 0; i < inner; i++) to[k++] = x.data[start + offset + i] as number;
      }
      return [{ dtype: x.dtype, dims: [...index.dims.slice(0, -1), ...x.dims.slice(b + depth)], data: out }];
    },
    hostTakes: ALL,
  },
  ScatterElements: {
    host({ inputs: [x, index, updates], attributes: { axis, reduction } }) {
      expectThat(sameDims(index.dims, updates.dims), () => `updates [${updates.dims.join(', ')}] for places [${index.dims.join(', ')}]`);
      const places = elementPlaces(index, x.dims, axisOf(axis, x.dims.length));
      const out = x.data.slice();
      const to = writable(out);
      for (let k = 0; k < places.length; k++) to[places[k]] = JOIN[reduction](to[places[k]] as never, updates.data[k] as never);
      return [{ ...x, data: out }];
    },
    hostTakes: ALL,
  },
  ScatterND: {
    host({ inputs: [x, index, updates], attributes: { reduction } }) {
      const depth = index.dims.at(-1)!;
      const inner = sizeOf(x.dims.slice(depth));
      const wanted = [...index.dims.slice(0, -1), ...x.dims.slice(depth)];
      expectThat(sameDims(updates.dims, wanted), () => `updates [${updates.dims.join(', ')}] instead of [${wanted.join(', ')}]`);
      const out = x.data.slice();
      const to = writable(out);
      let k = 0;
      for (const offset of ndOffsets(numbers(index), depth, x.dims)) for (let i = 0; i < inner; i++) {
        to[offset + i] = JOIN[reduction](to[offset + i] as never, updates.data[k++] as never);
      }
      return [{ ...x, data: out }];
    },
    hostTakes: ALL,
  },
  Compress: {
    host({ inputs: [x, condition], attributes: { axis } }) {
      const chosen = Array.from(condition.data as Uint8Array).flatMap((yes, k) => (yes ? k : []));
      if (axis === undefined) return [gathered(reshaped(x, [sizeOf(x.dims)]), vector(chosen), 0)];
      return [gathered(x, vector(chosen), axis)];
    },
    hostTakes: ALL,
  },
  OneHot: {
    host({ inputs: [index, depth, values], attributes: { axis } }) {
      const size = Number(depth.data[0]);
      expectThat(values.data.length === 2, () => `${values.data.length} values instead of those for off and on`);
      const at = axisOf(axis, index.dims.length + 1);
      const dims = index.dims.toSpliced(at, 0, size);
      const [, , inner] = around(dims, at);
      const out = elements(values.dtype, sizeOf(dims));
      const to = writable(out).length === 0 ? writable(out) : writable((out as Float32Array).fill(values.data[0] as never));
      numbers(index).forEach((id, k) => {
        const place = id < 0 ? id + size : id;
        if (place >= 0 && place < size) to[(Math.floor(k / inner) * size + place) * inner + (k % inner)] = values.data[1] as number;
      });
      return [{ dtype: values.dtype, dims, data: out }];
    },
    hostTakes: ALL,
  },
  NonZero: {
    host({ inputs: [x] }) {
      const found: number[][] = [];
      let k = 0;
      for (const index of indices(x.dims)) if (Number(x.data[k++]) !== 0) found.push([...index]);
      const rank = x.dims.length;
      return [{ ...vector(Array.from({ length: rank * found.length }, (_, j) => found[j % found.length][Math.floor(j / found.length)])), dims: [rank, found.length] }];
    },
  },
  /** Of equal elements the one with the lower index comes first. Spec: TopK-24. */
  TopK: {
    host({ inputs: [x, count], attributes: { axis, largest } }) {
      const at = axisOf(axis, x.dims.length);
      const [outer, size, inner] = around(x.dims, at);
      const k = Number(count.data[0]);
      const values = elements(x.dtype, outer * k * inner);
      const to = writable(values);
      const places = new BigInt64Array(outer * k * inner);
      const sign = largest === 0 ? 1 : -1;
      for (let o = 0; o < outer; o++) for (let i = 0; i < inner; i++) {
        const elementAt = (j: number): number => x.data[(o * size + j) * inner + i] as number;
        const order = Array.from({ length: size }, (_, j) => j).sort((a, b) => (elementAt(a) < elementAt(b) ? -sign : elementAt(a) > elementAt(b) ? sign : a - b));
        for (let j = 0; j < k; j++) {
          to[(o * k + j) * inner + i] = elementAt(order[j]);
          places[(o * k + j) * inner + i] = BigInt(order[j]);
        }
      }
      const dims = x.dims.with(at, k);
      return [{ dtype: x.dtype, dims, data: values }, { dtype: 'int64', dims, data: places }];
    },
  },
  /** Distinct elements or slices, sorted or as they first occur. Spec: Unique-11. */
  Unique: {
    host({ inputs: [x], attributes: { axis, sorted } }) {
      const at = axis === undefined ? undefined : axisOf(axis, x.dims.length);
      const rows = at === undefined ? reshaped(x, [sizeOf(x.dims), 1]) : asRows(x, at);
      const [count, width] = [rows.dims[0], rows.dims[1]];
      const compare = (a: number, b: number): number => {
        for (let k = 0; k < width; k++) {
          const [p, q] = [rows.data[a * width + k], rows.data[b * width + k]];
          if (p !== q) return p < q ? -1 : 1;
        }
        return 0;
      };
      const sortedPlaces = Array.from({ length: count }, (_, k) => k).sort((a, b) => compare(a, b) || a - b);
      const groups: number[][] = [];
      for (const place of sortedPlaces) {
        if (groups.length > 0 && compare(groups.at(-1)![0], place) === 0) groups.at(-1)!.push(place);
        else groups.push([place]);
      }
      if (sorted === 0) groups.sort((a, b) => a[0] - b[0]);
      const owner = new Map(groups.flatMap((group, k) => group.map((place) => [place, k] as const)));
      const firsts = groups.map(([place]) => place);
      const flat = at === undefined ? reshaped(x, [sizeOf(x.dims)]) : x;
      const values = gathered(flat, vector(firsts), at ?? 0);
      return [values, vector(firsts), vector(Array.from({ length: count }, (_, k) => owner.get(k)!)), vector(groups.map((group) => group.length))];
    },
    hostTakes: ALL,
  },
  CumSum: cumulated('Cumsum', (a, b) => a + b, (a, b) => a + b, 0),
  CumProd: cumulated('Cumprod', (a, b) => a * b, (a, b) => a * b, 1),
} satisfies Rows;

/** [size of the axis, all else]. */
function asRows(x: Host, axis: number): Host {
  const order = [axis, ...x.dims.map((_, k) => k).filter((k) => k !== axis)];
  return reshaped(permuted(x, order), [x.dims[axis], sizeOf(x.dims) / Math.max(1, x.dims[axis])]);
}

