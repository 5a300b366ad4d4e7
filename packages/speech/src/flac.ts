import { CoppiceError } from '@coppice/graph';
import type { Audio } from './audio.ts';
import { FLACDecoder, type FLACDecodedAudio } from '@wasm-audio-decoders/flac';
import { splitFrames, type FlacFrame } from './flac-frames.ts';

/** A running MD5, e.g. `createHash('md5')` of Node. */
export interface Md5 {
  update(bytes: Uint8Array): unknown;
  digest(encoding: 'hex'): string;
}

export interface FlacOptions {
  /** Makes the sum of all samples, which a FLAC file states; without it, only the checksums of frames and the number of samples are verified. */
  readonly createMd5?: () => Md5;
}

/** 35 minutes at 16 kHz. The longest utterance of LibriSpeech has 35 seconds; a hostile file of 10 kB can state hours of silence. */
const mostSamples = 2 ** 25;
/** What the decoder takes at a time. */
const mostFrameBytes = 65_535 * 8;
/** 384 kHz is what the fastest converters give. */
const fastestHz = 384_000;

/**
 * Decodes a mono FLAC file (RFC 9639) of 8, 16 or 24 bits without loss: a sample of b bits is divided by 2^(b − 1). The bytes may come from
 * anyone; what is held in memory is bounded by the sound that is really there. Runs in browsers too.
 * @param where how messages call the file
 * @throws CoppiceError `COPPICE_AUDIO_INVALID` for an empty, broken or cut-off file, for one with several channels, and for
 * another format
 */
export async function decodeFlac(bytes: Uint8Array, where: string, { createMd5 }: FlacOptions = {}): Promise<Audio> {
  const info = readStreamInfo(bytes, where);
  const frames = readFrames(bytes, info, where);
  const used = takeIdle(info, frames[0].number);
  if (used !== undefined) {
    try {
      return await decodeFrames(used, frames, info, where, createMd5);
    } catch (error) {
      // What an earlier file left in a decoder must not condemn this one: a new decoder has the last word.
      if (!(error instanceof CoppiceError)) throw error;
    }
  }
  return decodeFrames(await newDecoder(info), frames, info, where, createMd5);
}

async function decodeFrames(decoder: FLACDecoder, frames: readonly FlacFrame[], info: StreamInfo, where: string, createMd5: FlacOptions['createMd5']): Promise<Audio> {
  const md5 = info.md5 === undefined ? undefined : createMd5?.();
  const samples = new Float32Array(frames.reduce((sum, { blockSize }) => sum + blockSize, 0));
  let at = 0;
  for (const { bytes: frame, blockSize } of frames) {
    // What a broken file leaves in a decoder goes with it: only on success is it used again.
    const block = await decodeFrame(decoder, frame, where);
    if (block.channelData[0]?.length !== blockSize || block.sampleRate !== info.sampleRateHz || block.bitDepth !== info.bits) throw invalid(where, 'is broken: a frame contradicts the header of the file');
    const integers = toIntegers(block.channelData[0], info.bits);
    md5?.update(littleEndian(integers, info.bits));
    for (let t = 0; t < blockSize; t++) samples[at + t] = integers[t] / 2 ** (info.bits - 1);
    at += blockSize;
  }
  if (md5 && md5.digest('hex') !== info.md5) throw invalid(where, 'is broken: the MD5 of its samples is not the one that it states');
  idle = { decoder, key: keyOf(info) };
  return { samples, sampleRateHz: info.sampleRateHz };
}

function readFrames(bytes: Uint8Array, info: StreamInfo, where: string): FlacFrame[] {
  const frames: FlacFrame[] = [];
  let samples = 0;
  for (const frame of splitFrames(bytes, info.begin, info.channels)) {
    if ('fault' in frame) throw invalid(where, frame.fault);
    samples += frame.blockSize;
    if (samples > mostSamples) throw invalid(where, `has more than ${mostSamples} samples, too long for an utterance; cut it`);
    if (frame.bytes.length > mostFrameBytes) throw invalid(where, `has a frame of ${frame.bytes.length} bytes, more than ${mostFrameBytes}`);
    frames.push(frame);
  }
  if (info.samples !== 0 && samples !== info.samples) throw invalid(where, `is cut off or broken: it should have ${info.samples} samples and has ${samples}`);
  return frames;
}

