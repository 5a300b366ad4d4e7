import type { StandardRows } from './rows.ts';

export const creation = {} satisfies StandardRows;
