import type { StandardRows } from './rows.ts';

export const sampling = {} satisfies StandardRows;
