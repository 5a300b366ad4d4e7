import type { Claim } from './claim.ts';
import { answerClaims } from './contract/answers.ts';
import { errorClaims } from './contract/errors.ts';
import { memoryClaims } from './contract/memory.ts';
import { ownershipClaims } from './contract/ownership.ts';

/** What the contract of a backend promises, whatever the operators. */
export const contractClaims: readonly Claim[] = [...answerClaims, ...ownershipClaims, ...errorClaims, ...memoryClaims];
