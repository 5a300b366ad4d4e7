import type { FileTree } from '@coppice/speech/node';
import { posix } from 'node:path';

/** The path of the first of these files that is there, or undefined. */
export type FindRecording = (candidates: readonly string[]) => Promise<string | undefined>;

/** Formats that are not decoded. */
export const undecoded = /\.(m4a|aac|ogg|oga|opus|webm|mp4|wma|amr)$/i;

/** Of these, a WAV or FLAC file of the same name beside one is taken in its place: somebody converted it. */
const compressed = /\.(mp3|m4a|aac|ogg|oga|opus|webm|mp4|wma|amr)$/i;

/** Looks for files by listing each folder once: a corpus has more files than can be asked for one by one. */
export function createFinder(tree: FileTree): FindRecording {
  const folders = new Map<string, Promise<ReadonlySet<string>>>();
  const namesIn = (folder: string): Promise<ReadonlySet<string>> => {
    const known = folders.get(folder) ?? tree.list(folder).then(({ files }) => new Set(files));
    folders.set(folder, known);
    return known;
  };
  const isThere = async (file: string): Promise<boolean> => {
    const folder = posix.dirname(file);
    return (await namesIn(folder === '.' ? '' : folder)).has(posix.basename(file));
  };
  return async (candidates) => {
    for (const candidate of candidates) {
      const file = posix.normalize(candidate);
      const twins = compressed.test(file) ? ['.wav', '.flac'].map((end) => file.replace(compressed, end)) : [];
      for (const name of [...twins, file]) if (await isThere(name)) return name;
    }
    return undefined;
  };
}
