import type { Backend, Executable, NamedTensors } from '@coppice/core';
import { CoppiceError, graphOf, makeValueInfo, toFloat32, withFields, type Model } from '@coppice/graph';
import { entropyThreshold } from './entropy.ts';
import { addToHistogram, newHistogram, quantileOf, type Histogram } from './histogram.ts';

/** Inputs of a few representative runs, drawn as often as wanted. */
export type CalibrationRuns = () => AsyncIterable<NamedTensors>;

/** How ranges follow from what activations were. */
export interface CalibrationOptions {
  /**
   * `min-max`: all that was seen. `percentile`: the given share of the values, half of the rest cut at each end.
   * `entropy`: the clipping that loses least information (Migacz 2017).
   */
  readonly method: 'min-max' | 'percentile' | 'entropy';
  /** Per cent of the values within the range of `percentile`. Default 99.99. */
  readonly percentile?: number;
  /** Parts of the histograms. Default 2048. */
  readonly bins?: number;
}

/** What calibration saw of one activation. */
export type ObservedRange =
  | { readonly min: number; readonly max: number; /** Elements that were seen. */ readonly count: number }
  /** Why no range can be taken: a sentence without its subject. */
  | { readonly refused: string };

/** Activations that are fetched in one run: bounds the memory that calibration takes beside the model's own. */
const AT_ONCE = 16;

/**
 * Ranges of activations over the runs. Two passes for percentile and entropy, the first for the extremes and the second for histograms
 * between them, so that nothing has to be binned anew; memory is one histogram for each activation, whatever the number of runs.
 * @param names values of the main graph, float32
 * @throws CoppiceError `COPPICE_CALIBRATION_INVALID` without runs, or for options out of range; whatever the backend throws
 */
export async function calibrate(model: Model, backend: Backend, runs: CalibrationRuns, names: readonly string[], options: CalibrationOptions): Promise<ReadonlyMap<string, ObservedRange>> {
  checkOptions(options);
  const wanted = [...new Set(names)];
  if (wanted.length === 0) return new Map();
  const executable = await backend.compile(exposing(model, wanted), { optimise: 'none' });
  try {
    const extremes = new Map(wanted.map((name) => [name, { min: Infinity, max: -Infinity, count: 0, unusable: 0 }]));
    const seen = await observe(executable, runs, wanted, (name, values) => addExtremes(extremes.get(name)!, values));
    if (seen === 0) throw new CoppiceError('COPPICE_CALIBRATION_INVALID', 'There was no run to calibrate with. Give a few recordings that the model was made for.');
    const ranges = new Map(wanted.map((name) => [name, rangeOf(extremes.get(name)!)]));
    if (options.method === 'min-max') return ranges;
    const histograms = new Map<string, Histogram>();
    for (const [name, range] of ranges) if (!('refused' in range)) histograms.set(name, histogramFor(range, options));
    const counted = (name: string, values: Float32Array) => (options.method === 'percentile' ? values : entropyValues(values, isSigned(ranges.get(name)!)));
    await observe(executable, runs, [...histograms.keys()], (name, values) => addToHistogram(histograms.get(name)!, counted(name, values)));
    return new Map([...ranges].map(([name, range]) => [name, 'refused' in range ? range : clipped(range, histograms.get(name)!, options)]));
  } finally {
    await executable.dispose();
  }
}

function checkOptions({ method, percentile = 99.99, bins = 2048 }: CalibrationOptions): void {
  if (!['min-max', 'percentile', 'entropy'].includes(method)) throw new CoppiceError('COPPICE_CALIBRATION_INVALID', `There is no calibration '${String(method)}'. Choose min-max, percentile or entropy.`);
  if (!(percentile > 50 && percentile <= 100)) throw new CoppiceError('COPPICE_CALIBRATION_INVALID', `A percentile of ${percentile} keeps too little or more than there is. Give one above 50 and up to 100, e.g. 99.99.`);
  if (!Number.isInteger(bins) || bins < 256) throw new CoppiceError('COPPICE_CALIBRATION_INVALID', `${bins} bins are too few for 8 bits. Give a whole number from 256 on.`);
}

