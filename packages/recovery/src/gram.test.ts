import { createRandom } from '@coppice/core';
import { describe, expect, it } from 'vitest';
import { explain, Gram } from './gram.ts';

/** Gauss–Jordan elimination with pivoting on the normal equations (XᵀX + λI)·a = Xᵀy, all in float64. */
function slowRidge(x: readonly (readonly number[])[], y: readonly number[], lambda: number): number[] {
  const n = x.length;
  const inner = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, k) => sum + value * b[k], 0);
  const rows = x.map((column, i) => [...x.map((other, j) => inner(column, other) + (i === j ? lambda : 0)), inner(column, y)]);
  for (let p = 0; p < n; p++) {
    const best = rows.slice(p).reduce((top, row, k) => (Math.abs(row[p]) > Math.abs(rows[top][p]) ? p + k : top), p);
    [rows[p], rows[best]] = [rows[best], rows[p]];
    for (let i = 0; i < n; i++) if (i !== p) rows[i] = rows[i].map((value, j) => value - (rows[i][p] / rows[p][p]) * rows[p][j]);
  }
  return rows.map((row, i) => row[n] / row[i]);
}

const random = createRandom('gram');
const columnsOf = (count: number, length: number) => Array.from({ length: count }, () => Float32Array.from({ length }, () => random.normal()));

describe('Gram', () => {
  it('adds up products over batches as over all samples at once', () => {
    for (const [columns, regressors, length] of [[1, 1, 3], [6, 4, 1500], [9, 9, 40], [7, 1, 2049]]) {
      const samples = columnsOf(columns, length);
      const gram = new Gram(columns, regressors);
      const middle = Math.floor(length / 3);
      gram.add(samples.map((column) => column.subarray(0, middle)));
      gram.add(samples.map((column) => column.subarray(middle)));
      for (let i = 0; i < columns; i++) {
        for (let j = i; j < columns; j++) {
          const wanted = i < regressors || i === j ? samples[i].reduce((sum, value, k) => sum + value * samples[j][k], 0) : 0;
          expect(gram.products[i * columns + j]).toBeCloseTo(wanted, 8);
        }
      }
    }
  });
});

describe('explain', () => {
  it('solves the ridge regression', () => {
    for (let round = 0; round < 20; round++) {
      const [k, r] = [1 + random.integer(8), 1 + random.integer(4)];
      const samples = columnsOf(k + r, 60);
      const gram = new Gram(k + r, k);
      gram.add(samples);
      const ridge = [0, 1e-3, 0.5][round % 3];
      const { coefficients, unexplained, energy } = explain(gram, ridge);
      const x = samples.slice(0, k).map((column) => Array.from(column));
      const lambda = (ridge * x.flat().reduce((sum, value) => sum + value * value, 0)) / k;
      let [rest, whole] = [0, 0];
      for (let c = 0; c < r; c++) {
        const y = Array.from(samples[k + c]);
        const wanted = slowRidge(x, y, lambda);
        wanted.forEach((value, i) => expect(coefficients[i * r + c]).toBeCloseTo(value, 8));
        rest += y.reduce((sum, value, s) => sum + (value - x.reduce((given, column, i) => given + wanted[i] * column[s], 0)) ** 2, 0);
        whole += y.reduce((sum, value) => sum + value * value, 0);
      }
      expect(energy).toBeCloseTo(whole, 6);
      expect(unexplained).toBeCloseTo(rest / whole, 8);
    }
  });

  it('has finite coefficients where regressors are dead or repeat one another, and rebuilds as well as without them', () => {
    const [a, b, noise] = columnsOf(3, 50);
    const target = a.map((value, s) => 2 * value - b[s] + 0.1 * noise[s]);
    const unexplainedBy = (regressors: readonly Float32Array[]) => {
      const gram = new Gram(regressors.length + 1, regressors.length);
      gram.add([...regressors, target]);
      const { coefficients, unexplained } = explain(gram, 0);
      expect(coefficients.every(Number.isFinite)).toBe(true);
      return unexplained;
    };
    const dead = new Float32Array(50);
    expect(unexplainedBy([dead, a, a.map((value) => 3 * value), b, dead, b])).toBeCloseTo(unexplainedBy([a, b]), 9);
    expect(unexplainedBy([dead])).toBe(1);
  });

  it('calls nothing to explain explained', () => {
    const gram = new Gram(2, 1);
    gram.add([Float32Array.of(1, 2), new Float32Array(2)]);
    expect(explain(gram, 1e-4)).toMatchObject({ unexplained: 0, energy: 0 });
  });
});
