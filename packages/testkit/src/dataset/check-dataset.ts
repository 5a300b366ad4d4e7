import type { Dataset } from '@coppice/speech';
import { datasetSubject, judgeDataset, type DatasetCheckOptions, type DatasetClaim, type DatasetFinding } from './claim.ts';
import { listClaims } from './lists.ts';
import { soundClaims } from './sound.ts';

/** What every dataset must do, those without opening a recording first. */
export const datasetClaims: readonly DatasetClaim[] = [...listClaims, ...soundClaims];

/**
 * Tries all claims on a dataset, without a test runner.
 * @param open opens the corpus anew each time
 * @returns the claims that do not hold; none for a good dataset
 */
export async function checkDataset(open: () => Promise<Dataset>, options?: DatasetCheckOptions): Promise<DatasetFinding[]> {
  const subject = datasetSubject(open, options);
  const findings: DatasetFinding[] = [];
  for (const claim of datasetClaims) {
    const finding = await judgeDataset(claim, subject);
    if (finding !== undefined) findings.push(finding);
  }
  return findings;
}
