import { createRandom } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { decodeSphere } from './sphere.ts';
import { writeSphere } from './testing/sphere-writer.ts';

const rejected = (...parts: string[]): Error => expect.objectContaining({ code: 'COPPICE_AUDIO_INVALID', message: expect.stringMatching(new RegExp(parts.map((part) => `(?=[^]*${part})`).join(''))) as string }) as Error;

const whole = [-32_768, 32_767, 0, -1, 1, 258, -259];
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text.padEnd(1100));

describe('decodeSphere', () => {
  it.each([['01', 2, 15], ['10', 2, 15], ['012', 3, 23], ['210', 3, 23], ['0123', 4, 31], ['3210', 4, 31], ['1', 1, 7]] as const)('reads PCM in the order %s', (order, width, bits) => {
    const written = whole.map((value) => Math.trunc(value * 2 ** (bits - 15)) + 0);
    const { samples, sampleRateHz } = decodeSphere(writeSphere(written, { order, width, sampleRateHz: 8000 }), 'it');
    expect([...samples]).toEqual(written.map((value) => Math.fround(value / 2 ** bits)));
    expect(sampleRateHz).toBe(8000);
  });

  it('makes the mean of two channels', () => {
    expect([...decodeSphere(writeSphere([100, 300, -7, 7], { channels: 2 }), 'it').samples]).toEqual([200 / 32_768, 0]);
  });

  it.each<[string, Uint8Array, ...string[]]>([
    ['nothing', new Uint8Array(), 'NIST_1A'],
    ['a header of nonsense', bytesOf('NIST_1A\n   abcd\n'), "'abcd' bytes"],
    ['a header without end', bytesOf('NIST_1A\n   1024\nsample_count -i 3\n').subarray(0, 300), '1024 bytes', 'has 300'],
    ['a header without a rate', bytesOf('NIST_1A\n   1024\nsample_count -i 3\nend_head\n'), 'sample_rate'],
    ['shorten', writeSphere(whole, { coding: 'pcm,embedded-shorten-v2.00' }), 'shorten', 'sph2pipe -f wav it out.wav'],
    ['another coding', writeSphere(whole, { coding: 'celp' }), "'celp'", 'sph2pipe'],
    ['no order of bytes', writeSphere(whole, { order: '1' }), 'sample_byte_format', "'1'"],
    ['what was cut off', writeSphere(whole).subarray(0, -4), 'should have 7 samples and has 5'],
    ['too many channels', writeSphere(whole, { channels: 1000 }), 'channel_count', '1000'],
    ['no samples', writeSphere([]), 'without sound'],
  ])('refuses %s', (_, bytes, ...parts) => {
    expect(() => decodeSphere(bytes, 'it')).toThrow(rejected(...parts));
  });

  it('gives samples or COPPICE_AUDIO_INVALID for 2,000 files that were changed or cut', () => {
    const random = createRandom('mutated sphere');
    const fixture = writeSphere(Array.from({ length: 300 }, (_, t) => t * 31 - 4000));
    let refused = 0;
    for (let k = 0; k < 2000; k++) {
      const bytes = fixture.slice(0, random.integer(4) === 0 ? random.integer(fixture.length) : fixture.length);
      for (let changes = random.integer(4); changes >= 0 && bytes.length > 0; changes--) bytes[random.integer(Math.min(bytes.length, 220))] = random.integer(256);
      try {
        expect(decodeSphere(bytes, 'it').samples.every((value) => Math.abs(value) <= 1)).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(CoppiceError);
        expect(error).toMatchObject({ code: 'COPPICE_AUDIO_INVALID' });
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(800);
  });
});

const sox = ((): string | undefined => {
  try {
    return execFileSync('sox', ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return undefined;
  }
})();
const folder = mkdtempSync(join(tmpdir(), 'coppice-sphere-'));
afterAll(() => rmSync(folder, { recursive: true }));

// Debian's sox writes and reads the files; without it there is nothing to compare with.
describe.skipIf(sox === undefined)('files that sox wrote', () => {
  const [raw, sph] = [join(folder, 'it.raw'), join(folder, 'it.sph')];
  const asFloats = (...file: string[]): Float32Array => {
    const out = execFileSync('sox', [...file, '-t', 'raw', '-e', 'floating-point', '-b', '32', '-L', '-'], { maxBuffer: 1e8 });
    return new Float32Array(out.buffer.slice(out.byteOffset, out.byteOffset + out.length));
  };
  it.each([['signed-integer', '16', '-L'], ['signed-integer', '16', '-B'], ['signed-integer', '24', '-B'], ['signed-integer', '32', '-L'], ['u-law', '8', '-L']])('are what sox reads from them: %s, %s bits, %s', (encoding, bits, order) => {
    const random = createRandom('sox');
    writeFileSync(raw, Buffer.from(Int16Array.from({ length: 4000 }, (_, t) => (t < 1000 ? (t - 500) * 65 : random.integer(65_536) - 32_768)).buffer));
    execFileSync('sox', ['-D', '-r', '16000', '-e', 'signed-integer', '-b', '16', '-c', '1', raw, '-t', 'sph', '-e', encoding, '-b', bits, order, sph]);
    expect(decodeSphere(readFileSync(sph), sph).samples).toEqual(asFloats(sph));
  });

  it.each([['ulaw', 'u-law'], ['alaw', 'a-law'], ['mu-law', 'u-law']])('have the codes of G.711 that sox knows: %s', (coding, encoding) => {
    const codes = Array.from({ length: 256 }, (_, code) => code);
    writeFileSync(raw, Uint8Array.from(codes));
    expect(decodeSphere(writeSphere(codes, { coding, width: 1, order: '1' }), 'it').samples).toEqual(asFloats('-t', 'raw', '-r', '8000', '-c', '1', '-b', '8', '-e', encoding, raw));
  });
});