async function decodeFrame(decoder: FLACDecoder, frame: Uint8Array, where: string): Promise<FLACDecodedAudio> {
  let decoded: FLACDecodedAudio;
  try {
    decoded = await decoder.decodeFrames([frame]);
  } catch (cause) {
    throw invalid(where, `cannot be decoded: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  if (decoded.errors.length > 0) throw invalid(where, `cannot be decoded: ${decoded.errors[0].message}`);
  return decoded;
}

/** A decoder that has nothing to do. Making one takes longer than decoding an utterance. */
let idle: { readonly decoder: FLACDecoder; readonly key: string } | undefined;

/** What a decoder keeps from one file to the next, besides the number of the last frame: rate, bits and sizes of blocks. */
const keyOf = ({ head }: StreamInfo): string => head.join(' ');

function takeIdle(info: StreamInfo, firstFrame: number): FLACDecoder | undefined {
  // Numbers that go on from the last file would be taken for frames that are missing between.
  if (idle?.key !== keyOf(info) || firstFrame !== 0) return undefined;
  const { decoder } = idle;
  idle = undefined;
  return decoder;
}

async function newDecoder({ head }: StreamInfo): Promise<FLACDecoder> {
  const decoder = new FLACDecoder();
  await decoder.ready;
  await decoder.decodeFrames([head]);
  return decoder;
}

/** Of other numbers of bits the decoder makes infinities; of 32, float32 does not keep all. */
const exactBits: ReadonlySet<number> = new Set([8, 16, 24]);

interface StreamInfo {
  readonly sampleRateHz: number;
  readonly channels: number;
  readonly bits: number;
  /** 0: not stated. */
  readonly samples: number;
  /** Of the samples; undefined: not stated. */
  readonly md5?: string;
  /** Where the first frame begins. */
  readonly begin: number;
  /** Rate, channels, bits and sizes of blocks, as a FLAC stream of unknown length states them. */
  readonly head: Uint8Array;
}

/** What the file says of itself, RFC 9639, 8. */
function readStreamInfo(bytes: Uint8Array, where: string): StreamInfo {
  if (bytes.length === 0) throw invalid(where, 'is empty');
  if (ascii(bytes, 4) !== 'fLaC') throw invalid(where, `is not a FLAC file${kindOf(bytes)}`);
  if (bytes.length < 42) throw invalid(where, `is cut off: it has ${bytes.length} bytes, less than the header of a FLAC file`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if ((view.getUint32(4) & 0x7fffffff) !== 34) throw invalid(where, 'is a broken FLAC file: it does not begin with the description of its sound');
  let [begin, last] = [4, false];
  while (!last) {
    if (begin + 4 > bytes.length) throw invalid(where, 'is cut off in its metadata');
    last = bytes[begin] >= 0x80;
    begin += 4 + (view.getUint32(begin) & 0xffffff);
  }
  if (begin >= bytes.length) throw invalid(where, begin > bytes.length ? 'is cut off in its metadata' : 'has a header and no sound');
  const [packed, low] = [view.getUint32(18), view.getUint32(22)];
  const [sampleRateHz, channels, bits] = [packed >>> 12, ((packed >> 9) & 7) + 1, ((packed >> 4) & 31) + 1];
  if (sampleRateHz < 1 || sampleRateHz > fastestHz) throw invalid(where, `is a broken FLAC file: it states ${sampleRateHz} samples a second`);
  if (channels > 1) throw invalid(where, `has ${channels} channels and must have one; mix it down, e.g. with sox in.flac -c 1 out.flac`);
  if (!exactBits.has(bits)) throw invalid(where, `has ${bits} bits a sample and must have 8, 16 or 24; convert it, e.g. with sox in.flac -b 16 out.flac`);
  const md5 = Array.from(bytes.subarray(26, 42), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const head = bytes.slice(0, 42);
  // The last metadata; sizes of frames, number of samples and MD5 are 0, which is to say that they are not known.
  head[4] |= 0x80;
  head.fill(0, 12, 18);
  head[21] &= 0xf0;
  head.fill(0, 22);
  return { sampleRateHz, channels, bits, samples: (packed & 15) * 2 ** 32 + low, md5: /^0*$/.test(md5) ? undefined : md5, begin, head };
}

/** The decoder divides by 2^(b − 1) − 1; of up to 24 bits, float32 keeps enough to undo that exactly. */
function toIntegers(block: Float32Array, bits: number): Int32Array {
  const scale = 2 ** (bits - 1) - 1;
  const integers = new Int32Array(block.length);
  for (let t = 0; t < block.length; t++) integers[t] = Math.round(block[t] * scale);
  return integers;
}

/** What FLAC's MD5 is made of: as few bytes a sample as hold its bits. */
function littleEndian(integers: Int32Array, bits: number): Uint8Array {
  const width = Math.ceil(bits / 8);
  const bytes = new Uint8Array(width * integers.length);
  for (let t = 0; t < integers.length; t++) for (let k = 0; k < width; k++) bytes[width * t + k] = integers[t] >> (8 * k);
  return bytes;
}

const ascii = (bytes: Uint8Array, length: number): string => String.fromCharCode(...bytes.subarray(0, length));

function kindOf(bytes: Uint8Array): string {
  const kind = signatures.find(([start]) => ascii(bytes, start.length) === start);
  return kind ? ` but ${kind[1]}` : ": it does not begin with 'fLaC'";
}

const signatures: readonly (readonly [start: string, kind: string])[] = [
  ['RIFF', 'WAV; convert it with flac'], ['OggS', 'Ogg'], ['ID3', 'MP3, or has an ID3 tag before it'], ['NIST_1A', 'NIST SPHERE'], ['version https://git-lfs', 'a Git LFS pointer, whose recording was not downloaded (git lfs pull)'],
  ['\x1f\x8b', 'a gzip archive'], ['<', 'text (HTML or XML)'],
];

const invalid = (where: string, what: string, cause?: unknown): CoppiceError => new CoppiceError('COPPICE_AUDIO_INVALID', `${where} ${what}.`, { cause });
