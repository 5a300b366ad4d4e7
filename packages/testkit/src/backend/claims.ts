import { attention } from './cases/attention.ts';
import { contraction } from './cases/contraction.ts';
import { convolution, quantisation } from './cases/convolution.ts';
import { elementwise } from './cases/elementwise.ts';
import { graphClaims } from './cases/graphs.ts';
import { indexing } from './cases/indexing.ts';
import { movement } from './cases/movement.ts';
import { normalisation } from './cases/normalisation.ts';
import { recurrent } from './cases/recurrent.ts';
import { reduction } from './cases/reduction.ts';
import type { Claim, ClaimFamily } from './claim.ts';
import { contractClaims } from './contract.ts';
import { claimOfCase, type OperatorCase } from './operator-case.ts';

const cases: readonly (readonly [ClaimFamily, readonly OperatorCase[]])[] = [
  ['elementwise', elementwise], ['contraction', contraction], ['convolution', convolution], ['recurrent', recurrent], ['normalisation', normalisation],
  ['reduction', reduction], ['movement', movement], ['indexing', indexing], ['attention', attention], ['quantisation', quantisation],
];

/** Everything that is claimed of a backend, operators first. */
export const claims: readonly Claim[] = [...cases.flatMap(([family, list]) => list.map((one) => claimOfCase(family, one))), ...graphClaims, ...contractClaims];
