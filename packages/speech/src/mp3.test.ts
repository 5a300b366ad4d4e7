import { CoppiceError } from '@coppice/graph';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeMp3, isMp3 } from './mp3.ts';

/** `lame -m m -b 48` of the sweep below. */
const file = new Uint8Array(readFileSync(join(import.meta.dirname, 'testing/sweep.mp3')));
const sweep = Float64Array.from({ length: 12_000 }, (_, n) => 0.4 * Math.sin((2 * Math.PI * (200 + n / 60) * n) / 16_000) * Math.sin((Math.PI * n) / 12_000));

describe('decodeMp3', () => {
  it('gives the sound that was encoded, sample for sample in its place', async () => {
    const { samples, sampleRateHz } = await decodeMp3(file, 'sweep.mp3');
    expect({ length: samples.length, sampleRateHz }).toEqual({ length: 12_000, sampleRateHz: 16_000 });
    const error = (shift: number): number => {
      let [sum, power] = [0, 0];
      for (let n = 10; n < 11_990; n++) [sum, power] = [sum + (samples[n + shift] - sweep[n]) ** 2, power + sweep[n] ** 2];
      return Math.sqrt(sum / power);
    };
    expect(error(0)).toBeLessThan(0.06);
    expect(Math.min(error(-1), error(1))).toBeGreaterThan(0.12);
  });

  it('gives the same a second time, and behind a tag', async () => {
    const { samples } = await decodeMp3(file, 'sweep.mp3');
    expect((await decodeMp3(file, 'again.mp3')).samples).toEqual(samples);
    const tag = Uint8Array.from([...'ID3'].map((letter) => letter.charCodeAt(0)).concat([4, 0, 0, 0, 0, 1, 2], Array(130).fill(0)));
    const tagged = Uint8Array.from([...tag, ...file]);
    expect([file, tagged].map(isMp3)).toEqual([true, true]);
    expect((await decodeMp3(tagged, 'tagged.mp3')).samples).toEqual(samples);
    await expect(decodeMp3(tagged.subarray(0, 4000), 'tagged.mp3')).rejects.toThrow(/tagged\.mp3 is cut off: it should have 5324 bytes and has 4000/);
  });

  it.each([['cut off', file.subarray(0, 3000), /is cut off/], ['empty', new Uint8Array(), /without sound/], ['only a tag', file.subarray(0, 3), /without sound/], ['no frames', new Uint8Array(4000).fill(0xfb), /without sound|broken/]])('refuses a file that is %s', async (_, bytes, message) => {
    const error = await decodeMp3(bytes, 'x.mp3').catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(CoppiceError);
    expect(error).toMatchObject({ code: 'COPPICE_AUDIO_INVALID', message: expect.stringMatching(message) });
  });

  it('is told apart from AAC, WAV and layers that there are not', () => {
    expect([[0xff, 0xf1], [0x52, 0x49], [0xff, 0xe8], [0xff]].map((bytes) => isMp3(Uint8Array.from(bytes)))).toEqual([false, false, false, false]);
  });
});
