import { describeScorer } from '@coppice/testkit';
import { apoz, meanMagnitude, variance, wanda } from './index.ts';

for (const scorer of [meanMagnitude, variance, apoz, wanda]) describeScorer(scorer);
