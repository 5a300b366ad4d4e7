import type { Audio } from '../audio.ts';
import { sharedAudioPool } from './audio-pool.ts';
import { decodeAudio } from './decode-audio.ts';
import { readOr, type FileTree } from './file-tree.ts';

/** More than the longest utterance that is decoded can have. */
const mostBytes = 128e6;

let asked = 0;

/**
 * Reads and decodes a recording of a corpus. Recordings that are asked for side by side are decoded side by side, each in a thread.
 * @throws CoppiceError `COPPICE_AUDIO_INVALID` with the name of the file
 */
export async function readAudio(tree: FileTree, file: string): Promise<Audio> {
  asked++;
  try {
    const bytes = await readOr('COPPICE_AUDIO_INVALID', tree, file, mostBytes);
    return await (asked > 1 ? sharedAudioPool().decode(bytes, tree.where(file)) : decodeAudio(bytes, tree.where(file)));
  } finally {
    asked--;
  }
}
