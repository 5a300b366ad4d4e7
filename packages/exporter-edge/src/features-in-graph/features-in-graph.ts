import { checkFeatureSettings, firstStart, hopSamples, melFilters, windowSamples, type FeatureSettings } from '@coppice/speech';
import { CoppiceError } from '@coppice/graph';
import { afterLogarithm, logarithmFactor } from './after-logarithm.ts';
import type { Emitter } from './emitter.ts';
import { binsOf, overhang, windowTransform, type Bins } from './window-transform.ts';

/** Why features cannot be computed by a graph; undefined when they can. */
export const featuresInGraphFault = ({ dither }: FeatureSettings): string | undefined =>
  dither === 0 ? undefined : `The features have a dither of ${dither}: noise that a graph cannot draw as training did. Train with dither 0.`;

/**
 * The whole way from samples to features, as nodes: framing and transform as one convolution, filters and cosines as products,
 * logarithms, normalisation. The same numbers as `computeFeatures`, in float32 instead of float64.
 * @param samples a value [batch, sample] at the settings' sample rate, in [−1, 1], at least a window long; a batch of more than one is
 * of clips of equal length
 * @returns the value [batch, feature, time]
 * @throws CoppiceError `COPPICE_TARGET_REFUSED` for features with dither, `COPPICE_CONFIG_INVALID`
 */
export function featuresInGraph(emit: Emitter, samples: string, settings: FeatureSettings): string {
  checkFeatureSettings(settings);
  const fault = featuresInGraphFault(settings);
  if (fault !== undefined) throw new CoppiceError('COPPICE_TARGET_REFUSED', fault);
  const emphasised = settings.preemphasisOver === 'clip' && settings.preemphasis > 0 ? emphasise(emit, samples, settings.preemphasis) : samples;
  const padded = padClip(emit, emphasised, settings);
  const filters = melFilters(settings);
  const bins = binsOf(filters);
  const window = windowSamples(settings);
  const kernel = emit.constant('float32', [2 * bins.count, 1, window], Float32Array.from(windowTransform(settings, bins)), 'coppice.transform');
  const spectra = emit.op('Conv', [emit.op('Unsqueeze', [padded, emit.ints(1)]), kernel], { kernel_shape: [window], strides: [hopSamples(settings)] }, 'coppice.spectra');
  const energies = melEnergies(emit, spectra, settings, bins);
  const floored = emit.op(settings.floorBy === 'max' ? 'Max' : 'Add', [energies, emit.float(settings.floor)]);
  const factor = logarithmFactor(settings);
  const logs = emit.op('Log', [floored], {}, 'coppice.logarithm');
  return afterLogarithm(emit, factor === 1 ? logs : emit.op('Mul', [logs, emit.float(factor)]), settings);
}

/** x[n] − p·x[n−1], its first sample as it is: [batch, sample] → the same. */
function emphasise(emit: Emitter, samples: string, preemphasis: number): string {
  const late = emit.op('Slice', [emit.op('Pad', [samples, emit.ints(0, 1, 0, 0)]), emit.ints(0), emit.ints(-1), emit.ints(1)]);
  return emit.op('Sub', [samples, emit.op('Mul', [late, emit.float(preemphasis)])]);
}

/** The clip with what its first and last windows reach beyond it. */
function padClip(emit: Emitter, samples: string, settings: FeatureSettings): string {
  const { left, right } = overhang(settings, firstStart(settings));
  const slice = (value: string, start: number, end: number, step = 1): string => emit.op('Slice', [value, emit.ints(start), emit.ints(end), emit.ints(1), emit.ints(step)]);
  // A hop longer than the window may leave samples out instead.
  const cropped = left < 0 || right < 0 ? slice(samples, Math.max(0, -left), right < 0 ? right : Number.MAX_SAFE_INTEGER) : samples;
  const [before, behind] = [Math.max(0, left), Math.max(0, right)];
  if (before === 0 && behind === 0) return cropped;
  if (settings.framing !== 'mirror-edges') return emit.op('Pad', [cropped, emit.ints(0, before, 0, behind)], settings.framing === 'center-reflect' ? { mode: 'reflect' } : {});
  // ONNX has no padding that repeats the last sample too, so it is put together.
  const mirrored = [...(before > 0 ? [slice(samples, before - 1, Number.MIN_SAFE_INTEGER, -1)] : []), cropped, ...(behind > 0 ? [slice(samples, -1, -behind - 1, -1)] : [])];
  return emit.op('Concat', mirrored, { axis: 1 });
}

/** [batch, 2 · bin, time] → [batch, mel, time]. */
function melEnergies(emit: Emitter, spectra: string, settings: FeatureSettings, { first, count }: Bins): string {
  const filters = melFilters(settings);
  const squares = emit.op('Mul', [spectra, spectra]);
  const inPower = settings.spectrum === 'power';
  const width = inPower ? 2 * count : count;
  const weights = new Float32Array(filters.length * width);
  for (const [k, filter] of filters.entries()) {
    for (const [n, weight] of filter.weights.entries()) for (let at = filter.first + n - first; at < width; at += count) weights[k * width + at] = weight;
  }
  const matrix = emit.constant('float32', [filters.length, width], weights, 'coppice.filters');
  if (inPower) return emit.op('MatMul', [matrix, squares], {}, 'coppice.energies');
  const half = (start: number): string => emit.op('Slice', [squares, emit.ints(start), emit.ints(start + count), emit.ints(1)]);
  return emit.op('MatMul', [matrix, emit.op('Sqrt', [emit.op('Add', [half(0), half(count)])])], {}, 'coppice.energies');
}
