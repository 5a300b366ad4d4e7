export type { RecurrentKind } from './recurrent.ts';
export * from './reference-model.ts';
export * from './weights.ts';
