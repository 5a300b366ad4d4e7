import { attention } from './attention.ts';
import { contraction } from './contraction.ts';
import { creation } from './creation.ts';
import { elementwise } from './elementwise.ts';
import { indexing } from './indexing.ts';
import { movement } from './movement.ts';
import { normalisation } from './normalisation.ts';
import { quantise } from './quantise.ts';
import { recurrent } from './recurrent.ts';
import { reduction } from './reduction.ts';
import type { EagerRows } from './row.ts';
import { sampling } from './sampling.ts';

/** Operators in float64, by name. */
export const eagerOperators: EagerRows = { ...attention, ...contraction, ...creation, ...elementwise, ...indexing, ...movement, ...normalisation, ...quantise, ...recurrent, ...reduction, ...sampling };
