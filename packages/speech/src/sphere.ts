import { CoppiceError } from '@coppice/graph';
import type { Audio } from './audio.ts';

/** 384 kHz is what the fastest converters give. */
const fastestHz = 384_000;
const mostChannels = 64;
/** Headers have 1024 bytes; the format allows more, in steps of 1024. */
const mostHeaderBytes = 65_536;

/**
 * Decodes a NIST SPHERE file, as TIMIT, WSJ and Switchboard have them: PCM of 8 to 32 bits in either order of bytes, µ-law and A-law (ITU-T
 * G.711). A sample of b bits is divided by 2^(b − 1), codes of G.711 by 2^15; several channels become their mean. Compressed files (shorten,
 * wavpack, shortpack) are refused. The bytes may come from anyone: no size that they state is believed.
 * @param where how messages call the file
 * @throws CoppiceError `COPPICE_AUDIO_INVALID` for a broken or cut-off file, one without sound, and one whose coding is not read
 */
export function decodeSphere(bytes: Uint8Array, where: string): Audio {
  const { begin, channels, sampleRateHz, width, samples: stated, read } = readHeader(bytes, where);
  const bytesPerFrame = channels * width;
  const there = Math.floor((bytes.length - begin) / bytesPerFrame);
  if (stated !== undefined && stated > there) throw invalid(where, `is cut off: it should have ${stated} samples and has ${there}`);
  const length = stated ?? there;
  if (length === 0) throw invalid(where, 'is a SPHERE file without sound: it has a header and no samples');
  const view = new DataView(bytes.buffer, bytes.byteOffset + begin, length * bytesPerFrame);
  const samples = new Float32Array(length);
  for (let t = 0; t < length; t++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += read(view, (t * channels + channel) * width);
    samples[t] = sum / channels;
  }
  return { samples, sampleRateHz };
}

/** Whether these bytes begin as a SPHERE file does. */
export const isSphere = (bytes: Uint8Array): boolean => ascii(bytes, 0, 7) === 'NIST_1A';

type ReadSample = (view: DataView, at: number) => number;

interface Header {
  readonly begin: number;
  readonly channels: number;
  readonly sampleRateHz: number;
  /** Bytes of a sample. */
  readonly width: number;
  /** Of each channel, where it is stated. */
  readonly samples?: number;
  readonly read: ReadSample;
}

/** NIST, SPHERE 2.6, "The NIST SPHERE header": two lines of eight bytes, then `name -type value` up to `end_head`. */
function readHeader(bytes: Uint8Array, where: string): Header {
  if (!isSphere(bytes)) throw invalid(where, "is not a SPHERE file: it does not begin with 'NIST_1A'");
  const begin = Number(ascii(bytes, 8, 8).trim());
  if (!Number.isInteger(begin) || begin < 16 || begin > mostHeaderBytes) throw invalid(where, `is a broken SPHERE file: it states a header of '${ascii(bytes, 8, 8).trim()}' bytes`);
  if (bytes.length < begin) throw invalid(where, `is cut off: its header should have ${begin} bytes, and the file has ${bytes.length}`);
  const fields = new Map<string, string>();
  for (const line of ascii(bytes, 16, begin - 16).split('\n')) {
    const [name, , ...value] = line.trim().split(/\s+/);
    if (name === 'end_head') break;
    if (name !== '' && !name.startsWith(';')) fields.set(name, value.join(' '));
  }
  const whole = (name: string, least: number, most: number): number | undefined => {
    const text = fields.get(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most) throw invalid(where, `is a broken SPHERE file: its ${name} is '${text}'`);
    return value;
  };
  const channels = whole('channel_count', 1, mostChannels) ?? 1;
  const sampleRateHz = whole('sample_rate', 1, fastestHz);
  if (sampleRateHz === undefined) throw invalid(where, 'is a broken SPHERE file: it does not state its sample_rate');
  const coding = (fields.get('sample_coding') ?? 'pcm').toLowerCase();
  const squeezed = ['shorten', 'wavpack', 'shortpack'].find((kind) => coding.includes(kind));
  if (squeezed !== undefined) throw invalid(where, `is a SPHERE file compressed with ${squeezed}; unpack it, e.g. with sph2pipe -f wav ${fileName(where)} out.wav`);
  const width = whole('sample_n_bytes', 1, 4) ?? (coding === 'pcm' ? 2 : 1);
  return { begin, channels, sampleRateHz, width, samples: whole('sample_count', 0, Number.MAX_SAFE_INTEGER), read: readerOf(coding, width, fields.get('sample_byte_format'), where) };
}

function readerOf(coding: string, width: number, order: string | undefined, where: string): ReadSample {
  const law = { ulaw: fromMuLaw, 'mu-law': fromMuLaw, mulaw: fromMuLaw, alaw: fromALaw, 'a-law': fromALaw }[coding];
  if (law !== undefined) {
    if (width !== 1) throw invalid(where, `is a broken SPHERE file: its codes of ${coding} have ${width} bytes`);
    const values = Float32Array.from({ length: 256 }, (_, code) => law(code) / 32_768);
    return (view, at) => values[view.getUint8(at)];
  }
  if (coding !== 'pcm') throw invalid(where, `is a SPHERE file with '${coding}' in it, which is not read; convert it, e.g. with sph2pipe -f wav ${fileName(where)} out.wav`);
  if (width === 1) return (view, at) => view.getInt8(at) / 128;
  // SPHERE names all bytes, `0123` or `3210`; sox always writes two of them.
  const [little, big] = [order?.startsWith('01') === true, order?.endsWith('10') === true];
  if (little === big) throw invalid(where, `is a broken SPHERE file: its sample_byte_format is '${order ?? 'not stated'}' and must be '01' or '10', or the like`);
  if (width === 2) return (view, at) => view.getInt16(at, little) / 2 ** 15;
  if (width === 4) return (view, at) => view.getInt32(at, little) / 2 ** 31;
  return (view, at) => ((little ? view.getInt8(at + 2) : view.getInt8(at)) * 65_536 + view.getUint16(little ? at : at + 1, little)) / 2 ** 23;
}

/** A code of µ-law as a sample of 16 bits; ITU-T G.711, table 2. */
function fromMuLaw(code: number): number {
  const [sign, segment, step] = [code & 0x80, (~code >> 4) & 7, ~code & 15];
  const magnitude = ((2 * step + 33) << (segment + 2)) - 132;
  return sign === 0 ? -magnitude : magnitude;
}

/** A code of A-law as a sample of 16 bits; ITU-T G.711, table 1. */
function fromALaw(code: number): number {
  const even = code ^ 0x55;
  const [sign, segment, step] = [even & 0x80, (even >> 4) & 7, even & 15];
  const magnitude = segment === 0 ? (2 * step + 1) << 3 : (2 * step + 33) << (segment + 2);
  return sign === 0 ? -magnitude : magnitude;
}

const ascii = (bytes: Uint8Array, at: number, length: number): string => String.fromCharCode(...bytes.subarray(at, at + length));

const fileName = (where: string): string => where.split(/[\\/]/).at(-1) ?? where;

const invalid = (where: string, what: string): CoppiceError => new CoppiceError('COPPICE_AUDIO_INVALID', `${where} ${what}.`);
