import { createRandom } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeFlac } from './flac.ts';
import { writeFlac } from './testing/flac-writer.ts';

const createMd5 = () => createHash('md5');

/** Made by flac 1.4.2 of Debian from the samples below: -8 -b 1024 --no-padding --no-seektable. All its frames are LPC with Rice codes. */
const fixture = new Uint8Array(readFileSync(join(import.meta.dirname, 'testing/resonance.flac')));

/** A resonance that is fed with noise, in integers. */
function resonance(length: number): number[] {
  let [last, before, noise] = [0, 0, 1];
  return Array.from({ length }, () => {
    noise = (noise * 1103 + 12345) % 65536;
    [last, before] = [Math.round((31000 * last - 15800 * before) / 16384) + ((noise >> 6) - 512), last];
    return last;
  });
}

const rejected = (...parts: string[]): Error => expect.objectContaining({ code: 'COPPICE_AUDIO_INVALID', message: expect.stringMatching(new RegExp(parts.map((part) => `(?=[^]*${part})`).join(''))) as string }) as Error;

describe('decodeFlac', () => {
  it('gives what was compressed, to the last bit', async () => {
    const { samples, sampleRateHz } = await decodeFlac(fixture, 'it', { createMd5 });
    expect(sampleRateHz).toBe(16_000);
    expect([...samples]).toEqual(resonance(6000).map((value) => value / 32768));
  });

  it.each([8, 16, 24] as const)('divides samples of %i bits by half their range, the extremes among them', async (bits) => {
    const half = 2 ** (bits - 1);
    const random = createRandom(`flac ${bits}`);
    const written = [-half, half - 1, 0, -1, 1, 1 - half, ...Array.from({ length: 1000 }, () => random.integer(2 * half) - half)];
    const { samples } = await decodeFlac(writeFlac(written, { bits }), 'it', { createMd5 });
    expect([...samples]).toEqual(written.map((value) => value / half));
  });

  it('reads files of unlike lengths, blocks and rates side by side', async () => {
    const files = Array.from({ length: 12 }, (_, k) => ({ written: resonance(30 + 77 * k), options: { blockSize: 16 + 50 * (k % 3), sampleRateHz: [16_000, 11_025, 8000][k % 3], firstFrame: 125 * k } }));
    const decode = async ({ written, options }: (typeof files)[number]): Promise<void> => {
      const { samples, sampleRateHz } = await decodeFlac(writeFlac(written, options), 'it');
      expect([...samples]).toEqual(written.map((value) => value / 32768));
      expect(sampleRateHz).toBe(options.sampleRateHz);
    };
    await Promise.all(files.map(decode));
    for (const file of files) await decode(file);
  });

  it('reads files of one rate and unlike blocks one after the other, short ones too', async () => {
    for (let k = 0; k < 60; k++) {
      const written = resonance([700, 97, 2000, 193][k % 4]);
      const { samples } = await decodeFlac(writeFlac(written, { blockSize: [192, 576, 64, 576, 576, 1152][k % 6] }), 'it');
      expect([...samples]).toEqual(written.map((value) => value / 32768));
    }
  });

  it('believes the MD5, not the file', async () => {
    const written = resonance(100);
    const sum = createMd5().update(new Uint8Array(Int16Array.from(written).buffer)).digest();
    expect((await decodeFlac(writeFlac(written, { md5: sum }), 'it', { createMd5 })).samples).toHaveLength(100);
    sum[3] ^= 1;
    await expect(decodeFlac(writeFlac(written, { md5: sum }), 'it', { createMd5 })).rejects.toThrow(rejected('MD5'));
    expect((await decodeFlac(writeFlac(written, { md5: sum }), 'it')).samples).toHaveLength(100);
  });

  it.each<[string, Uint8Array, ...string[]]>([
    ['nothing', new Uint8Array(), 'is empty'],
    ['a WAV', Uint8Array.from([...'RIFF....WAVE'].map((c) => c.charCodeAt(0))), 'WAV'],
    ['a Git LFS pointer', new TextEncoder().encode('version https://git-lfs.github.com/spec/v1'), 'git lfs pull'],
    ['a header alone', writeFlac([]), 'no sound'],
    ['two channels', writeFlac(resonance(50), { channels: 2 }), '2 channels', 'sox'],
    ['12 bits', writeFlac(resonance(50), { bits: 12 }), '12 bits', '8, 16 or 24'],
    ['a wrong number of samples', writeFlac(resonance(50), { stated: 51 }), '51 samples', 'has 50'],
    ['what is cut between two frames', writeFlac(resonance(128)).subarray(0, writeFlac(resonance(64)).length), '128 samples', 'has 64'],
    ['bytes after the last frame', Uint8Array.from([...fixture, 84, 65, 71]), 'broken or cut off'],
    ['a frame that is missing', Uint8Array.from([...writeFlac(resonance(64), { stated: 0 }), ...writeFlac(resonance(64), { firstFrame: 2 }).subarray(42)]), 'missing'],
    ['more metadata than bytes', Uint8Array.from([...fixture.subarray(0, 4), 0, 0, 0, 34, ...fixture.subarray(8, 42), 0x84, 255, 255, 255]), 'cut off in its metadata'],
  ])('refuses %s', async (_, bytes, ...parts) => {
    await expect(decodeFlac(bytes, 'it', { createMd5 })).rejects.toThrow(rejected(...parts));
  });

  it('refuses silence of 100 minutes in a few kilobytes before it makes room for it', async () => {
    const silence = Array.from({ length: 65_535 }, () => 0);
    const frame = (firstFrame: number): Uint8Array => writeFlac(silence, { blockSize: silence.length, constant: true, firstFrame, stated: 0 }).subarray(firstFrame === 0 ? 0 : 42);
    const silences = (frames: number): Uint8Array => Uint8Array.from(Array.from({ length: frames }, (_, k) => [...frame(k)]).flat());
    expect((await decodeFlac(silences(3), 'it')).samples).toEqual(new Float32Array(3 * silence.length));
    const bomb = silences(1470);
    expect(bomb.length).toBeLessThan(25_000);
    await expect(decodeFlac(bomb, 'it')).rejects.toThrow(rejected('too long'));
  });

  it('takes time in proportion to the bytes, when every eighth begins like a frame', async () => {
    const header = writeFlac([0], { blockSize: 64 }).subarray(42, 50);
    const hostile = new Uint8Array(4_000_000);
    for (let at = 0; at + 8 <= hostile.length; at += 8) hostile.set(header, at);
    const whole = new Uint8Array(42 + hostile.length);
    whole.set(writeFlac([]));
    whole.set(hostile, 42);
    await expect(decodeFlac(whole, 'it')).rejects.toThrow(rejected('broken or cut off'));
  }, 5000);

  it('gives the same samples or COPPICE_AUDIO_INVALID for 2,000 files that were changed or cut', async () => {
    const random = createRandom('mutated flac');
    const whole = await decodeFlac(fixture, 'it');
    let refused = 0;
    for (let k = 0; k < 2000; k++) {
      const bytes = fixture.slice(0, random.integer(4) === 0 ? random.integer(fixture.length) : fixture.length);
      const reach = Math.min(bytes.length, random.integer(3) === 0 ? 60 : fixture.length);
      if (reach > 0) for (let changes = random.integer(4); changes >= 0; changes--) bytes[random.integer(reach)] = random.integer(256);
      await decodeFlac(bytes, 'it', { createMd5 }).then(
        // Names of the encoder and the like may change without harm.
        ({ samples }) => expect(samples).toEqual(whole.samples),
        (error: unknown) => {
          expect(error).toBeInstanceOf(CoppiceError);
          expect(error).toMatchObject({ code: 'COPPICE_AUDIO_INVALID' });
          refused++;
        },
      );
    }
    expect(refused).toBeGreaterThan(1500);
  }, 30_000);
});

const shared = join(import.meta.dirname, '../../../../shared/data/speechocean762');
const hasFlac = ((): boolean => {
  try {
    return execFileSync('flac', ['--version'], { stdio: ['ignore', 'pipe', 'ignore'] }).length > 0;
  } catch {
    return false;
  }
})();

describe.skipIf(!existsSync(shared) || !hasFlac)('real recordings', () => {
  it('are what `flac -d` gives, to the last bit', async () => {
    for (const file of globSync(join(shared, 'dev/000*/1/*.flac')).sort()) {
      const raw = execFileSync('flac', ['-s', '-d', '-c', '--force-raw-format', '--endian=little', '--sign=signed', file], { maxBuffer: 1e8 });
      const { samples } = await decodeFlac(readFileSync(file), file, { createMd5 });
      expect(samples).toEqual(Float32Array.from({ length: raw.length / 2 }, (_, t) => raw.readInt16LE(2 * t) / 32768));
    }
  });
});
