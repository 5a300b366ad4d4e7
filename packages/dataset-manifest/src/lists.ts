import type { FileTree } from '@coppice/speech/node';
import { posix } from 'node:path';
import { createFinder, undecoded, type FindRecording } from './find-recording.ts';
import type { ManifestOptions } from './options.ts';
import { readRecords, type ListRecord } from './records.ts';
import { oneBlank, type Row, type Rows, type SkippedRow } from './row.ts';

/** A list of recordings, and what its place says about them. */
export interface ListFile {
  /** From the root of the tree. */
  readonly file: string;
  /** The part, where the name of the file or its folder says it. */
  readonly split?: string;
  /** Folders that paths may start from, the likeliest first. */
  readonly bases: readonly string[];
}

/** Names that people give to the columns, the likeliest first. */
const usualColumns = {
  path: ['audio_filepath', 'audio_path', 'file_name', 'wav_filename', 'path', 'audio', 'file', 'filename', 'wav'],
  text: ['text', 'sentence', 'transcript', 'transcription', 'normalized_text'],
  speaker: ['speaker', 'speaker_id', 'client_id', 'spk_id', 'spk'],
  id: ['id', 'utt_id', 'utterance_id'],
  split: ['split', 'subset', 'partition'],
  phones: ['phones', 'phonemes'],
} as const;

type ColumnKind = keyof typeof usualColumns;

/** Which column says what, of one list. */
function columnsOf(records: readonly ListRecord[], options: ManifestOptions): Partial<Record<ColumnKind, string>> {
  const there = new Set(records.slice(0, 100).flatMap(({ fields, lists }) => [...fields.keys(), ...lists.keys()]));
  const chosen: Partial<Record<ColumnKind, string>> = { path: options.pathColumn, text: options.textColumn, speaker: options.speakerColumn, id: options.idColumn, split: options.splitColumn };
  const kinds = Object.keys(usualColumns) as ColumnKind[];
  return Object.fromEntries(kinds.map((kind) => [kind, chosen[kind]?.toLowerCase() ?? usualColumns[kind].find((name) => there.has(name))]));
}

/** Rows of lists: JSON lines as NeMo has them, CSV and TSV as Common Voice, DeepSpeech and Hugging Face's audiofolder have them. */
export async function readLists(tree: FileTree, files: readonly ListFile[], options: ManifestOptions): Promise<Rows> {
  const find = createFinder(tree);
  const [rows, skipped, notes]: [Row[], SkippedRow[], string[]] = [[], [], []];
  for (const list of files) {
    const { records, broken } = await readRecords(tree, list.file);
    const columns = columnsOf(records, options);
    const missing = (['path', 'text'] as const).filter((kind) => columns[kind] === undefined);
    if (missing.length > 0) {
      const names = [...new Set(records.slice(0, 100).flatMap(({ fields }) => [...fields.keys()]))];
      notes.push(`'${tree.where(list.file)}' is left out: ${records.length === 0 ? 'it has no lines that are read' : `no column for the ${missing.map((kind) => (kind === 'path' ? 'recording' : 'transcript')).join(' and the ')} among ${names.join(', ')}; say which with ${missing.map((kind) => `${kind}Column`).join(' and ')}`}.`);
      continue;
    }
    for (const { line, fault } of broken) skipped.push({ split: list.split ?? 'train', file: `${list.file}:${line}`, reason: fault });
    for (const record of records) {
      const row = await rowOf(record, list, columns, find);
      if ('reason' in row) skipped.push(row);
      else rows.push(row);
    }
  }
  return { rows, skipped, notes };
}

async function rowOf({ fields, lists, line }: ListRecord, list: ListFile, columns: Partial<Record<ColumnKind, string>>, find: FindRecording): Promise<Row | SkippedRow> {
  const text = (kind: ColumnKind): string => fields.get(columns[kind] ?? '')?.trim() ?? '';
  const [written, transcript] = [text('path').replaceAll('\\', '/'), oneBlank(text('text'))];
  const split = partOf(text('split')) || list.split || partOf(written.includes('/') ? written.split('/')[0] : '', true) || 'train';
  const place = `${list.file}:${line}`;
  const skip = (reason: string, file = place): SkippedRow => ({ split, file, reason });
  if (written === '') return skip('names no recording');
  if (transcript === '') return skip(`has no transcript (${place})`, written);
  const file = await find(list.bases.map((base) => (posix.isAbsolute(written) ? written : posix.join(base, written))));
  if (file === undefined) return skip(`is not there (${place})`, written);
  if (undecoded.test(file)) return skip(`is in a format that is not decoded; convert it, e.g. with ffmpeg -i ${posix.basename(file)} -ac 1 ${posix.basename(file).replace(undecoded, '.wav')}, and leave the WAV file beside it`, written);
  const [offset, duration] = ['offset', 'duration'].map((name) => numberOf(fields.get(name)));
  const span = offset !== undefined && offset > 0 ? { begin: offset, ...(duration === undefined ? {} : { end: offset + duration }) } : undefined;
  const speaker = text('speaker');
  const phones = lists.get(columns.phones ?? '') ?? text('phones').split(/\s+/).filter((phone) => phone !== '' && phone !== '|');
  return {
    split, file, transcript, line: place,
    id: text('id') || `${written.replace(/\.[^./]*$/, '')}${offset === undefined || offset === 0 ? '' : `@${offset}`}`,
    ...(speaker === '' ? {} : { speaker }),
    ...(phones.length === 0 ? {} : { phones }),
    ...(duration === undefined ? {} : { seconds: duration }),
    ...(span === undefined ? {} : { span }),
  };
}

function numberOf(text = ''): number | undefined {
  const value = Number(text);
  return text.trim() !== '' && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** How a part is called after a file, a folder or the entry of a column: without the words that every list has in its name. */
export function partOf(name: string, onlyUsual = false): string {
  const bare = name.slice(0, 200).trim().replaceAll(/(^|[-_. ]+)(manifest|metadata|filelist|list|transcripts?|labels?)(?=$|[-_. ])/gi, '$1').replaceAll(/^[-_. ]+|[-_. ]+$/g, '');
  return onlyUsual && !/^(train|dev|test|valid)/i.test(bare) ? '' : bare;
}
