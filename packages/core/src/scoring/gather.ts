/** Part of a tensor: some indices of one axis, and of other axes only the range [from, to). */
export interface Part {
  readonly axis: number;
  readonly indices: readonly number[];
  readonly within?: ReadonlyMap<number, readonly [number, number]>;
}

/** One level of a nested loop over a tensor: where it starts and how far apart its turns are, in elements. */
interface Level { readonly count: number; readonly stride: number; readonly starts?: readonly number[] }

/**
 * Copies parts of a tensor, each row-major, one behind the other.
 * @param source the tensor, row-major
 */
export function gather(source: Float32Array, dims: readonly number[], parts: readonly Part[]): Float32Array {
  const plans = parts.map((part) => planLoops(dims, part));
  const result = new Float32Array(plans.reduce((sum, { size }) => sum + size, 0));
  let at = 0;
  for (const plan of plans) at = copy(source, plan, result, at);
  return result;
}

/**
 * Puts back what `gather` copied, into the same places.
 * @param values parts one behind the other, each row-major
 * @param target the tensor, row-major; changed
 */
export function scatter(values: ArrayLike<number>, target: Float32Array, dims: readonly number[], parts: readonly Part[]): void {
  let at = 0;
  for (const { bases, count, stride, run } of parts.map((part) => planLoops(dims, part))) {
    for (const base of bases) {
      for (let k = 0, to = base; k < count; k++, to += stride) for (let r = 0; r < run; r++) target[to + r] = values[at++];
    }
  }
}

interface Loops {
  readonly size: number;
  /** Where the inner loop starts, once for each turn of all loops around it. */
  readonly bases: readonly number[];
  readonly count: number;
  readonly stride: number;
  /** Elements next to one another in each turn. */
  readonly run: number;
}

/** Folds all axes into one loop of contiguous runs, as far as they allow. */
function planLoops(dims: readonly number[], { axis, indices, within }: Part): Loops {
  const levels: Level[] = [];
  let [stride, run, base, size] = [1, 1, 0, 1];
  for (let a = dims.length - 1; a >= 0; a--) {
    const [from, to] = within?.get(a) ?? [0, dims[a]];
    const consecutive = a !== axis || isConsecutive(indices);
    const first = a === axis ? (indices[0] ?? 0) : from;
    const count = a === axis ? indices.length : to - from;
    size *= count;
    const inner = levels.at(-1);
    if (!consecutive) levels.push({ count, stride, starts: indices.map((i) => i * stride) });
    else {
      base += first * stride;
      if (levels.length === 0 && run === stride) run *= count;
      else if (inner && !inner.starts && inner.stride * inner.count === stride) levels[levels.length - 1] = { count: inner.count * count, stride: inner.stride };
      else if (count > 1) levels.push({ count, stride });
    }
    stride *= dims[a];
  }
  const [first] = levels;
  const loop = first && !first.starts ? first : { count: 1, stride: 0 };
  let bases = [base];
  for (const { count, stride: step, starts } of levels.slice(loop === first ? 1 : 0)) {
    const offsets = starts ?? Array.from({ length: count }, (_, k) => k * step);
    bases = offsets.flatMap((offset) => bases.map((b) => b + offset));
  }
  return { size, bases: size === 0 ? [] : bases, count: loop.count, stride: loop.stride, run };
}

const isConsecutive = (indices: readonly number[]): boolean => indices.every((index, k) => k === 0 || index === indices[k - 1] + 1);

/** From this length on a block copy is faster than a loop. */
const LONG_RUN = 32;

function copy(source: Float32Array, { bases, count, stride, run }: Loops, result: Float32Array, at: number): number {
  for (const base of bases) {
    for (let k = 0, from = base; k < count; k++, from += stride) {
      if (run === 1) result[at] = source[from];
      else if (run < LONG_RUN) for (let r = 0; r < run; r++) result[at + r] = source[from + r];
      else result.set(source.subarray(from, from + run), at);
      at += run;
    }
  }
  return at;
}
