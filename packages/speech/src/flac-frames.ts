/** A piece of a FLAC stream that is decoded alone. */
export interface FlacFrame {
  /** From the sync code to the checksum at its end. */
  readonly bytes: Uint8Array;
  /** Samples of each channel. */
  readonly blockSize: number;
  /** Of the frame, or of its first sample where the size of blocks varies. */
  readonly number: number;
}

/** Why a stream cannot be split, as the end of a sentence. */
export interface FrameFault {
  readonly fault: string;
}

interface Header {
  readonly blockSize: number;
  readonly channels: number;
  /** Of the frame, or of its first sample where the size of blocks varies. */
  readonly number: number;
  readonly next: number;
}

/**
 * Splits what follows the metadata of a FLAC file into frames, RFC 9639, 9. Both checksums of each frame are verified, and that it
 * follows the one before. One pass: the time is proportional to the bytes, whatever they are, because the checksum runs along while
 * the next header is searched.
 * @param begin where the first frame begins
 */
export function* splitFrames(bytes: Uint8Array, begin: number, channels: number): Generator<FlacFrame | FrameFault> {
  let start = begin;
  let header = readHeader(bytes, start);
  while (start < bytes.length) {
    if (header === undefined) return yield { fault: 'has no frame of sound where one must begin' };
    if (header.channels !== channels) return yield { fault: `has a frame of ${header.channels} channels, and its header states ${channels}` };
    let crc = 0;
    let next: Header | undefined;
    let end = start;
    let stranger = false;
    for (; end < bytes.length; end++) {
      // The checksum of a frame and the checksum at its end is 0 (it is no inverted one).
      if (crc === 0 && end > start && bytes[end] === 0xff) {
        next = readHeader(bytes, end);
        if (next?.number === header.next) break;
        stranger ||= next !== undefined;
      }
      crc = ((crc << 8) & 0xffff) ^ crc16[(crc >> 8) ^ bytes[end]];
    }
    if (end === bytes.length && crc !== 0) return yield { fault: 'is broken or cut off: the checksum of a frame is wrong' };
    if (end === bytes.length && stranger) return yield { fault: 'is broken: a frame is missing or out of order' };
    yield { bytes: bytes.subarray(start, end), blockSize: header.blockSize, number: header.number };
    start = end;
    header = next;
  }
}

/** The header of a frame with a correct checksum, RFC 9639, 9.1. */
function readHeader(bytes: Uint8Array, at: number): Header | undefined {
  // 14 bits of sync, one reserved, one that tells whether the size of blocks varies.
  if (bytes[at] !== 0xff || (bytes[at + 1] & 0xfe) !== 0xf8) return undefined;
  const [sizeCode, rateCode, channelCode] = [bytes[at + 2] >> 4, bytes[at + 2] & 15, bytes[at + 3] >> 4];
  if (sizeCode === 0 || rateCode === 15 || channelCode > 10 || (bytes[at + 3] & 1) !== 0) return undefined;
  const coded = readNumber(bytes, at + 4);
  if (coded === undefined) return undefined;
  const sizeAt = coded.end;
  const rateAt = sizeAt + (sizeCode === 6 ? 1 : sizeCode === 7 ? 2 : 0);
  const crcAt = rateAt + (rateCode < 12 ? 0 : rateCode === 12 ? 1 : 2);
  if (crcAt >= bytes.length) return undefined;
  let crc = 0;
  for (let k = at; k <= crcAt; k++) crc = crc8[crc ^ bytes[k]];
  if (crc !== 0) return undefined;
  const blockSize = sizeCode === 1 ? 192 : sizeCode < 6 ? 144 << sizeCode : sizeCode === 6 ? bytes[sizeAt] + 1 : sizeCode === 7 ? ((bytes[sizeAt] << 8) | bytes[sizeAt + 1]) + 1 : 1 << sizeCode;
  return { blockSize, channels: channelCode < 8 ? channelCode + 1 : 2, number: coded.number, next: coded.number + ((bytes[at + 1] & 1) === 1 ? blockSize : 1) };
}

/** A number of up to 36 bits, written as UTF-8 would. */
function readNumber(bytes: Uint8Array, at: number): { number: number; end: number } | undefined {
  const first = bytes[at];
  if (first < 0x80) return { number: first, end: at + 1 };
  const ones = Math.clz32(~(first << 24));
  if (ones < 2 || ones > 7) return undefined;
  let number = first & (0x7f >> ones);
  for (let k = 1; k < ones; k++) {
    const byte = bytes[at + k];
    if ((byte & 0xc0) !== 0x80) return undefined;
    number = number * 64 + (byte & 0x3f);
  }
  return { number, end: at + ones };
}

/** The checksum of each byte, by polynomial, highest bit first. */
const crcTable = (polynomial: number, bits: number): Uint16Array => Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << (bits - 8);
  for (let k = 0; k < 8; k++) crc = (crc << 1) ^ (crc >> (bits - 1) ? polynomial : 0);
  return crc & ((1 << bits) - 1);
});

const crc8 = crcTable(0x107, 8);
const crc16 = crcTable(0x18005, 16);
