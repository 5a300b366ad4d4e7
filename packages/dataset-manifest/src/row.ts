import type { SkippedFile } from '@coppice/speech';

/** An utterance as a list names it. */
export interface Row {
  readonly split: string;
  readonly id: string;
  /** In the tree, from its root; or where it lies on the disk. */
  readonly file: string;
  /** Words with one blank between them. */
  readonly transcript: string;
  readonly speaker?: string;
  readonly phones?: readonly string[];
  readonly seconds?: number;
  /** The part of the recording that is meant; all of it where nothing is said. */
  readonly span?: Span;
  /** File and line that name it. */
  readonly line: string;
}

/** From `begin` to `end`, in seconds; to the end of the recording where `end` is left out. */
export interface Span {
  readonly begin: number;
  readonly end?: number;
}

/** A recording that is left out, or the line that should name one, and why. */
export interface SkippedRow extends SkippedFile {
  readonly split: string;
}

/** What a layout gives. */
export interface Rows {
  readonly rows: readonly Row[];
  readonly skipped: readonly SkippedRow[];
  readonly notes: readonly string[];
}

/** Blanks of all kinds become one. */
export const oneBlank = (text: string): string => text.split(/\s+/).filter((word) => word !== '').join(' ');
