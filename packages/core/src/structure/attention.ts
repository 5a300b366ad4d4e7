import type { ContribRows, StandardRows } from './rows.ts';

export const attention = {} satisfies StandardRows;
export const contribAttention = {} satisfies ContribRows;
