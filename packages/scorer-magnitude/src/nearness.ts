import type { SlicePlace, UnitInfo } from '@coppice/core';

/** Operands that shift or quantise what the weights of an operator make, where they are not its matrix. */
const beside = /^(C|P|bias|beta|initial_.*|.*(scale|zero_point))$/;
/** Operators whose operand B is a matrix and not a bias. */
const product = /MatMul|Gemm/;

/**
 * How directly a slice makes its unit: 0 rows of a weight, 1 biases and the like, 2 what scales or shifts the unit, 3 columns that read it.
 * Magnitude criteria judge a unit by the weights that make it (Li et al. 2017, "Pruning filters for efficient convnets", section 3.1,
 * without the bias). A unit that has none is judged by the next nearest that it has, so that every unit of a group is judged alike.
 */
export function nearnessOf({ role, operator, operand }: SlicePlace): number {
  if (role === 'along') return 2;
  if (role === 'in') return 3;
  return beside.test(operand) || (operand === 'B' && !product.test(operator)) ? 1 : 0;
}

/** A sum for each unit over its nearest slices so far. */
export interface NearestSums {
  readonly nearness: Uint8Array;
  readonly sums: Float64Array;
}

export const startSums = (units: readonly UnitInfo[]): NearestSums => ({ nearness: new Uint8Array(units.length).fill(255), sums: new Float64Array(units.length) });

/** Whether a slice of this nearness counts for a unit; what counted until then and is further away is forgotten. */
export function counts({ nearness, sums }: NearestSums, unit: number, slice: number): boolean {
  if (slice > nearness[unit]) return false;
  if (slice < nearness[unit]) sums[unit] = 0;
  nearness[unit] = slice;
  return true;
}
