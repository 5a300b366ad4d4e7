export { givenBackend, givenTrace, type GivenShapes } from './given.ts';
export * from './print-units.ts';
export * from './prove.ts';
export * from './random-graph.ts';
export { describeScorer } from './scorer.ts';
export * from './row-check.ts';
export * from './samples.ts';
export * from './shrink.ts';
export * from './study.ts';
