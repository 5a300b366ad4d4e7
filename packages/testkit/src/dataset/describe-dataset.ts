import type { Dataset } from '@coppice/speech';
import { describe, expect, it } from 'vitest';
import { datasetClaims } from './check-dataset.ts';
import { datasetSubject, judgeDataset, type DatasetCheckOptions } from './claim.ts';

/**
 * What every dataset must do, as tests, one for each claim: parts and identifiers that are stable and unique, the same order and the same samples in two
 * passes, after it was opened anew and when it is taken up in the middle, disjoint speakers where promised, sound that is let go. Call it in a test file:
 * `describeDataset('timit', () => openTimit(folder), { disjointSpeakers: ['train', 'dev', 'test'] })`.
 * @param open opens the corpus anew each time
 */
export function describeDataset(name: string, open: () => Promise<Dataset>, options?: DatasetCheckOptions): void {
  describe(`the dataset ${name}`, () => {
    for (const claim of datasetClaims) {
      it(claim.title, async () => {
        expect((await judgeDataset(claim, datasetSubject(open, options)))?.message ?? 'right').toBe('right');
      });
    }
  });
}
