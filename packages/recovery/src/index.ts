export * from './batch-norm.ts';
export * from './distillation.ts';
export { type Batches } from './exposed.ts';
export * from './fresh-weights.ts';
export * from './least-squares.ts';
export { type ConsumerPlace } from './linear-consumers.ts';
export * from './schedule.ts';
export * from './train.ts';
export * from './weights.ts';
