import { defineScorer, type UnitInfo } from '@coppice/core';
import { nearnessOf } from './nearness.ts';

interface Row { readonly key: string; readonly weights: Float32Array }
interface Rows { readonly nearness: Uint8Array; readonly rows: Row[][] }

/**
 * Sum of the distances from a unit's weights to those of all other units of its group: what lies near the geometric median of a layer can
 * be replaced by the rest. He et al. 2019, "Filter pruning via geometric median", eq. 4 to 8. Holds the weights that make units, and
 * takes a time quadratic in the units of a group.
 */
export const geometricMedian = defineScorer({
  name: 'geometric-median',
  needs: ['weights'],
  start: (units): Rows => ({ nearness: new Uint8Array(units.length).fill(255), rows: units.map(() => []) }),
  add({ nearness, rows }, slice) {
    const { unit, initializer, operator, operand, weights } = slice;
    const near = nearnessOf(slice);
    if (near > nearness[unit]) return;
    if (near < nearness[unit]) rows[unit] = [];
    nearness[unit] = near;
    rows[unit].push({ key: `${initializer}/${operator}/${operand}`, weights });
  },
  finish({ rows }, units) {
    const scores = new Float64Array(units.length);
    for (const group of Map.groupBy(units, (unit) => unit.group).values()) addDistances(scores, group, rows);
    return scores;
  },
});

function addDistances(scores: Float64Array, group: readonly UnitInfo[], rows: readonly (readonly Row[])[]): void {
  const vectors = group.map(({ id }) => joined(rows[id]));
  for (let a = 0; a < group.length; a++) {
    for (let b = 0; b < a; b++) {
      const distance = distanceOf(vectors[a], vectors[b]);
      scores[group[a].id] += distance;
      scores[group[b].id] += distance;
    }
  }
}

/** All rows of a unit in one, in an order that does not depend on when they came. */
function joined(rows: readonly Row[]): Float32Array {
  if (rows.length === 1) return rows[0].weights;
  const ordered = rows.toSorted((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)));
  const result = new Float32Array(rows.reduce((sum, { weights }) => sum + weights.length, 0));
  ordered.reduce((at, { weights }) => (result.set(weights, at), at + weights.length), 0);
  return result;
}

function distanceOf(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let k = 0; k < a.length && k < b.length; k++) {
    const d = a[k] - b[k];
    sum += d * d;
  }
  return Math.sqrt(sum);
}
