/** Which elements of one axis of a tensor stay. */
export interface AxisKept {
  readonly axis: number;
  /** Kept indices, ascending; one list for each lane. */
  readonly indices: readonly (readonly number[])[];
  /** The axis that names the lane of an element, and how many of its indices make a lane. Needed when there are several lists. */
  readonly by?: number;
  readonly block?: number;
}

/**
 * A tensor without the elements that go, row-major.
 * @param bytes contents, `elementBytes` each
 * @param dims its sizes before
 */
export function compress(bytes: Uint8Array, dims: readonly number[], elementBytes: number, cuts: readonly AxisKept[]): Uint8Array {
  let data = bytes;
  const sizes = [...dims];
  // Lanes are named by indices of the whole tensor, so axes with lanes are cut first.
  for (const cut of cuts.toSorted((a, b) => b.indices.length - a.indices.length)) {
    data = cut.indices.length > 1 ? compressLanes(data, sizes, elementBytes, cut) : compressAxis(data, sizes, elementBytes, cut.axis, cut.indices[0]);
    sizes[cut.axis] = cut.indices[0].length;
  }
  return data;
}

function compressAxis(data: Uint8Array, sizes: readonly number[], elementBytes: number, axis: number, kept: readonly number[]): Uint8Array {
  const row = sizes.slice(axis + 1).reduce((p, n) => p * n, elementBytes);
  const outer = sizes.slice(0, axis).reduce((p, n) => p * n, 1);
  const result = new Uint8Array(outer * kept.length * row);
  if (row <= 16) {
    pickRows(data, result, row, outer, sizes[axis], kept);
    return result;
  }
  const runs = runsOf(kept);
  let to = 0;
  for (let o = 0; o < outer; o++) {
    const start = o * sizes[axis] * row;
    for (const [from, length] of runs) {
      result.set(data.subarray(start + from * row, start + (from + length) * row), to);
      to += length * row;
    }
  }
  return result;
}

/** Columns of a matrix, a few bytes each, word by word. */
function pickRows(data: Uint8Array, result: Uint8Array, row: number, outer: number, length: number, kept: readonly number[]): void {
  const Words = row % 4 === 0 ? Uint32Array : row % 2 === 0 ? Uint16Array : Uint8Array;
  const width = Words.BYTES_PER_ELEMENT;
  const aligned = data.byteOffset % width === 0 ? data : data.slice();
  const from = new Words(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / width);
  const to = new Words(result.buffer as ArrayBuffer);
  const words = row / width;
  const picked = Int32Array.from(kept);
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (let k = 0; k < picked.length; k++) {
      const start = (o * length + picked[k]) * words;
      for (let w = 0; w < words; w++) to[at++] = from[start + w];
    }
  }
}

function compressLanes(data: Uint8Array, sizes: readonly number[], elementBytes: number, { axis, indices, by = 0, block = 1 }: AxisKept): Uint8Array {
  const inner = sizes.slice(axis + 1).reduce((p, n) => p * n, 1);
  const outer = sizes.slice(0, axis).reduce((p, n) => p * n, 1);
  const count = indices[0].length;
  const result = new Uint8Array(outer * count * inner * elementBytes);
  // Distance between neighbours of axis `by`, counted in outer rows or, when it lies inside, in inner elements.
  const stride = by < axis ? sizes.slice(by + 1, axis).reduce((p, n) => p * n, 1) : sizes.slice(by + 1).reduce((p, n) => p * n, 1);
  const laneAt = (place: number) => Math.floor((Math.floor(place / stride) % sizes[by]) / block);
  let to = 0;
  for (let o = 0; o < outer; o++) {
    for (let k = 0; k < count; k++) {
      if (by < axis) {
        copy(data, (o * sizes[axis] + indices[laneAt(o)][k]) * inner * elementBytes, result, to, inner * elementBytes);
        to += inner * elementBytes;
      } else {
        for (let i = 0; i < inner; i++, to += elementBytes) copy(data, ((o * sizes[axis] + indices[laneAt(i)][k]) * inner + i) * elementBytes, result, to, elementBytes);
      }
    }
  }
  return result;
}

/** Short copies by hand: `set(subarray)` costs more than the bytes it moves. */
function copy(from: Uint8Array, start: number, to: Uint8Array, at: number, length: number): void {
  if (length > 32) to.set(from.subarray(start, start + length), at);
  else for (let k = 0; k < length; k++) to[at + k] = from[start + k];
}

/** Ascending indices as runs of neighbours. */
function runsOf(indices: readonly number[]): [from: number, length: number][] {
  const runs: [number, number][] = [];
  for (const index of indices) {
    const last = runs.at(-1);
    if (last && last[0] + last[1] === index) last[1]++;
    else runs.push([index, 1]);
  }
  return runs;
}
