/** Ranks from 1 on; equal values share the mean of theirs. */
export function meanRanks(values: ArrayLike<number>): Float64Array {
  const order = Array.from(values, (_, k) => k).sort((a, b) => values[a] - values[b]);
  const ranks = new Float64Array(values.length);
  for (let start = 0; start < order.length;) {
    let end = start + 1;
    while (end < order.length && values[order[end]] === values[order[start]]) end++;
    for (let k = start; k < end; k++) ranks[order[k]] = (start + 1 + end) / 2;
    start = end;
  }
  return ranks;
}

/**
 * Spearman's ρ: Pearson's correlation of the ranks, ties sharing their mean rank. Spearman 1904.
 * @param a one number for each thing
 * @param b of the same things in the same order
 * @returns from −1 to 1; NaN where all values of a side are equal, and for fewer than two things
 */
export function rankCorrelation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [x, y] = [meanRanks(a), meanRanks(b)];
  const mean = (x.length + 1) / 2;
  let [products, ofX, ofY] = [0, 0, 0];
  for (let k = 0; k < x.length; k++) {
    products += (x[k] - mean) * (y[k] - mean);
    ofX += (x[k] - mean) ** 2;
    ofY += (y[k] - mean) ** 2;
  }
  // Rounding must not make more than a perfect correlation of it.
  return Math.max(-1, Math.min(1, products / Math.sqrt(ofX * ofY)));
}
