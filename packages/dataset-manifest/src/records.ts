import { CoppiceError } from '@coppice/graph';
import { readText, type FileTree } from '@coppice/speech/node';
import { parse } from 'csv-parse/sync';

/** One line of a list: its entries by their name in lower case, as text. */
export interface ListRecord {
  readonly fields: ReadonlyMap<string, string>;
  /** Lists of text, e.g. phones. */
  readonly lists: ReadonlyMap<string, readonly string[]>;
  /** From 1. */
  readonly line: number;
}

/** A line that cannot be read. */
export interface BrokenLine {
  readonly line: number;
  /** The end of a sentence. */
  readonly fault: string;
}

export interface Records {
  readonly records: readonly ListRecord[];
  readonly broken: readonly BrokenLine[];
}

/** Files that are read as lists. */
export const isList = (name: string): boolean => /\.(jsonl?|ndjson|csv|tsv)$/i.test(name);

/**
 * The lines of a list: JSON lines (also one JSON array of objects), CSV, or TSV.
 * @throws CoppiceError `COPPICE_DATASET_INVALID` when it cannot be read at all
 */
export async function readRecords(tree: FileTree, file: string): Promise<Records> {
  const text = await readText(tree, file);
  if (/\.(csv|tsv)$/i.test(file)) return readTable(text, tree.where(file), /\.tsv$/i.test(file));
  return text.trimStart().startsWith('[') ? readArray(text, tree.where(file)) : readLines(text);
}

function readLines(text: string): Records {
  const records: ListRecord[] = [];
  const broken: BrokenLine[] = [];
  for (const [at, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const parsed = parseObject(line);
    if (parsed === undefined) broken.push({ line: at + 1, fault: 'is not a JSON object' });
    else records.push(recordOf(parsed, at + 1));
  }
  return { records, broken };
}

function parseObject(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function readArray(text: string, where: string): Records {
  let items: unknown;
  try {
    items = JSON.parse(text);
  } catch (cause) {
    throw new CoppiceError('COPPICE_DATASET_INVALID', `'${where}' is not JSON: ${cause instanceof Error ? cause.message : String(cause)}. Write one object a line.`, { cause });
  }
  const list: readonly unknown[] = Array.isArray(items) ? items : [];
  return {
    records: list.flatMap((item, at) => (isObject(item) ? [recordOf(item, at + 1)] : [])),
    broken: list.flatMap((item, at) => (isObject(item) ? [] : [{ line: at + 1, fault: 'is not a JSON object' }])),
  };
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

function recordOf(item: Readonly<Record<string, unknown>>, line: number): ListRecord {
  const fields = new Map<string, string>();
  const lists = new Map<string, readonly string[]>();
  for (const [name, value] of Object.entries(item)) {
    if (typeof value === 'string') fields.set(name.toLowerCase(), value);
    else if (typeof value === 'number' || typeof value === 'boolean') fields.set(name.toLowerCase(), String(value));
    else if (Array.isArray(value) && value.every((part) => typeof part === 'string')) lists.set(name.toLowerCase(), value);
    // Audio as Hugging Face's tables write it.
    else if (isObject(value) && typeof value.path === 'string') fields.set(name.toLowerCase(), value.path);
  }
  return { fields, lists, line };
}

function readTable(text: string, where: string, tabs: boolean): Records {
  let rows: { record: string[]; info: { lines: number } }[];
  try {
    // Quotes in TSV are what somebody said; in CSV they hold commas together (RFC 4180).
    rows = parse(text, { delimiter: tabs ? '\t' : separatorOf(text), quote: tabs ? null : '"', relax_column_count: true, skip_empty_lines: true, info: true }) as unknown as typeof rows;
  } catch (cause) {
    throw new CoppiceError('COPPICE_DATASET_INVALID', `'${where}' is not a table: ${cause instanceof Error ? cause.message : String(cause)}. Put quotes around what has commas or quotes in it.`, { cause });
  }
  const [head, ...body] = rows;
  if (head === undefined) return { records: [], broken: [] };
  const names = head.record.map((name) => name.trim().toLowerCase());
  const records: ListRecord[] = [];
  const broken: BrokenLine[] = [];
  for (const { record, info: { lines } } of body) {
    if (record.length !== names.length) broken.push({ line: lines, fault: `has ${record.length} columns, and the first line has ${names.length}` });
    else records.push({ fields: new Map(names.map((name, k) => [name, record[k]])), lists: new Map(), line: lines });
  }
  return { records, broken };
}

/** Comma, semicolon, bar or tab: the one that the first line has most of. */
function separatorOf(text: string): string {
  const head = text.slice(0, text.indexOf('\n') >>> 0);
  const counts = [',', ';', '|', '\t'].map((mark) => ({ mark, count: head.split(mark).length }));
  return counts.reduce((best, next) => (next.count > best.count ? next : best)).mark;
}
