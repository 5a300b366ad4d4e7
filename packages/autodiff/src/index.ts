export * from './differentiate.ts';
export * from './emit.ts';
export * from './gradients-of.ts';
export * from './optimizer.ts';
export { gradients } from './table.ts';
export * from './training-step.ts';
export * from './vjp.ts';
