import { type FrameSettings, windowSamples } from './settings.ts';

/** The window function at each sample, [window]. */
export function windowValues(settings: FrameSettings): Float64Array {
  const length = windowSamples(settings);
  const circle = (2 * Math.PI) / (settings.windowForm === 'periodic' ? length : length - 1);
  const shape = shapes[settings.window];
  return Float64Array.from({ length }, (_, n) => shape(Math.cos(circle * n)));
}

/** As functions of the cosine. A cosine may exceed 1 by rounding, and a negative number has no 0.85th power. */
const shapes: Readonly<Record<FrameSettings['window'], (cos: number) => number>> = {
  hann: (cos) => 0.5 - 0.5 * cos,
  hamming: (cos) => 0.54 - 0.46 * cos,
  povey: (cos) => Math.max(0, 0.5 - 0.5 * cos) ** 0.85,
  rectangular: () => 1,
};
