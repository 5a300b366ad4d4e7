import { describeScorer } from '@coppice/testkit';
import { bnScale, geometricMedian, l1, l2, lamp, random } from './index.ts';

for (const scorer of [l1, l2, geometricMedian, bnScale, lamp, random]) describeScorer(scorer);
