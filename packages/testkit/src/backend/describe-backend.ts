import type { Backend } from '@coppice/core';
import { describe, expect, it } from 'vitest';
import { claimsFor, subjectOf } from './check-backend.ts';
import { judge, type BackendCheckOptions } from './claim.ts';

/**
 * What every backend must do, as tests: one for each claim, skipped with the backend's own words where it refuses an operator that
 * `options.refuses` announces. Call it in a test file: `describeBackend(tfjsBackend(), { memory: () => tf.memory().numTensors })`.
 */
export function describeBackend(backend: Backend, options: BackendCheckOptions = {}): void {
  const subject = subjectOf(backend, options);
  const claims = claimsFor(subject);
  describe(`the backend ${backend.name}`, () => {
    for (const family of new Set(claims.map((claim) => claim.family))) {
      describe(family, () => {
        for (const claim of claims.filter((one) => one.family === family)) {
          it(claim.title, async ({ skip }) => {
            const verdict = await judge(claim, subject);
            if (verdict.kind === 'refused on purpose') skip(`refused: ${verdict.message}`);
            expect('family' in verdict ? `${verdict.kind}: ${verdict.message}` : 'right').toBe('right');
          });
        }
      });
    }
  });
}
