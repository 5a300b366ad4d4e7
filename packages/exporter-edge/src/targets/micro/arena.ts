/** A piece of memory that is wanted from one step to another, both included. */
export interface Lifetime {
  readonly bytes: number;
  readonly from: number;
  readonly to: number;
}

export interface ArenaPlan {
  /** Where each piece begins. */
  readonly offsets: readonly number[];
  /** Of the whole arena. */
  readonly bytes: number;
}

/** Of floats, which is what the arena is declared as. */
const ALIGNMENT = 4;
const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/**
 * Places pieces so that no two that live at the same time overlap: the largest first, each at the lowest place that is free for as long as
 * it lives. Pisarchyk & Lee 2020, "Efficient memory management for deep neural net inference", 5.1 (greedy by size).
 */
export function planArena(pieces: readonly Lifetime[]): ArenaPlan {
  const offsets = pieces.map(() => 0);
  const placed: number[] = [];
  const order = pieces.map((_, k) => k).sort((a, b) => pieces[b].bytes - pieces[a].bytes || a - b);
  for (const k of order) {
    const { from, to, bytes } = pieces[k];
    const neighbours = placed.filter((other) => pieces[other].from <= to && from <= pieces[other].to).sort((a, b) => offsets[a] - offsets[b]);
    let at = 0;
    for (const other of neighbours) {
      if (offsets[other] >= at + aligned(bytes)) break;
      at = Math.max(at, offsets[other] + aligned(pieces[other].bytes));
    }
    offsets[k] = at;
    placed.push(k);
  }
  return { offsets, bytes: Math.max(ALIGNMENT, ...pieces.map(({ bytes }, k) => offsets[k] + aligned(bytes))) };
}
