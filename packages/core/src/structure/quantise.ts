import type { ContribRows, StandardRows } from './rows.ts';

export const quantise = {} satisfies StandardRows;
export const contribQuantise = {} satisfies ContribRows;
