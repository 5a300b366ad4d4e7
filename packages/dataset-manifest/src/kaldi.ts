import { CoppiceError } from '@coppice/graph';
import { readText, type FileTree } from '@coppice/speech/node';
import { posix } from 'node:path';
import { createFinder, undecoded } from './find-recording.ts';
import type { ManifestOptions } from './options.ts';
import { oneBlank, type Row, type Rows, type SkippedRow, type Span } from './row.ts';

/** A data directory of Kaldi, and the part that it is. */
export interface KaldiFolder {
  readonly folder: string;
  readonly split: string;
}

/**
 * Rows of data directories as Kaldi has them (kaldi-asr.org/doc/data_prep.html): `wav.scp`, `text`, and where they are there `utt2spk` and
 * `segments`. A command in `wav.scp` is refused and never run.
 * @throws CoppiceError `COPPICE_DATASET_INVALID` for a command or an archive of Kaldi in `wav.scp`, and for a name that is there twice
 */
export async function readKaldi(tree: FileTree, folders: readonly KaldiFolder[], { root }: ManifestOptions): Promise<Rows> {
  const find = createFinder(tree);
  const [rows, skipped]: [Row[], SkippedRow[]] = [[], []];
  for (const { folder, split } of folders) {
    const inFolder = (name: string): string => posix.join(folder, name);
    const files = new Set((await tree.list(folder)).files);
    const lines = async (name: string): Promise<Map<string, Line>> => (files.has(name) ? readLines(tree, inFolder(name)) : new Map<string, Line>());
    const [wav, text, speakers, segments] = [await lines('wav.scp'), await lines('text'), await lines('utt2spk'), await lines('segments')];
    const utterances = files.has('segments') ? segments : wav;
    for (const id of [...utterances.keys()].sort()) {
      const utterance = utterances.get(id)!;
      const skip = (reason: string): unknown => skipped.push({ split, file: id, reason: `${reason} (${utterance.place})` });
      const cut = files.has('segments') ? segmentOf(utterance) : { recording: id, span: undefined };
      const transcript = oneBlank(text.get(id)?.rest ?? '');
      const written = cut === undefined ? undefined : wav.get(cut.recording);
      if (cut === undefined) skip("is not 'RECORDING BEGIN END'");
      else if (written === undefined) skip(`is cut from '${cut.recording}', which wav.scp does not have`);
      else if (transcript === '') skip('has no transcript in text');
      else {
        const file = await find(candidates(pathIn(written), folder, root));
        const speaker = speakers.get(id)?.rest;
        if (file === undefined) skip(`is '${written.rest}', which is not there; say with root from where paths start`);
        else if (undecoded.test(file)) skip(`is '${written.rest}', in a format that is not decoded; convert it to WAV`);
        else rows.push({ split, id, file, transcript, line: utterance.place, ...(speaker ? { speaker } : {}), ...(cut.span ? { span: cut.span } : {}) });
      }
    }
    for (const id of text.keys()) if (!utterances.has(id)) skipped.push({ split, file: id, reason: 'has a transcript in text and no recording' });
  }
  return { rows, skipped, notes: [] };
}

interface Line {
  readonly rest: string;
  readonly place: string;
}

/** Lines of `KEY REST` by their key. */
async function readLines(tree: FileTree, file: string): Promise<Map<string, Line>> {
  const lines = new Map<string, Line>();
  for (const [at, line] of (await readText(tree, file)).split('\n').entries()) {
    const text = line.trim();
    if (text === '') continue;
    const gap = text.search(/\s/) >>> 0;
    const [key, rest] = [text.slice(0, gap), text.slice(gap).trim()];
    if (lines.has(key)) throw invalid(`'${tree.where(file)}' has '${key}' twice. Remove one of the lines`);
    lines.set(key, { rest, place: `${file}:${at + 1}` });
  }
  return lines;
}

/** The path of a recording. Whatever a file says, no command of it is run. */
function pathIn({ rest, place }: Line): string {
  if (rest.startsWith('|') || rest.endsWith('|')) throw invalid(`${place} is a command: '${rest}'. Commands of a corpus are never run. Run it yourself for each recording, writing WAV or FLAC files (NIST SPHERE is read as it is), and name those files in wav.scp`);
  if (/\.ark(:\d+)?(\[.*\])?$/.test(rest)) throw invalid(`${place} names an archive of Kaldi: '${rest}'. Name recordings as WAV, FLAC or NIST SPHERE files`);
  return rest.replaceAll('\\', '/');
}

/** Kaldi's paths start where its scripts are run, which is mostly two folders above `data/train`. */
const candidates = (path: string, folder: string, root: string | undefined): string[] =>
  posix.isAbsolute(path) ? [path] : root === undefined ? ['.', '..', '../..'].map((up) => posix.join(folder, up, path)) : [posix.join(root, path)];

function segmentOf({ rest }: Line): { recording: string; span: Span } | undefined {
  const [recording, begin, end, ...more] = rest.split(/\s+/);
  const [from, to] = [Number(begin), Number(end)];
  // Kaldi writes −1 for the end of the recording.
  if (more.length > 0 || !(from >= 0) || !(to > from || to === -1)) return undefined;
  return { recording, span: { begin: from, ...(to === -1 ? {} : { end: to }) } };
}

const invalid = (what: string): CoppiceError => new CoppiceError('COPPICE_DATASET_INVALID', `${what}.`);
