import { existsSync, globSync, readFileSync } from 'node:fs';
import { createRandom } from '@coppice/core';
import { describe, expect, it } from 'vitest';
import { decodeWav } from './wav.ts';

interface Wav { tag: number; bits: number; channels?: number; sampleRateHz?: number; before?: [string, number[]][]; after?: number[]; extensible?: boolean }

/** A WAV file byte by byte, after Microsoft & IBM 1991. */
function wav(data: ArrayLike<number>, { tag, bits, channels = 1, sampleRateHz = 8000, before = [], after = [], extensible = false }: Wav): Uint8Array {
  const bytes = (value: number, size: number): number[] => Array.from({ length: size }, (_, k) => Math.floor(value / 256 ** k) % 256);
  const text = (value: string): number[] => [...value].map((letter) => letter.charCodeAt(0));
  const guid = [tag, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];
  const block = (channels * bits) / 8;
  const format = [...bytes(extensible ? 0xfffe : tag, 2), ...bytes(channels, 2), ...bytes(sampleRateHz, 4), ...bytes(sampleRateHz * block, 4), ...bytes(block, 2), ...bytes(bits, 2),
    ...(extensible ? [...bytes(22, 2), ...bytes(bits, 2), 0, 0, 0, 0, ...guid] : [])];
  const chunk = (name: string, body: number[]): number[] => [...text(name), ...bytes(body.length, 4), ...body, ...(body.length % 2 ? [0] : [])];
  const chunks = [...before.flatMap(([name, body]) => chunk(name, body)), ...chunk('fmt ', format), ...chunk('data', Array.from(data)), ...after];
  return Uint8Array.from([...text('RIFF'), ...bytes(4 + chunks.length, 4), ...text('WAVE'), ...chunks]);
}
const rawBytes = (values: Int16Array | Int32Array | Float32Array | Float64Array): Uint8Array => new Uint8Array(values.buffer);

/** ITU-T G.711 by its tables' formulas, for numbers of 16 bits. */
const muLaw = (code: number): number => {
  const bits = ~code & 0xff;
  const magnitude = (((bits & 15) << 3) + 0x84 << ((bits >> 4) & 7)) - 0x84;
  return bits & 0x80 ? -magnitude : magnitude;
};
const aLaw = (code: number): number => {
  const bits = code ^ 0x55;
  const [exponent, mantissa] = [(bits >> 4) & 7, bits & 15];
  const magnitude = exponent === 0 ? (mantissa << 4) + 8 : ((mantissa << 4) + 0x108) << (exponent - 1);
  return bits & 0x80 ? magnitude : -magnitude;
};
const codes = Array.from({ length: 256 }, (_, code) => code);

