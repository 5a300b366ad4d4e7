import { describeScorer } from '@coppice/testkit';
import { fisher, gradientNorm, taylor } from './index.ts';

for (const scorer of [taylor, fisher, gradientNorm]) describeScorer(scorer);
