/** What a hand-written FLAC file states and holds. */
export interface FlacFile {
  readonly bits?: 8 | 12 | 16 | 24;
  readonly channels?: number;
  readonly sampleRateHz?: number;
  readonly blockSize?: number;
  /** Number of samples that the header states; default the true one. */
  readonly stated?: number;
  readonly md5?: Uint8Array;
  /** Frames of one repeated sample, of a few bytes each. */
  readonly constant?: boolean;
  /** Number of the first frame. */
  readonly firstFrame?: number;
}

/** A FLAC file without compression, written by the letter of RFC 9639 and one bit after the other: slow, and nothing in common with the decoder. */
export function writeFlac(samples: readonly number[], { bits = 16, channels = 1, sampleRateHz = 16_000, blockSize = 64, stated = samples.length, md5 = new Uint8Array(16), constant = false, firstFrame = 0 }: FlacFile = {}): Uint8Array {
  const info = [...binary(blockSize, 16), ...binary(blockSize, 16), ...binary(0, 24), ...binary(0, 24), ...binary(sampleRateHz, 20), ...binary(channels - 1, 3), ...binary(bits - 1, 5), ...binary(stated, 36)];
  const bytes: number[] = [...letters('fLaC'), 0x80, 0, 0, 34, ...packed(info), ...md5];
  for (let start = 0, number = firstFrame; start < samples.length; start += blockSize, number++) {
    const block = samples.slice(start, start + blockSize);
    const header = packed([...binary(0b11111111111110, 14), 0, 0, ...binary(0b0111, 4), ...binary(0, 4), ...binary(channels - 1, 4), ...binary(bitCodes[bits], 3), 0]);
    header.push(...utf8(number), (block.length - 1) >> 8, (block.length - 1) & 0xff);
    header.push(remainder(header, 0x107, 8));
    const said = (constant ? block.slice(0, 1) : block).flatMap((sample) => binary(sample, bits));
    // A subframe: 0, six bits of its kind (0 constant, 1 verbatim), 0.
    const subframe = [...binary(constant ? 0b00000000 : 0b00000010, 8), ...said];
    const frame = [...header, ...packed(Array.from({ length: channels }, () => subframe).flat())];
    const crc = remainder(frame, 0x18005, 16);
    for (const byte of [...frame, crc >> 8, crc & 0xff]) bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

const bitCodes = { 8: 1, 12: 2, 16: 4, 24: 6 } as const;

const letters = (text: string): number[] => [...text].map((letter) => letter.charCodeAt(0));

/** Highest bit first, two's complement. */
const binary = (value: number, bits: number): number[] => Array.from({ length: bits }, (_, k) => Math.floor(value / 2 ** (bits - 1 - k)) & 1);

const packed = (bits: readonly number[]): number[] => Array.from({ length: Math.ceil(bits.length / 8) }, (_, byte) => Array.from({ length: 8 }, (_none, k) => bits[8 * byte + k] ?? 0).reduce((value, bit) => 2 * value + bit, 0));

const utf8 = (number: number): number[] => (number < 0x80 ? [number] : number < 0x800 ? [0xc0 | (number >> 6), 0x80 | (number & 63)] : [0xe0 | (number >> 12), 0x80 | ((number >> 6) & 63), 0x80 | (number & 63)]);

/** Of the division of polynomials, by hand. */
function remainder(bytes: readonly number[], polynomial: number, degree: number): number {
  let rest = 0;
  for (const byte of [...bytes, ...Array.from({ length: degree / 8 }, () => 0)]) {
    for (let k = 7; k >= 0; k--) {
      rest = rest * 2 + ((byte >> k) & 1);
      if (rest >= 2 ** degree) rest ^= polynomial;
    }
  }
  return rest;
}
