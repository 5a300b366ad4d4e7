/** Samples that are multiplied at a time: so many of two columns fit into a core's first cache. */
const CHUNK = 1024;

/**
 * Products of the columns of a tall matrix with one another, added up over batches in float64: XᵀX. Of its columns the first `regressors`
 * explain and the others are to be explained; products of different ones of the latter are not needed and stay 0.
 * Memory: 8·columns² bytes, however many samples.
 */
export class Gram {
  readonly columns: number;
  readonly regressors: number;
  /** [column, column], row-major; only at and right of the diagonal. */
  readonly products: Float64Array;

  constructor(columns: number, regressors: number) {
    [this.columns, this.regressors] = [columns, regressors];
    this.products = new Float64Array(columns * columns);
  }

  /** @param samples one array for each column, all of one length */
  add(samples: readonly Float32Array[]): void {
    const length = samples[0]?.length ?? 0;
    for (let from = 0; from < length; from += CHUNK) this.#addChunk(samples.map((column) => column.subarray(from, from + CHUNK)));
  }

  #addChunk(samples: readonly Float32Array[]): void {
    const { columns, regressors, products } = this;
    for (let i = 0; i < columns; i++) {
      const last = i < regressors ? columns : i + 1;
      let j = i;
      for (; j + 4 <= last; j += 4) addFour(samples[i], samples[j], samples[j + 1], samples[j + 2], samples[j + 3], products, i * columns + j);
      for (; j < last; j++) products[i * columns + j] += dot(samples[i], samples[j]);
    }
  }
}

function dot(x: Float32Array, y: Float32Array): number {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += x[k] * y[k];
  return sum;
}

/** Four at once: each element of `x` is read once for all of them. */
function addFour(x: Float32Array, a: Float32Array, b: Float32Array, c: Float32Array, d: Float32Array, products: Float64Array, at: number): void {
  let [p, q, r, s] = [0, 0, 0, 0];
  for (let k = 0; k < x.length; k++) {
    const value = x[k];
    p += value * a[k];
    q += value * b[k];
    r += value * c[k];
    s += value * d[k];
  }
  products[at] += p;
  products[at + 1] += q;
  products[at + 2] += r;
  products[at + 3] += s;
}

/** What `explain` finds. */
export interface Explained {
  /** A [regressor, explained]: how much of each regressor is in each other column. */
  readonly coefficients: Float64Array;
  /** ‖X_r‖². */
  readonly energy: number;
  /** ‖X_r − X_k A‖² ÷ ‖X_r‖²; 0 where there is nothing to explain. */
  readonly unexplained: number;
}

/**
 * Ridge regression from products: A = argmin ‖X_r − X_k A‖² + λ‖A‖², X_k the regressors and X_r the other columns; λ is `ridge` times the
 * mean diagonal of X_kᵀX_k. Hoerl & Kennard 1970, by Cholesky's decomposition (Golub & Van Loan 2013, algorithm 4.2.1). A regressor that,
 * up to rounding, is a combination of those before it gets nothing.
 */
export function explain({ columns, regressors: k, products }: Gram, ridge: number): Explained {
  const r = columns - k;
  let trace = 0;
  for (let i = 0; i < k; i++) trace += products[i * columns + i];
  const lambda = (ridge * trace) / Math.max(1, k);
  const lower = cholesky(k, (i, j) => products[j * columns + i] + (i === j ? lambda : 0));
  const coefficients = new Float64Array(k * r);
  let [whole, rest] = [0, 0];
  for (let c = 0; c < r; c++) {
    const a = solve(lower, Float64Array.from({ length: k }, (_, i) => products[i * columns + k + c]));
    for (let i = 0; i < k; i++) coefficients[i * r + c] = a[i];
    const own = products[(k + c) * columns + k + c];
    whole += own;
    rest += own + quadratic(a, products, columns, k + c);
  }
  return { coefficients, energy: whole, unexplained: whole > 0 ? Math.max(0, rest) / whole : 0 };
}

/** aᵀGa − 2·aᵀg for the products G of the regressors and g of a column with them. */
function quadratic(a: Float64Array, products: Float64Array, columns: number, column: number): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    let row = a[i] * products[i * columns + i] - 2 * products[i * columns + column];
    for (let j = i + 1; j < a.length; j++) row += 2 * a[j] * products[i * columns + j];
    sum += a[i] * row;
  }
  return sum;
}

/** L with L·Lᵀ = M. Pivots that are nothing but rounding become infinite, which takes their column out. */
function cholesky(n: number, at: (i: number, j: number) => number): { n: number; lower: Float64Array } {
  const lower = new Float64Array(n * n);
  for (let j = 0; j < n; j++) {
    let pivot = at(j, j);
    for (let p = 0; p < j; p++) pivot -= lower[j * n + p] ** 2;
    const diagonal = pivot > n * 1e-13 * at(j, j) ? Math.sqrt(pivot) : Infinity;
    lower[j * n + j] = diagonal;
    for (let i = j + 1; i < n; i++) {
      let sum = at(i, j);
      for (let p = 0; p < j; p++) sum -= lower[i * n + p] * lower[j * n + p];
      lower[i * n + j] = sum / diagonal;
    }
  }
  return { n, lower };
}

/** x with L·Lᵀ·x = b; overwrites b. */
function solve({ n, lower }: { n: number; lower: Float64Array }, b: Float64Array): Float64Array {
  for (let i = 0; i < n; i++) {
    let sum = b[i];
    for (let p = 0; p < i; p++) sum -= lower[i * n + p] * b[p];
    b[i] = sum / lower[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    let sum = b[i];
    for (let p = i + 1; p < n; p++) sum -= lower[p * n + i] * b[p];
    b[i] = sum / lower[i * n + i];
  }
  return b;
}
