/** The learning rate of each step; steps count from 1. */
export type Schedule = (step: number) => number;

/** Settings of `oneCycle`. */
export interface OneCycleSettings {
  readonly peak: number;
  readonly steps: number;
  /** Share of the steps in which the rate rises. Default 0.2. */
  readonly rise?: number;
  /** Rate of the first step as a share of the peak. Default 0.04. */
  readonly start?: number;
  /** Rate of the last step as a share of the peak. Default 0.0001. */
  readonly end?: number;
}

/**
 * Up along half a cosine and down along the other: Smith & Topin 2018, "Super-convergence". Where `rise · steps` is a whole number, that
 * is the step of the peak, and the rates are those of PyTorch's `OneCycleLR`. Steps beyond the last keep its rate.
 */
export function oneCycle({ peak, steps, rise = 0.2, start = 0.04, end = 1e-4 }: OneCycleSettings): Schedule {
  const top = Math.min(Math.max(1, Math.round(rise * steps)), Math.max(1, steps));
  const between = (from: number, to: number, share: number): number => from + ((to - from) * (1 - Math.cos(Math.PI * Math.min(1, share)))) / 2;
  return (step) => peak * (step < top ? between(start, 1, (step - 1) / (top - 1)) : between(1, end, (step - top) / Math.max(1, steps - top)));
}

/** The same rate in every step. */
export const constantRate = (rate: number): Schedule => () => rate;