describe('decodeWav', () => {
  const pcm16 = Int16Array.of(0, 1, -1, 32767, -32768, 12345);
  const expected = [0, 1, -1, 32767, -32768, 12345].map((value) => value / 32768);

  it.each<[string, Uint8Array, number[]]>([
    ['8-bit PCM', wav([0, 128, 255, 129], { tag: 1, bits: 8 }), [-1, 0, 127 / 128, 1 / 128]],
    ['16-bit PCM', wav(rawBytes(pcm16), { tag: 1, bits: 16 }), expected],
    ['24-bit PCM', wav([0, 0, 0, 255, 255, 127, 0, 0, 128, 255, 255, 255], { tag: 1, bits: 24 }), [0, 8388607 / 8388608, -1, -1 / 8388608]],
    ['32-bit PCM', wav(rawBytes(Int32Array.of(0, 2 ** 30, -(2 ** 31))), { tag: 1, bits: 32 }), [0, 0.5, -1]],
    ['32-bit float', wav(rawBytes(Float32Array.of(0, 0.25, -1)), { tag: 3, bits: 32 }), [0, 0.25, -1]],
    ['64-bit float', wav(rawBytes(Float64Array.of(0, 0.25, -1)), { tag: 3, bits: 64 }), [0, 0.25, -1]],
    ['µ-law', wav(codes, { tag: 7, bits: 8 }), codes.map((code) => muLaw(code) / 32768)],
    ['A-law', wav(codes, { tag: 6, bits: 8 }), codes.map((code) => aLaw(code) / 32768)],
    ['extensible 24-bit PCM', wav([0, 0, 64], { tag: 1, bits: 24, extensible: true }), [0.5]],
    ['16-bit PCM after a chunk of odd length', wav(rawBytes(pcm16), { tag: 1, bits: 16, before: [['LIST', [1, 2, 3]]] }), expected],
    ['8-bit PCM of odd length with a chunk after it', wav([128, 128, 255], { tag: 1, bits: 8, after: [76, 73, 83, 84, 2, 0, 0, 0, 1, 2] }), [0, 0, 127 / 128]],
    ['16-bit PCM with rubbish after it', wav(rawBytes(pcm16), { tag: 1, bits: 16, after: [1, 2, 3] }), expected],
  ])('reads %s', (_, bytes, samples) => {
    const got = decodeWav(bytes, 'a.wav');
    expect(got.sampleRateHz).toBe(8000);
    expect([...got.samples]).toEqual(samples.map((value) => Math.fround(value) + 0));
  });

  it('reads bytes that lie anywhere in their buffer', () => {
    const inside = new Uint8Array(200).fill(7);
    const bytes = wav(rawBytes(pcm16), { tag: 1, bits: 16 });
    inside.set(bytes, 33);
    expect([...decodeWav(inside.subarray(33, 33 + bytes.length), 'a.wav').samples]).toEqual(expected.map(Math.fround));
  });

  it('makes one channel of several, and says so', () => {
    const notes: string[] = [];
    const { samples } = decodeWav(wav(rawBytes(Int16Array.of(100, 300, -200, 200)), { tag: 1, bits: 16, channels: 2 }), 'a.wav', { onNote: (note) => notes.push(note) });
    expect([...samples]).toEqual([200 / 32768, 0]);
    expect(notes).toEqual(['a.wav has 2 channels; their mean is used.']);
  });

  it('reads a stream, whose length was not known, and says so', () => {
    const bytes = wav(rawBytes(pcm16), { tag: 1, bits: 16 });
    bytes.fill(255, 4, 8).fill(255, 40, 44);
    const notes: string[] = [];
    expect(decodeWav(bytes, 'a.wav', { onNote: (note) => notes.push(note) }).samples.length).toBe(6);
    expect(notes).toEqual(['a.wav does not say how long it is; all of it to its end is taken for sound.']);
  });

  const good = wav(rawBytes(pcm16), { tag: 1, bits: 16 });
  const starting = (start: string): Uint8Array => Uint8Array.from({ length: 100 }, (_, k) => (k < start.length ? start.charCodeAt(k) : 0));
  it.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(), /^a\.wav is empty/],
    ['a header without sound', wav([], { tag: 1, bits: 16 }), /without sound/],
    ['a file without a data chunk', good.slice(0, 36), /no 'data' part/],
    ['a file cut off', good.slice(0, -3), /is cut off: its 'data' part should have 12 bytes and has 9/],
    ['half a sample at the end', wav([1, 2, 3], { tag: 1, bits: 16 }), /its last sample has 1 of 2 bytes/],
    ['no channels', good.map((byte, at) => (at === 22 ? 0 : byte)), /0 channels/],
    ['65,000 channels', good.map((byte, at) => (at === 23 ? 255 : byte)), /channels/],
    ['no sample rate', good.map((byte, at) => (at >= 24 && at < 28 ? 0 : byte)), /0 samples a second/],
    ['a block that is no frame', good.map((byte, at) => (at === 32 ? 4 : byte)), /do not make the 4 bytes/],
    ['12 bits', wav([1, 2, 3], { tag: 1, bits: 12 }), /WAV/],
    ['ADPCM', wav([1, 2], { tag: 0x11, bits: 16 }), /IMA ADPCM/],
    ['NaN', wav(rawBytes(Float32Array.of(0, NaN)), { tag: 3, bits: 32 }), /not finite/],
    ['FLAC', starting('fLaC'), /but FLAC/], ['Ogg', starting('OggS'), /but Ogg/], ['MP3 with tags', starting('ID3'), /but MP3/], ['MP3', starting('\xff\xfb\x90'), /but MP3/],
    ['SPHERE', starting('NIST_1A\n   1024\n'), /but NIST SPHERE/], ['AVI', starting('RIFF\0\0\0\0AVI '), /'AVI'/], ['MP4', starting('\0\0\0\x20ftypM4A '), /MP4/],
    ['text', starting('hello'), /does not begin with RIFF/], ['one byte', Uint8Array.of(82), /does not begin with RIFF/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => decodeWav(bytes, 'a.wav')).toThrow(expect.objectContaining({ code: 'COPPICE_AUDIO_INVALID', message: expect.stringMatching(message) }));
  });

  it('survives 4,000 broken files: sound or one kind of error, never more samples than bytes', () => {
    const random = createRandom('broken wav');
    const sources = [good, wav(codes, { tag: 7, bits: 8, channels: 2 }), wav(new Uint8Array(96).fill(1), { tag: 1, bits: 24, extensible: true, before: [['LIST', [1, 2, 3]]] }), wav(rawBytes(new Float64Array(20)), { tag: 3, bits: 64 })];
    let decoded = 0;
    for (let round = 0; round < 4000; round++) {
      const source = sources[random.integer(sources.length)];
      let bytes = source.slice();
      for (let k = random.integer(4); k >= 0; k--) {
        const at = random.integer(Math.min(bytes.length, random.integer(2) ? 64 : Infinity));
        const what = random.integer(4);
        if (what === 0) bytes[at] = random.integer(256);
        else if (what === 1) bytes.fill(random.integer(2) * 255, at, at + 1 + random.integer(8));
        else if (what === 2) bytes = bytes.slice(0, at + 1);
        else bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(random.integer(bytes.length))]);
        if (bytes.length === 0) break;
      }
      try {
        const { samples } = decodeWav(bytes, 'a.wav');
        expect(samples.length).toBeLessThanOrEqual(bytes.length);
        expect(samples.length).toBeGreaterThan(0);
        expect(samples.every(Number.isFinite)).toBe(true);
        decoded++;
      } catch (error) {
        expect(error).toMatchObject({ code: 'COPPICE_AUDIO_INVALID' });
      }
    }
    // Both happen, or the test would say nothing.
    expect(decoded).toBeGreaterThan(200);
    expect(decoded).toBeLessThan(3800);
  });

  const recordings = new URL('../../../../shared/data/fsdd/', import.meta.url).pathname;
  it.skipIf(!existsSync(recordings))('reads the recordings of the Free Spoken Digit Dataset', () => {
    const files = globSync('*_[0-4].wav', { cwd: recordings });
    expect(files.length).toBeGreaterThan(100);
    for (const file of files) {
      const bytes = readFileSync(recordings + file);
      const { samples, sampleRateHz } = decodeWav(bytes, file);
      expect(sampleRateHz).toBe(8000);
      expect(samples.length).toBe(bytes.readUInt32LE(40) / 2);
      expect(samples.some((value) => Math.abs(value) > 0.01)).toBe(true);
    }
  });
});