/** The model with further outputs. */
export function exposing(model: Model, names: readonly string[]): Model {
  const graph = graphOf(model);
  const known = new Set([...graph.output, ...graph.input].map(({ name }) => name));
  const output = [...graph.output, ...names.filter((name) => !known.has(name)).map((name) => makeValueInfo(name, 'float32'))];
  return { ...model, proto: withFields(model.proto, { graph: withFields(graph, { output }) }) };
}

/** Runs everything once and hands out each value; the number of runs. */
async function observe(executable: Executable, runs: CalibrationRuns, names: readonly string[], see: (name: string, values: Float32Array) => void): Promise<number> {
  let count = 0;
  if (names.length === 0) return count;
  for await (const inputs of runs()) {
    for (let from = 0; from < names.length; from += AT_ONCE) {
      const some = names.slice(from, from + AT_ONCE);
      const fetched = some.filter((name) => !(name in inputs));
      const results = fetched.length > 0 ? await executable.run(inputs, fetched) : {};
      for (const name of some) see(name, toFloat32(results[name] ?? inputs[name]));
    }
    count++;
  }
  return count;
}

interface Extremes { min: number; max: number; count: number; unusable: number }

function addExtremes(extremes: Extremes, values: Float32Array): void {
  for (let k = 0; k < values.length; k++) {
    const x = values[k];
    if (!(x - x === 0)) {
      extremes.unusable++;
      continue;
    }
    if (x < extremes.min) extremes.min = x;
    if (x > extremes.max) extremes.max = x;
  }
  extremes.count += values.length;
}

function rangeOf({ min, max, count, unusable }: Extremes): ObservedRange {
  if (unusable > 0) return { refused: `had ${unusable} values of ${count} that are infinite or not a number while calibrating` };
  if (count === 0) return { refused: 'was empty in all calibration runs' };
  if (min === 0 && max === 0) return { refused: 'was zero in all calibration runs, so its range is unknown' };
  if (!Number.isFinite(Math.fround((Math.max(max, 0) - Math.min(min, 0)) / 255))) return { refused: 'has a range too wide for float32' };
  return { min, max, count };
}

const isSigned = (range: ObservedRange): boolean => !('refused' in range) && range.min < 0 && range.max > 0;

/**
 * Zeros are left out: every scale holds them exactly, and behind a ReLU there are so many that clipping all the rest would seem to lose nothing.
 */
const entropyValues = (values: Float32Array, signed: boolean): Float32Array => {
  const some = values.filter((x) => x !== 0);
  return signed ? some.map(Math.abs) : some;
};

/** Percentiles count the values as they are; entropy their distance from zero, which is the value itself where there is one sign only. */
function histogramFor(range: Extract<ObservedRange, { count: number }>, { method, bins = 2048 }: CalibrationOptions): Histogram {
  const { min, max } = range;
  if (method === 'percentile') return min < max ? newHistogram(min, max, bins) : newHistogram(Math.min(min, 0), Math.max(max, 0), bins);
  return max <= 0 ? newHistogram(min, 0, bins) : newHistogram(0, Math.max(max, -min), bins);
}

function clipped(range: Extract<ObservedRange, { count: number }>, histogram: Histogram, { method, percentile = 99.99 }: CalibrationOptions): ObservedRange {
  const { min, max, count } = range;
  if (method === 'percentile') {
    const rest = (100 - percentile) / 200;
    // Activations behind a ReLU have their end at zero by construction: all the rest is cut at the other end.
    const low = min >= 0 ? min : quantileOf(histogram, max <= 0 ? 2 * rest : rest, 'lower');
    const high = max <= 0 ? max : quantileOf(histogram, 1 - (min >= 0 ? 2 * rest : rest), 'upper');
    return { min: Math.max(min, low), max: Math.min(max, high), count };
  }
  const negative = max <= 0;
  const counts = negative ? histogram.counts.toReversed() : histogram.counts;
  const width = (histogram.max - histogram.min) / counts.length;
  // Values of both signs share the steps.
  const threshold = entropyThreshold(counts, isSigned(range) ? 128 : 256) * width;
  return { min: Math.max(min, -threshold), max: Math.min(max, threshold), count };
}
