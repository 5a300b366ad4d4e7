import { createHash } from 'node:crypto';
import type { Audio } from '../audio.ts';
import { decodeFlac } from '../flac.ts';
import { decodeMp3, isMp3 } from '../mp3.ts';
import { decodeSphere, isSphere } from '../sphere.ts';
import { decodeWav, type WavOptions } from '../wav.ts';

/**
 * Decodes a recording by what it is and not by how it is called: FLAC, WAV, MP3 or NIST SPHERE.
 * @param where how messages call the file
 * @throws CoppiceError `COPPICE_AUDIO_INVALID` for an empty, broken or cut-off file, and for another format, with the command that converts it
 */
export async function decodeAudio(bytes: Uint8Array, where: string, options: WavOptions = {}): Promise<Audio> {
  if (startsWith(bytes, 'fLaC')) return decodeFlac(bytes, where, { createMd5: () => createHash('md5') });
  if (isSphere(bytes)) return decodeSphere(bytes, where);
  if (isMp3(bytes)) return decodeMp3(bytes, where);
  return decodeWav(bytes, where, options);
}

const startsWith = (bytes: Uint8Array, text: string): boolean => bytes.length >= text.length && [...text].every((letter, k) => bytes[k] === letter.charCodeAt(0));
