import { at, axisOf, build, type Array64 } from './array64.ts';
import type { EagerRows } from './row.ts';

/** Where in the input an element of a resized axis lies. ONNX specification of Resize, `coordinate_transformation_mode`. */
function sourceOf(i: number, inside: number, outside: number, scale: number, mode: string): number {
  switch (mode) {
    case 'asymmetric': return i / scale;
    case 'align_corners': return outside === 1 ? 0 : (i * (inside - 1)) / (outside - 1);
    case 'pytorch_half_pixel': return outside === 1 ? 0 : (i + 0.5) / scale - 0.5;
    case 'half_pixel': return (i + 0.5) / scale - 0.5;
    case 'half_pixel_symmetric': return (inside / 2) * (1 - outside / (scale * inside)) + (i + 0.5) / scale - 0.5;
    default: throw new Error(`Resize with ${mode}`);
  }
}

const nearest: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** An axis resized: each element from one or two of the input. */
function resizeAxis(x: Array64, axis: number, outside: number, scale: number, { mode, coordinate_transformation_mode, nearest_mode }: { readonly mode: string; readonly coordinate_transformation_mode: string; readonly nearest_mode: string }): Array64 {
  const inside = x.shape[axis];
  const clamp = (place: number): number => Math.min(Math.max(place, 0), inside - 1);
  return build(x.shape.with(axis, outside), (index) => {
    const read = (place: number): number => at(x, index.with(axis, clamp(place)));
    const source = sourceOf(index[axis], inside, outside, scale, coordinate_transformation_mode);
    if (mode === 'nearest') return read(nearest[nearest_mode](source));
    const [low, part] = [Math.floor(source), source - Math.floor(source)];
    return (1 - part) * read(low) + part * read(low + 1);
  });
}

export const sampling = {
  /** Nearest and linear interpolation, axis by axis. */
  Resize: ([x, , scales, sizes], attributes) => {
    if (attributes.mode === 'cubic' || attributes.antialias !== 0 || attributes.keep_aspect_ratio_policy !== 'stretch') throw new Error('Resize of this kind is not in the eager table');
    const axes = attributes.axes?.map((axis) => axisOf(axis, x.shape.length)) ?? x.shape.map((_, axis) => axis);
    return [axes.reduce((value, axis, k) => {
      const outside = sizes ? sizes.data[k] : Math.floor(x.shape[axis] * scales!.data[k]);
      return resizeAxis(value, axis, outside, sizes ? outside / x.shape[axis] : scales!.data[k], attributes);
    }, x)];
  },
} satisfies EagerRows;
