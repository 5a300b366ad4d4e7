import { countOf } from '../human-numbers.ts';
import { tableLines, wrapItems, wrapText } from '../text-table.ts';
import type { Terminal } from '../terminal.ts';
import { ownParts, type CorpusReport, type PartReport } from './corpus-report.ts';

const mostListed = 5;

/** A page that one reads in ten seconds: a table of the parts, what they are written in, what is wrong. */
export function printCorpus(report: CorpusReport, { print, paint }: Pick<Terminal, 'print' | 'paint'>): void {
  const parts = ownParts(report);
  const [head, ...rows] = tableLines({
    columns: [{ title: 'part' }, ...['utterances', 'speakers', 'hours', 'shortest', 'median', 'longest', 'words', 'distinct'].map((title) => ({ title, align: 'right' as const })), { title: 'sample rate' }],
    rows: parts.map(rowOf),
  });
  print(report.dataset);
  print(paint('dim', head));
  for (const row of rows) print(row);
  const aliases = report.parts.filter(({ sameAs }) => sameAs !== undefined).map(({ split, sameAs }) => `'${split}' is '${sameAs}'`);
  if (aliases.length > 0) print(aliases.join(', '));
  const sampled = parts.filter(({ utterances, decoded }) => decoded < utterances);
  if (sampled.length > 0) print(paint('dim', `~ from ${sampled.map(({ split, decoded, utterances }) => `${decoded} of ${utterances} recordings of '${split}'`).join(', ')}; --decode all reads them all`));
  print('');
  printSymbols('characters', merged(parts, 'alphabet'), print);
  printSymbols('phones', merged(parts, 'phones'), print);
  printList('left out', report.skipped.map(({ file, reason }) => `${file}: ${reason}`), print);
  printList('broken', report.broken.map(({ id, reason }) => (reason.includes(id) ? reason : `${id}: ${reason}`)), print);
  for (const note of notesOf(report)) for (const line of wrapText(note, { indent: '  ' })) print(line);
  if (report.mistakes.length === 0) return print(paint('green', 'nothing looks wrong'));
  print(paint('yellow', 'look at'));
  for (const mistake of report.mistakes) for (const line of wrapText(mistake, { first: '- ', indent: '  ' })) print(line);
}

/** What the corpus says of itself; what it skipped and renamed is told above. */
const notesOf = ({ notes }: CorpusReport): readonly string[] => notes.filter((note) => !note.startsWith('Skipped') && !/^'.*' is the part '.*'\.$/.test(note)).slice(0, mostListed);

function rowOf({ split, utterances, decoded, speakers, hours, shortest, medianSeconds, longest, words, distinctWords, sampleRates }: PartReport): string[] {
  const about = decoded < utterances ? '~' : '';
  const seconds = (value: number | undefined): string => (value === undefined ? '–' : `${about}${value.toFixed(1)} s`);
  return [
    split, String(utterances), speakers === 0 ? '–' : String(speakers), `${about}${hours.toFixed(hours < 10 ? 2 : 0)}`, seconds(shortest?.seconds), seconds(medianSeconds), seconds(longest?.seconds),
    String(words), String(distinctWords), sampleRates.map(({ sampleRateHz }) => `${sampleRateHz}`).join(', ') + (sampleRates.length > 0 ? ' Hz' : '–'),
  ];
}

function merged(parts: readonly PartReport[], key: 'alphabet' | 'phones'): string[] {
  return [...new Set(parts.flatMap((part) => Object.keys(part[key])))].sort((a, b) => (a < b ? -1 : 1));
}

/** Most alphabets fit into two lines; of others the beginning is enough to see what is wrong. */
function printSymbols(what: string, symbols: readonly string[], print: Terminal['print']): void {
  if (symbols.length === 0) return;
  const shown = symbols.slice(0, 70).map((symbol) => (symbol === ' ' ? '␣' : symbol));
  for (const line of wrapItems([...shown, ...(symbols.length > 70 ? [`and ${symbols.length - 70} more`] : [])], { separator: ' ', first: `${symbols.length} ${what}: `, indent: '  ' })) print(line);
}

function printList(what: string, items: readonly string[], print: Terminal['print']): void {
  if (items.length === 0) return;
  print(`${what}: ${countOf(items.length, 'recording')}`);
  for (const item of items.slice(0, mostListed)) print(`  ${item}`);
  if (items.length > mostListed) print(`  and ${items.length - mostListed} more; --json lists them all`);
}
