import { readText, type FileTree } from '@coppice/speech/node';
import { posix } from 'node:path';
import type { Row, Rows, SkippedRow } from './row.ts';

const lists = [['dev', 'validation_list.txt'], ['test', 'testing_list.txt']] as const;

/** Whether a folder has the lists of Speech Commands. */
export const isSpeechCommands = (files: readonly string[]): boolean => lists.some(([, file]) => files.includes(file));

/**
 * Rows of Speech Commands (Warden 2018): a folder for each word, recordings called SPEAKER_nohash_TAKE.wav in it. `validation_list.txt` names the
 * part `dev`, `testing_list.txt` the part `test`; the rest is `train`. What lies in folders that begin with `_` is noise and no word.
 */
export async function readSpeechCommands(tree: FileTree, at: string): Promise<Rows> {
  const [rows, skipped]: [Row[], SkippedRow[]] = [[], []];
  const splits = new Map<string, string>();
  const { folders, files } = await tree.list(at);
  for (const [split, list] of lists.filter(([, file]) => files.includes(file))) {
    for (const line of (await readText(tree, posix.join(at, list))).split('\n')) if (line.trim() !== '') splits.set(line.trim(), split);
  }
  const words = folders.filter((name) => !name.startsWith('_'));
  for (const word of words) {
    for (const name of (await tree.list(posix.join(at, word))).files.filter((file) => /\.(wav|flac)$/i.test(file))) {
      const path = `${word}/${name}`;
      const speaker = /^(.+?)_nohash_/.exec(name)?.[1];
      rows.push({ split: splits.get(path) ?? 'train', id: path.replace(/\.[^./]*$/, ''), file: posix.join(at, path), transcript: word, line: path, ...(speaker === undefined ? {} : { speaker }) });
      splits.delete(path);
    }
  }
  for (const [path, split] of splits) skipped.push({ split, file: path, reason: `is named in ${lists.find(([name]) => name === split)![1]} and is not there; was the archive unpacked to its end?` });
  const others = folders.filter((name) => name.startsWith('_'));
  return { rows, skipped, notes: others.length === 0 ? [] : [`Left out as no words: ${others.join(', ')}.`] };
}
