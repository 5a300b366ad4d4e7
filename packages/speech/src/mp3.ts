import { CoppiceError } from '@coppice/graph';
import { MPEGDecoder } from 'mpg123-decoder';
import type { Audio } from './audio.ts';

/** 35 minutes at 16 kHz, as for FLAC; at the lowest bit rate a small file holds hours. */
const mostSamples = 2 ** 25;
/** Decoded at a time, so that a long file is noticed before its sound fills the memory. */
const pieceBytes = 65_536;

/**
 * Decodes MPEG audio, layers I to III (ISO/IEC 11172-3, 13818-3), e.g. the clips of Common Voice; what the encoder put before and behind the sound is left out
 * where the file says how much it is. Several channels become their mean. The bytes may come from anyone.
 * @param where how messages call the file
 * @throws CoppiceError `COPPICE_AUDIO_INVALID` for a broken file, one without sound, one that is cut off as far as it says how long it is, and one that is too long for
 * an utterance
 */
export async function decodeMp3(bytes: Uint8Array, where: string): Promise<Audio> {
  const stated = statedBytes(bytes);
  if (stated !== undefined && stated > bytes.length) throw invalid(where, `is cut off: it should have ${stated} bytes and has ${bytes.length}`);
  // A decoder of its own for each file: what a broken one leaves in it goes with it.
  const decoder = new MPEGDecoder({ enableGapless: true });
  try {
    await decoder.ready;
    const pieces: Float32Array[] = [];
    let [length, sampleRateHz] = [0, 0];
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const { channelData, samplesDecoded, sampleRate, errors } = decoder.decode(bytes.subarray(at, at + pieceBytes));
      if (errors.length > 0) throw invalid(where, `is broken: ${errors[0].message}`);
      if (samplesDecoded === 0) continue;
      if (sampleRateHz !== 0 && sampleRate !== sampleRateHz) throw invalid(where, `is broken: its rate changes from ${sampleRateHz} to ${sampleRate} samples a second`);
      sampleRateHz = sampleRate;
      pieces.push(mixed(channelData, samplesDecoded));
      length += samplesDecoded;
      if (length > mostSamples) throw invalid(where, `has more than ${mostSamples} samples, too long for an utterance; cut it`);
    }
    if (length === 0) throw invalid(where, 'is an MP3 file without sound, or broken');
    const samples = new Float32Array(length);
    let at = 0;
    for (const piece of pieces) {
      samples.set(piece, at);
      at += piece.length;
    }
    return { samples, sampleRateHz };
  } finally {
    decoder.free();
  }
}

/** Whether these bytes begin as an MP3 file does: with a tag, or with a frame of MPEG audio. */
export const isMp3 = (bytes: Uint8Array): boolean =>
  (bytes[0] === 0x49 && bytes[1] === 0x44 && bytes[2] === 0x33) || (bytes[0] === 0xff && (bytes[1] & 0xe0) === 0xe0 && (bytes[1] & 0x06) !== 0 && (bytes[1] & 0x18) !== 0x08);

function mixed(channels: readonly Float32Array[], length: number): Float32Array {
  // Quantisation may go beyond full scale.
  const within = (value: number): number => Math.max(-1, Math.min(1, value));
  return Float32Array.from({ length }, (_, t) => within(channels.reduce((sum, channel) => sum + channel[t], 0) / channels.length));
}

/** Length of the file as the frame that encoders put first says it: `Xing` or `Info`, flags, and where they have bit 0 the number of frames, where bit 1 of bytes. */
function statedBytes(bytes: Uint8Array): number | undefined {
  // A tag before the sound states its own length in four times 7 bits.
  const begin = bytes[0] === 0x49 && bytes.length > 10 ? 10 + bytes.slice(6, 10).reduce((size, byte) => size * 128 + (byte & 127), 0) : 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  // Behind the head of the frame and its side information, which takes 9 to 32 bytes.
  for (let at = begin + 4 + 9; at <= begin + 4 + 32 + 2 && at + 16 <= bytes.length; at++) {
    const word = view.getUint32(at);
    if (word !== 0x58696e67 && word !== 0x496e666f) continue;
    const flags = view.getUint32(at + 4);
    return flags & 2 ? begin + view.getUint32(at + (flags & 1 ? 12 : 8)) : undefined;
  }
  return undefined;
}

const invalid = (where: string, what: string): CoppiceError => new CoppiceError('COPPICE_AUDIO_INVALID', `${where} ${what}.`);
