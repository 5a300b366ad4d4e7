import { array, build, count, indices, offset, type Array64 } from './array64.ts';
import type { EagerRows } from './row.ts';

interface PoolAttributes {
  readonly kernel_shape: readonly number[];
  readonly auto_pad: string;
  readonly ceil_mode: number;
  readonly dilations?: readonly number[] | undefined;
  readonly pads?: readonly number[] | undefined;
  readonly strides?: readonly number[] | undefined;
}

/** What of one axis a window at a place sees: the positions in the tensor, and how many of its own lie in the tensor or its padding. */
interface Axis {
  readonly windows: number;
  seen(window: number): { readonly positions: readonly number[]; readonly counted: number };
}

function axisAt(size: number, a: number, { kernel_shape, auto_pad, ceil_mode, dilations, pads, strides }: PoolAttributes): Axis {
  const [kernel, stride, dilation] = [kernel_shape[a], strides?.[a] ?? 1, dilations?.[a] ?? 1];
  const reach = dilation * (kernel - 1) + 1;
  let [before, after] = auto_pad === 'NOTSET' ? [pads?.[a] ?? 0, pads?.[a + kernel_shape.length] ?? 0] : [0, 0];
  let windows: number;
  if (auto_pad.startsWith('SAME')) {
    windows = Math.ceil(size / stride);
    const missing = Math.max(0, (windows - 1) * stride + reach - size);
    before = auto_pad === 'SAME_UPPER' ? Math.floor(missing / 2) : Math.ceil(missing / 2);
    after = missing - before;
  } else {
    const span = size + before + after - reach;
    windows = (ceil_mode === 1 ? Math.ceil(span / stride) : Math.floor(span / stride)) + 1;
    // A window that would begin in the padding at the end is left out.
    if (ceil_mode === 1 && (windows - 1) * stride >= size + before) windows--;
  }
  const own = (window: number) => Array.from({ length: kernel }, (_, k) => window * stride + k * dilation - before);
  return {
    windows,
    seen: (window) => ({ positions: own(window).filter((x) => x >= 0 && x < size), counted: own(window).filter((x) => x < size + after).length }),
  };
}

/** A pool from what it makes of the elements of a window, their places in the whole tensor, and the number of elements and padding. */
function pool(x: Array64, attributes: PoolAttributes, of: (elements: readonly number[], places: readonly number[], counted: number) => number, type: 'float' | 'int' = 'float'): Array64 {
  const [n, c, ...space] = x.shape;
  const axes = space.map((size, a) => axisAt(size, a, attributes));
  return build([n, c, ...axes.map(({ windows }) => windows)], ([item, channel, ...window]) => {
    const seen = window.map((w, a) => axes[a].seen(w));
    const places = placesIn(x, item, channel, seen.map(({ positions }) => positions));
    return of(places.map((place) => x.data[place]), places, seen.reduce((product, { counted }) => product * counted, 1));
  }, type);
}

function placesIn(x: Array64, item: number, channel: number, positions: readonly (readonly number[])[]): number[] {
  const places: number[] = [];
  for (const index of indices(positions.map((list) => list.length))) places.push(offset(x.shape, [item, channel, ...index.map((k, a) => positions[a][k])]));
  return places;
}

/** The number of a place, which is counted row by row, or within each channel column by column. Spec: MaxPool-22, "storage_order". */
function numberOf([, , ...space]: readonly number[], place: number, byColumns: boolean): number {
  if (!byColumns) return place;
  const size = count(space);
  let [number, rest, stride] = [place - (place % size), place % size, size];
  // The first axis of the space runs fastest.
  for (const length of space.toReversed()) {
    stride /= length;
    number += (rest % length) * stride;
    rest = Math.floor(rest / length);
  }
  return number;
}

const norm = (elements: readonly number[], p: number): number => elements.reduce((sum, x) => sum + Math.abs(x) ** p, 0) ** (1 / p);
const total = (elements: readonly number[]): number => elements.reduce((sum, x) => sum + x, 0);

/** One number a channel. */
const global = (x: Array64, of: (elements: readonly number[]) => number): Array64 => {
  const [n, c, ...space] = x.shape;
  const size = count(space);
  return array([n, c, ...space.map(() => 1)], Array.from({ length: n * c }, (_, k) => of(Array.from(x.data.slice(k * size, (k + 1) * size)))));
};

export const pools = {
  MaxPool: ([x], attributes) => [
    pool(x, attributes, (elements) => Math.max(...elements)),
    pool(x, attributes, (elements, places) => numberOf(x.shape, places[elements.indexOf(Math.max(...elements))], attributes.storage_order === 1), 'int'),
  ],
  AveragePool: ([x], attributes) => [pool(x, attributes, (elements, _, counted) => total(elements) / (attributes.count_include_pad === 1 ? counted : elements.length))],
  LpPool: ([x], attributes) => [pool(x, attributes, (elements) => norm(elements, attributes.p))],
  MaxUnpool([x, places, wanted], { kernel_shape, pads, strides }) {
    const [n, c, ...space] = x.shape;
    const shape = wanted ? Array.from(wanted.data) : [n, c, ...space.map((size, a) => (size - 1) * (strides?.[a] ?? 1) + kernel_shape[a] - (pads?.[a] ?? 0) - (pads?.[a + space.length] ?? 0))];
    const y = array(shape, new Float64Array(count(shape)));
    places.data.forEach((place, k) => { y.data[place] = x.data[k]; });
    return [y];
  },
  GlobalAveragePool: ([x]) => [global(x, (elements) => total(elements) / elements.length)],
  GlobalMaxPool: ([x]) => [global(x, (elements) => Math.max(...elements))],
  GlobalLpPool: ([x], { p }) => [global(x, (elements) => norm(elements, p))],
} satisfies EagerRows;
