/** How often values fell into equal parts of a range. What is outside counts at the nearer end. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly counts: Float64Array;
}

/** An empty histogram over [min, max], min < max. */
export const newHistogram = (min: number, max: number, bins: number): Histogram => ({ min, max, counts: new Float64Array(bins) });

/** Adds values; those that are not finite are left out. */
export function addToHistogram({ min, max, counts }: Histogram, values: Float32Array): void {
  const perUnit = counts.length / (max - min);
  const last = counts.length - 1;
  for (let k = 0; k < values.length; k++) {
    const x = values[k];
    if (!(x - x === 0)) continue;
    const bin = Math.floor((x - min) * perUnit);
    counts[bin < 0 ? 0 : bin > last ? last : bin]++;
  }
}

/**
 * The value below which the share `q` of all counted values lies, to within the width of one bin: the end of the bin in which the
 * count reaches the share for `side = 'upper'`, its beginning for `'lower'`, so that a range of two of them holds what it promises.
 */
export function quantileOf({ min, max, counts }: Histogram, q: number, side: 'lower' | 'upper'): number {
  const total = counts.reduce((sum, n) => sum + n, 0);
  const width = (max - min) / counts.length;
  // With a total of n the share q of the values is the ⌈q·n⌉-th smallest; the first one for q = 0.
  const wanted = Math.min(Math.max(Math.ceil(q * total), 1), total);
  let seen = 0;
  for (let bin = 0; bin < counts.length; bin++) {
    seen += counts[bin];
    if (seen >= wanted) return side === 'upper' ? (bin === counts.length - 1 ? max : min + (bin + 1) * width) : min + bin * width;
  }
  return max;
}
