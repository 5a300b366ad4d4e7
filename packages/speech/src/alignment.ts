/** How many tokens of one kind of difference an alignment has. */
export interface EditCounts {
  readonly hits: number;
  readonly substitutions: number;
  readonly deletions: number;
  readonly insertions: number;
}

/** One column of an alignment; a deletion has no hypothesis, an insertion no reference. */
export interface AlignedPair {
  readonly reference?: string;
  readonly hypothesis?: string;
}

/** Two sequences side by side. */
export interface Alignment extends EditCounts {
  readonly pairs: readonly AlignedPair[];
}

/**
 * A reference and a hypothesis side by side with the fewest edits (Levenshtein 1966), and of those alignments one with the most hits, as
 * NIST's sclite prefers them; so the counts do not depend on how ties are broken. Time and memory are the product of the lengths.
 */
export function alignTokens(reference: readonly string[], hypothesis: readonly string[]): Alignment {
  const [rows, columns] = [reference.length + 1, hypothesis.length + 1];
  // Whole numbers that count edits first and substitutions second.
  const edit = reference.length + hypothesis.length + 1;
  const cost = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let h = 0; h < columns; h++) {
      if (r === 0 || h === 0) cost[r * columns + h] = (r + h) * edit;
      else {
        const pair = cost[(r - 1) * columns + h - 1] + pairCost(reference[r - 1], hypothesis[h - 1], edit);
        cost[r * columns + h] = Math.min(pair, cost[(r - 1) * columns + h] + edit, cost[r * columns + h - 1] + edit);
      }
    }
  }
  const pairs: AlignedPair[] = [];
  const counts = { hits: 0, substitutions: 0, deletions: 0, insertions: 0 };
  for (let [r, h] = [reference.length, hypothesis.length]; r > 0 || h > 0;) {
    const here = cost[r * columns + h];
    if (r > 0 && h > 0 && here === cost[(r - 1) * columns + h - 1] + pairCost(reference[r - 1], hypothesis[h - 1], edit)) {
      pairs.push({ reference: reference[--r], hypothesis: hypothesis[--h] });
      if (reference[r] === hypothesis[h]) counts.hits++;
      else counts.substitutions++;
    } else if (r > 0 && here === cost[(r - 1) * columns + h] + edit) {
      pairs.push({ reference: reference[--r] });
      counts.deletions++;
    } else {
      pairs.push({ hypothesis: hypothesis[--h] });
      counts.insertions++;
    }
  }
  return { ...counts, pairs: pairs.toReversed() };
}

const pairCost = (reference: string, hypothesis: string, edit: number): number => (reference === hypothesis ? 0 : edit + 1);
