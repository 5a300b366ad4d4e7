import { describeScorer } from '@coppice/testkit';
import { measuredLoss, obd, snip } from './index.ts';

for (const scorer of [snip, obd, measuredLoss]) describeScorer(scorer);
