import { decodeWaveToFloat32Channels } from '@echogarden/wave-codec';
import { CoppiceError } from '@coppice/graph';
import type { Audio } from './audio.ts';

export interface WavOptions {
  /** Told, in a sentence, of what was decided for the caller, e.g. that two channels became one. */
  readonly onNote?: (note: string) => void;
}

/**
 * Decodes a WAV file: PCM of 8, 16, 24 or 32 bits, float of 32 or 64, µ-law, A-law, also as WAVE_FORMAT_EXTENSIBLE; several
 * channels become their mean. The bytes may come from anyone: no size that they state is believed.
 * @param where how messages call the file
 * @throws CoppiceError `COPPICE_AUDIO_INVALID` for an empty, broken or cut-off file, for one without sound, and for another format,
 * by its name where it is known
 */
export function decodeWav(bytes: Uint8Array, where: string, { onNote }: WavOptions = {}): Audio {
  const { format, data, endless } = findChunks(bytes, where);
  if (endless) onNote?.(`${where} does not say how long it is; all of it to its end is taken for sound.`);
  const { channels, bytesPerFrame } = checkFormat(format, data.length, where);
  let decoded: ReturnType<typeof decodeWaveToFloat32Channels>;
  try {
    decoded = decodeWaveToFloat32Channels(withTwoChunks(format, data), false, false);
  } catch (cause) {
    throw invalid(where, `is a WAV file that cannot be decoded: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  const { audioChannels, sampleRate } = decoded;
  if (audioChannels.length !== channels || audioChannels.some(({ length }) => length !== data.length / bytesPerFrame)) throw invalid(where, 'is a WAV file whose header contradicts its sound');
  if (channels > 1) onNote?.(`${where} has ${channels} channels; their mean is used.`);
  const samples = channels === 1 ? audioChannels[0] : mean(audioChannels);
  if (!samples.every(Number.isFinite)) throw invalid(where, 'has samples that are not finite numbers');
  return { samples, sampleRateHz: sampleRate };
}

/** 384 kHz is what the fastest converters give. */
const fastestHz = 384_000;
const mostChannels = 64;

/** The body of the `fmt ` chunk, checked as far as the codec does not. */
function checkFormat(format: Uint8Array, bytes: number, where: string): { channels: number; bytesPerFrame: number } {
  if (format.length < 16) throw invalid(where, `is a broken WAV file: its header has ${format.length} bytes instead of 16 or more`);
  const view = new DataView(format.buffer, format.byteOffset, format.length);
  const [tag, channels, sampleRateHz, blockBytes, bits] = [view.getUint16(0, true), view.getUint16(2, true), view.getUint32(4, true), view.getUint16(12, true), view.getUint16(14, true)];
  const name = compressed.get(tag);
  if (name !== undefined) throw invalid(where, `is a WAV file with ${name} in it; convert it to 16-bit PCM, e.g. with ffmpeg`);
  if (channels < 1 || channels > mostChannels) throw invalid(where, `is a broken WAV file: it states ${channels} channels`);
  if (sampleRateHz < 1 || sampleRateHz > fastestHz) throw invalid(where, `is a broken WAV file: it states ${sampleRateHz} samples a second`);
  const bytesPerFrame = (channels * bits) / 8;
  if (blockBytes !== bytesPerFrame) throw invalid(where, `is a broken WAV file: ${channels} × ${bits} bits do not make the ${blockBytes} bytes that it states`);
  if (bytes === 0) throw invalid(where, 'is a WAV file without sound: it has a header and no samples');
  if (bytes % bytesPerFrame !== 0) throw invalid(where, `is cut off: its last sample has ${bytes % bytesPerFrame} of ${bytesPerFrame} bytes`);
  return { channels, bytesPerFrame };
}

/** Codecs by their number in `fmt ` (Microsoft, mmreg.h). */
const compressed: ReadonlyMap<number, string> = new Map([[2, 'ADPCM'], [0x11, 'IMA ADPCM'], [0x31, 'GSM 6.10'], [0x50, 'MPEG audio'], [0x55, 'MP3'], [0xff, 'AAC'], [0xf1ac, 'FLAC']]);

interface Chunks {
  readonly format: Uint8Array;
  readonly data: Uint8Array;
  /** The header of a stream: the length was not known when it was written. */
  readonly endless: boolean;
}

/** The two chunks that matter. The codec would find them too, but not after a chunk of odd length, nor with bytes after the last. */
function findChunks(bytes: Uint8Array, where: string): Chunks {
  if (bytes.length === 0) throw invalid(where, 'is empty');
  const kind = kindOf(bytes);
  if (kind !== undefined) throw invalid(where, `is not a WAV file but ${kind}; convert it to WAV, e.g. with ffmpeg`);
  if (bytes.length < 12 || ascii(bytes, 0, 4) !== 'RIFF' || ascii(bytes, 8, 4) !== 'WAVE') throw invalid(where, 'is not a WAV file: it does not begin with RIFF and WAVE');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let format: Uint8Array | undefined;
  for (let at = 12; at + 8 <= bytes.length;) {
    const [name, stated, begin] = [ascii(bytes, at, 4), view.getUint32(at + 4, true), at + 8];
    const endless = name === 'data' && stated === 0xffffffff;
    const size = endless ? bytes.length - begin : stated;
    const wanted = name === 'fmt ' || name === 'data';
    if (wanted && begin + size > bytes.length) throw invalid(where, `is cut off: its '${name.trim()}' part should have ${size} bytes and has ${bytes.length - begin}`);
    if (name === 'fmt ') format = bytes.subarray(begin, begin + size);
    if (name === 'data') {
      if (format === undefined) throw invalid(where, 'is a broken WAV file: its sound comes before its header');
      return { format, data: bytes.subarray(begin, begin + size), endless };
    }
    // A chunk of odd length is followed by one byte of padding.
    at = begin + size + (size % 2);
  }
  throw invalid(where, `is a WAV file without sound: it has no '${format === undefined ? 'fmt' : 'data'}' part`);
}

/** A RIFF file of nothing but these chunks. */
function withTwoChunks(format: Uint8Array, data: Uint8Array): Uint8Array {
  const padded = format.length + (format.length % 2);
  const bytes = new Uint8Array(28 + padded + data.length);
  const view = new DataView(bytes.buffer);
  const write = (text: string, at: number): void => bytes.set([...text].map((letter) => letter.charCodeAt(0)), at);
  write('RIFF', 0);
  view.setUint32(4, bytes.length - 8, true);
  write('WAVEfmt ', 8);
  view.setUint32(16, padded, true);
  bytes.set(format, 20);
  write('data', 20 + padded);
  view.setUint32(24 + padded, data.length, true);
  bytes.set(data, 28 + padded);
  return bytes;
}

function mean(channels: readonly Float32Array[]): Float32Array {
  return Float32Array.from(channels[0], (_, at) => {
    let sum = 0;
    for (const channel of channels) sum += channel[at];
    return sum / channels.length;
  });
}

/** What a file is that is not RIFF/WAVE, by its first bytes; undefined for WAV and for what is not known. */
function kindOf(bytes: Uint8Array): string | undefined {
  for (const [start, kind] of signatures) if (ascii(bytes, 0, start.length) === start) return kind;
  if (ascii(bytes, 0, 4) === 'RIFF' && bytes.length >= 12 && ascii(bytes, 8, 4) !== 'WAVE') return `a RIFF file of the kind '${ascii(bytes, 8, 4).trim()}'`;
  if (ascii(bytes, 4, 4) === 'ftyp') return 'MP4 (AAC or the like)';
  // Eleven bits of ones begin a frame of MPEG audio; layer 0 is what ADTS has.
  if (bytes[0] === 0xff && (bytes[1] & 0xe0) === 0xe0) return (bytes[1] & 0x06) === 0 ? 'AAC (ADTS)' : 'MP3';
  return undefined;
}

const signatures: readonly (readonly [start: string, kind: string])[] = [
  ['fLaC', 'FLAC'], ['OggS', 'Ogg (Vorbis, Opus or FLAC)'], ['ID3', 'MP3'], ['NIST_1A', 'NIST SPHERE, as TIMIT and WSJ have it (sph2pipe reads it)'], ['FORM', 'AIFF'],
  ['.snd', 'Sun AU'], ['RF64', 'RF64, a WAV of over 4 GB'], ['RIFX', 'RIFX, a WAV of big-endian numbers'], ['caff', 'Apple CAF'], ['\x1aE\xdf\xa3', 'Matroska or WebM'], ['#!AMR', 'AMR'],
  ['PK\x03\x04', 'a ZIP archive'], ['\x1f\x8b', 'a gzip archive'], ['version https://git-lfs', 'a Git LFS pointer, whose recording was not downloaded (git lfs pull)'], ['<', 'text (HTML or XML)'],
];

const ascii = (bytes: Uint8Array, at: number, length: number): string => String.fromCharCode(...bytes.subarray(at, at + length));

const invalid = (where: string, what: string, cause?: unknown): CoppiceError => new CoppiceError('COPPICE_AUDIO_INVALID', `${where} ${what}.`, { cause });
