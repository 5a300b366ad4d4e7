export { describeScorer } from './scorer.ts';
