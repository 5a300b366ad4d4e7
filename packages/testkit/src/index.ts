export { givenBackend, givenTrace, type GivenShapes } from './given.ts';
export { describeScorer } from './scorer.ts';
