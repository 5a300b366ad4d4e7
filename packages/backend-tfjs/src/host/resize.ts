import type { Attributes } from '@coppice/graph';
import type { Host } from '../value.ts';
import { around, axisOf, elements, expectThat, numbers, sizeOf } from './array.ts';

type ResizeAttributes = Attributes<'Resize'>;

/** Where in the input an element of a resized axis lies. Spec: Resize-19, `coordinate_transformation_mode`. */
function sourceOf(i: number, inside: number, outside: number, scale: number, mode: string, roi: readonly [number, number]): number {
  switch (mode) {
    case 'asymmetric': return i / scale;
    case 'align_corners': return outside === 1 ? 0 : (i * (inside - 1)) / (outside - 1);
    case 'pytorch_half_pixel': return outside === 1 ? -0.5 : (i + 0.5) / scale - 0.5;
    case 'half_pixel_symmetric': return (inside / 2) * (1 - outside / (scale * inside)) + (i + 0.5) / scale - 0.5;
    case 'tf_half_pixel_for_nn': return (i + 0.5) / scale;
    case 'tf_crop_and_resize': return outside === 1 ? 0.5 * (roi[0] + roi[1]) * (inside - 1) : roi[0] * (inside - 1) + (i * (roi[1] - roi[0]) * (inside - 1)) / (outside - 1);
    default: return (i + 0.5) / scale - 0.5;
  }
}

const NEAREST: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** Weight of an element at a distance: a triangle, or the cubic of Keys 1981. */
const kernelOf = (mode: string, a: number) => (distance: number): number => {
  const d = Math.abs(distance);
  if (mode === 'linear') return Math.max(0, 1 - d);
  if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1;
  return d < 2 ? a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a : 0;
};

/** The elements that an element of a resized axis is made of, and their weights. */
function tapsOf(source: number, size: number, scale: number, { mode, nearest_mode, cubic_coeff_a, exclude_outside, antialias }: ResizeAttributes): readonly (readonly [place: number, weight: number])[] {
  const clamp = (place: number): number => Math.min(Math.max(place, 0), size - 1);
  if (mode === 'nearest') return [[clamp(NEAREST[nearest_mode](source)), 1]];
  const kernel = kernelOf(mode, cubic_coeff_a);
  // Shrinking without aliases widens the kernel.
  const stretch = antialias === 1 ? Math.min(scale, 1) : 1;
  const reach = (mode === 'linear' ? 1 : 2) / stretch;
  const taps: [number, number][] = [];
  for (let place = Math.floor(source - reach) + (stretch === 1 ? 1 : 0); place <= Math.ceil(source + reach); place++) {
    const outside = place < 0 || place >= size;
    const weight = outside && exclude_outside === 1 ? 0 : kernel((place - source) * stretch);
    if (weight !== 0) taps.push([clamp(place), weight]);
  }
  const total = taps.reduce((sum, [, weight]) => sum + weight, 0);
  return antialias === 1 || exclude_outside === 1 ? taps.map(([place, weight]) => [place, weight / total] as const) : taps;
}

function resizeAxis(x: Host, axis: number, outside: number, scale: number, roi: readonly [number, number], attributes: ResizeAttributes): Host {
  const [outer, inside, inner] = around(x.dims, axis);
  const dims = x.dims.with(axis, outside);
  const out = elements(x.dtype, sizeOf(dims)) as Float64Array;
  const mode = attributes.coordinate_transformation_mode;
  for (let i = 0; i < outside; i++) {
    const source = sourceOf(i, inside, outside, scale, mode, roi);
    const cropped = mode === 'tf_crop_and_resize' && (source < 0 || source > inside - 1);
    const taps = tapsOf(source, inside, scale, attributes);
    for (let o = 0; o < outer; o++) for (let k = 0; k < inner; k++) {
      let sum = cropped ? attributes.extrapolation_value : 0;
      if (!cropped) for (const [place, weight] of taps) sum += weight * (x.data[(o * inside + place) * inner + k] as number);
      out[(o * outside + i) * inner + k] = sum;
    }
  }
  return { dtype: x.dtype, dims, data: out };
}

/** A tensor with some axes of other sizes, axis by axis in float64. Spec: Resize-19. */
export function resize(x: Host, roi: Host | undefined, scales: Host | undefined, sizes: Host | undefined, attributes: ResizeAttributes): Host {
  const axes = attributes.axes?.map((axis) => axisOf(axis, x.dims.length)) ?? x.dims.map((_, axis) => axis);
  const bounds = roi && roi.data.length > 0 ? numbers(roi) : undefined;
  const stated = sizes && sizes.data.length > 0 ? sizes : scales!;
  expectThat(stated.data.length === axes.length, () => `${stated.data.length} sizes or scales for ${axes.length} axes`);
  let [targets, factors]: [number[], number[]] = [[], []];
  if (sizes && sizes.data.length > 0) {
    targets = numbers(sizes);
    factors = targets.map((size, k) => size / x.dims[axes[k]]);
    const policy = attributes.keep_aspect_ratio_policy;
    if (policy !== 'stretch') {
      const factor = policy === 'not_larger' ? Math.min(...factors) : Math.max(...factors);
      factors = factors.map(() => factor);
      targets = axes.map((axis) => Math.floor(factor * x.dims[axis] + 0.5));
    }
  } else {
    factors = numbers(scales!);
    targets = axes.map((axis, k) => (bounds && attributes.coordinate_transformation_mode === 'tf_crop_and_resize'
      ? Math.floor(x.dims[axis] * (bounds[k + axes.length] - bounds[k]) * factors[k]) : Math.floor(x.dims[axis] * factors[k])));
  }
  let result: Host = { dtype: 'float64', dims: x.dims, data: Float64Array.from(x.data as Float32Array) };
  axes.forEach((axis, k) => {
    if (targets[k] === x.dims[axis] && factors[k] === 1 && attributes.coordinate_transformation_mode !== 'tf_crop_and_resize') return;
    result = resizeAxis(result, axis, targets[k], factors[k], bounds ? [bounds[k], bounds[k + axes.length]] : [0, 1], attributes);
  });
  const out = elements(x.dtype, result.data.length) as Float32Array;
  const whole = !['float32', 'float64', 'float16', 'bfloat16'].includes(x.dtype);
  for (let k = 0; k < out.length; k++) out[k] = whole ? Math.round(result.data[k] as number) : (result.data[k] as number);
  return { dtype: x.dtype, dims: result.dims, data: out };
}
