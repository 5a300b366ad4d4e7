import type { ContribOperatorName, OperatorName } from '@coppice/graph';
import type { StructureRule } from './signature.ts';

/** A row that is missing on purpose, with the sentence a user reads instead. */
export interface Absent { readonly absent: string }
export const absent = (because: string): Absent => ({ absent: because });

/** Rows of one family; a misspelt name does not compile. */
export type StandardRows = { readonly [N in OperatorName]?: StructureRule };
/** The same for ONNX Runtime's own domain. */
export type ContribRows = { readonly [N in ContribOperatorName]?: StructureRule };
