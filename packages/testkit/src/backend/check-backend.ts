import type { Backend } from '@coppice/core';
import { judge, type BackendCheckOptions, type Claim, type Finding, type Subject } from './claim.ts';
import { claims } from './claims.ts';

/** A backend with what is checked of it filled in. */
export const subjectOf = (backend: Backend, options: BackendCheckOptions = {}): Subject => ({ ...options, backend, tolerance: options.tolerance ?? 1e-4 });

/** The claims that can be tried on a backend. */
export const claimsFor = (subject: Subject): readonly Claim[] => claims.filter(({ family, applies }) => (subject.families?.includes(family) ?? true) && (applies?.(subject) ?? true));

/** How many claims `checkBackend` tries with these options. */
export const countClaims = (backend: Backend, options: BackendCheckOptions = {}): number => claimsFor(subjectOf(backend, options)).length;

/**
 * Tries every claim on a backend, one after the other, without a test runner: what is wrong, and what is refused without having been
 * announced. Empty for a good backend. Never rejects.
 */
export async function checkBackend(backend: Backend, options: BackendCheckOptions = {}): Promise<Finding[]> {
  const subject = subjectOf(backend, options);
  const findings: Finding[] = [];
  for (const claim of claimsFor(subject)) {
    const verdict = await judge(claim, subject);
    if (verdict.kind === 'wrong' || verdict.kind === 'refused') findings.push(verdict);
  }
  return findings;
}
