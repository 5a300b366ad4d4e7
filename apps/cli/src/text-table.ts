/** One column of a table. */
export interface Column {
  readonly title: string;
  /** Default `left`. */
  readonly align?: 'left' | 'right';
  /** Longer cells lose their beginning. */
  readonly atMost?: number;
}

export interface TextTable {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
}

/** Widest line that is printed. */
export const WIDTH = 100;

/** Lines of a table with aligned columns; the first is the head. A last column of the left kind is not padded. */
export function tableLines({ columns, rows }: TextTable): string[] {
  const cells = [columns.map(({ title }) => title), ...rows].map((row) => columns.map(({ atMost = Infinity }, c) => shorten(row[c] ?? '', atMost)));
  const widths = columns.map((_, c) => Math.max(...cells.map((row) => row[c].length)));
  return cells.map((row) => row.map((cell, c) => (columns[c].align === 'right' ? cell.padStart(widths[c]) : cell.padEnd(widths[c]))).join('  ').trimEnd());
}

/** The end of a name, which is where the names of layers differ. */
export const shorten = (text: string, length: number): string => (text.length <= length ? text : `…${text.slice(text.length - length + 1)}`);

/** Fills lines with items, no line longer than `width`; lines after the first start with `indent`. */
export function wrapItems(items: readonly string[], { separator = ', ', indent = '', width = WIDTH, first = '' } = {}): string[] {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  items.forEach((item, k) => {
    const piece = k < items.length - 1 ? item + separator.trimEnd() : item;
    const gap = empty ? '' : ' '.repeat(separator.length - separator.trimEnd().length);
    if (!empty && line.length + gap.length + piece.length > width) {
      lines.push(line);
      line = indent + piece;
    } else {
      line += gap + piece;
    }
    empty = false;
  });
  if (!empty || first !== '') lines.push(line);
  return lines;
}

/** A text broken between words. */
export const wrapText = (text: string, options: { readonly indent?: string; readonly width?: number; readonly first?: string } = {}): string[] => wrapItems(text.split(' '), { ...options, separator: ' ' });

/** How much is done, in ten steps. */
export function progressBar(done: number, of: number): string {
  const filled = Math.floor((10 * done) / Math.max(1, of));
  return `[${'#'.repeat(filled)}${'.'.repeat(10 - filled)}]`;
}
