import { CoppiceError } from '@coppice/graph';

/** Which elements of a weight share a scale: those that agree in the axes of `keep` (and in the block along `block.axis`). */
export interface Sharing {
  /** Axes of which every element has a scale of its own; none gives one scale for the whole tensor. */
  readonly keep: readonly number[];
  /** Axis that is divided into blocks of `size` elements, each with a scale. `size` divides the axis. */
  readonly block?: { readonly axis: number; readonly size: number };
}

/** A weight in a few bits: w ≈ q · scale, zero stands for zero. */
export interface QuantizedWeight {
  /** One element a byte, row-major, in the shape of the weight. */
  readonly q: Int8Array;
  readonly scales: Float32Array;
  /** The rank of the weight; 1 where elements share a scale, the number of blocks along the blocked axis. */
  readonly scaleDims: readonly number[];
}

/** Largest q of symmetric numbers of so many bits: −most … most, so that zero is exact and no sign is favoured. */
export const largest = (bits: number): number => 2 ** (bits - 1) - 1;

/** Rounds to the nearest whole number, ties to even, as QuantizeLinear does. */
export function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/** The dimensions of the scales of a weight. */
export const scaleDimsOf = (dims: readonly number[], { keep, block }: Sharing): number[] =>
  dims.map((n, axis) => (block?.axis === axis ? n / block.size : keep.includes(axis) ? n : 1));

/** The number of the scale that each element of a weight has, row-major. */
export function scaleIndices(dims: readonly number[], sharing: Sharing): Uint32Array {
  const count = dims.reduce((product, n) => product * n, 1);
  const scaleDims = scaleDimsOf(dims, sharing);
  const strides = scaleDims.map((n, axis) => (n === 1 ? 0 : scaleDims.slice(axis + 1).reduce((product, m) => product * m, 1)));
  const indices = new Uint32Array(count);
  const at = dims.map(() => 0);
  for (let k = 0; k < count; k++) {
    let index = 0;
    for (let axis = 0; axis < at.length; axis++) index += strides[axis] * (sharing.block?.axis === axis ? Math.floor(at[axis] / sharing.block.size) : at[axis]);
    indices[k] = index;
    for (let axis = at.length - 1; axis >= 0 && ++at[axis] === dims[axis]; axis--) at[axis] = 0;
  }
  return indices;
}

/**
 * A weight in symmetric whole numbers: scale = max|w| / most over the elements that share it, q = round(w / scale), ties to even.
 * A channel of zeros gets the scale 1. With fewer than 16 steps, of the scales from 0.6 to 1 times that one the one with the least squared
 * error is taken, because a single large weight would cost all others their bits. Jacob et al. 2018 (symmetric weights);
 * Krishnamoorthi 2018, section 3 (per channel); Banner et al. 2019 (clipping at 4 bits).
 * @param most largest |q|, e.g. 127 for int8, 63 in seven bits, 7 for int4
 * @param floor least scale of each channel, for biases that must fit into int32
 * @throws CoppiceError `COPPICE_QUANTIZE_INVALID` for weights that are not finite
 */
export function quantizeWeight(values: Float32Array, dims: readonly number[], sharing: Sharing, most: number, floor?: Float32Array): QuantizedWeight {
  const indices = scaleIndices(dims, sharing);
  const scaleDims = scaleDimsOf(dims, sharing);
  const scales = new Float32Array(scaleDims.reduce((product, n) => product * n, 1));
  for (let k = 0; k < values.length; k++) {
    const size = Math.abs(values[k]);
    if (!Number.isFinite(size)) throw new CoppiceError('COPPICE_QUANTIZE_INVALID', `A weight holds ${values[k]} at element ${k}, which no scale can stand for. Export the model again, or keep the operator in float.`);
    if (size > scales[indices[k]]) scales[indices[k]] = size;
  }
  for (let k = 0; k < scales.length; k++) {
    const scale = Math.fround(scales[k] / most);
    // Denormal scales would make w / scale infinite or lose all bits; what is that small is zero to everything it meets.
    scales[k] = scale < 1e-30 ? 1 : scale;
    if (floor && scales[k] < floor[k]) scales[k] = floor[k];
  }
  if (most < FEW_STEPS) clip(values, indices, scales, most);
  const q = new Int8Array(values.length);
  for (let k = 0; k < values.length; k++) q[k] = Math.max(-most, Math.min(most, roundHalfEven(values[k] / scales[indices[k]])));
  return { q, scales, scaleDims };
}

const FEW_STEPS = 16;
/** Shares of the largest weight that are tried as the end of the range. */
const ENDS = [1, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6];

/** Lowers each scale to the one of `ENDS` with the least squared error. */
function clip(values: Float32Array, indices: Uint32Array, scales: Float32Array, most: number): void {
  const widest = scales.slice();
  const least = new Float64Array(scales.length).fill(Infinity);
  for (const end of ENDS) {
    const errors = new Float64Array(scales.length);
    for (let k = 0; k < values.length; k++) {
      const scale = Math.fround(widest[indices[k]] * end);
      errors[indices[k]] += (Math.max(-most, Math.min(most, roundHalfEven(values[k] / scale))) * scale - values[k]) ** 2;
    }
    for (let k = 0; k < scales.length; k++) {
      if (errors[k] >= least[k]) continue;
      least[k] = errors[k];
      scales[k] = Math.fround(widest[k] * end);
    }
  }
}

/** How an activation is written in 8 bits: x ≈ (q − zeroPoint) · scale. */
export interface ActivationScale {
  readonly dtype: 'uint8' | 'int8';
  readonly scale: number;
  readonly zeroPoint: number;
}

/**
 * Scale and zero point of an activation. The range is widened to hold zero, which then has a number of its own: padding and ReLU rely on
 * it. scale = (max − min) / 255 in float32, zeroPoint = round(−min / scale), ties to even.
 * @throws CoppiceError `COPPICE_CALIBRATION_INVALID` for a range that is not finite, or of zeros only
 */
export function activationScale(min: number, max: number, dtype: 'uint8' | 'int8'): ActivationScale {
  const [low, high] = [Math.min(min, 0), Math.max(max, 0)];
  const scale = Math.fround((high - low) / 255);
  if (!Number.isFinite(scale) || !(scale > 1e-30)) throw new CoppiceError('COPPICE_CALIBRATION_INVALID', `The range ${min} … ${max} gives no scale. Calibrate with recordings that the model was made for.`);
  const lowest = dtype === 'uint8' ? 0 : -128;
  const zeroPoint = Math.max(lowest, Math.min(lowest + 255, lowest + roundHalfEven(-low / scale)));
  return { dtype, scale, zeroPoint };
}
