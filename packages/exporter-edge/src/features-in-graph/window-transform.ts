import { hopSamples, windowSamples, windowValues, type FeatureSettings, type MelFilter } from '@coppice/speech';

/** Some bins of a discrete Fourier transform. */
export interface Bins {
  readonly first: number;
  readonly count: number;
}

/** The bins that any filter reads. */
export function binsOf(filters: readonly MelFilter[]): Bins {
  const used = filters.filter(({ weights }) => weights.length > 0);
  const first = Math.min(...used.map((filter) => filter.first));
  return { first, count: Math.max(...used.map((filter) => filter.first + filter.weights.length)) - first };
}

/**
 * All that happens to the samples of one window up to its spectrum, as one matrix, which it is: scale, removal of the mean,
 * pre-emphasis within the frame, window function, transform. Composed in float64.
 * @returns [2 · bin, sample], the real parts of all bins and then the imaginary ones
 */
export function windowTransform(settings: FeatureSettings, { first, count }: Bins): Float64Array {
  const { fftSize, scale, removeMean } = settings;
  const length = windowSamples(settings);
  const window = windowValues(settings);
  const emphasis = settings.preemphasisOver === 'frame' ? settings.preemphasis : 0;
  const matrix = new Float64Array(2 * count * length);
  for (let row = 0; row < 2 * count; row++) {
    const bin = first + (row % count);
    const values = matrix.subarray(row * length, (row + 1) * length);
    for (let n = 0; n < length; n++) {
      // Reduced before it is multiplied by π, so that nothing is lost at high bins.
      const angle = (2 * Math.PI * ((bin * n) % fftSize)) / fftSize;
      values[n] = scale * window[n] * (row < count ? Math.cos(angle) : -Math.sin(angle));
    }
    // Rows are multiplied from the right: what sample n gives to itself, less what it takes from the one after it.
    const before = values[0];
    for (let n = 0; n < length - 1; n++) values[n] -= emphasis * values[n + 1];
    values[0] -= emphasis * before;
    if (removeMean) {
      let sum = 0;
      for (const value of values) sum += value;
      for (let n = 0; n < length; n++) values[n] -= sum / length;
    }
  }
  return matrix;
}

/** Samples that windows reach beyond the clip, at its beginning and end; negative where they leave some out. */
export function overhang(settings: FeatureSettings, start: number): { left: number; right: number } {
  const [length, hop] = [windowSamples(settings), hopSamples(settings)];
  if (settings.framing === 'snip-edges') return { left: 0, right: 0 };
  if (settings.framing === 'mirror-edges') return { left: -start, right: Math.floor(hop / 2) - hop + length + start };
  return { left: -start, right: length + start };
}
