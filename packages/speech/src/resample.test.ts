import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { resampleAudio } from './resample.ts';

const sine = (hz: number, sampleRateHz: number, length: number): Float32Array => Float32Array.from({ length }, (_, n) => 0.5 * Math.sin((2 * Math.PI * hz * n) / sampleRateHz));

/** The largest difference away from the ends, where the sound begins and ends suddenly. */
const furthest = (got: Float32Array, expected: Float32Array): number => {
  let largest = 0;
  for (let n = Math.floor(got.length / 10); n < got.length * 0.9; n++) largest = Math.max(largest, Math.abs(got[n] - expected[n]));
  return largest;
};

describe('resampleAudio', () => {
  it.each([[16000, 8000], [8000, 16000], [44100, 16000], [48000, 8000], [22050, 16000], [11025, 8000]])('keeps a tone where it is, from %i to %i Hz', async (from, to) => {
    for (const [hz, seconds] of [[440, 1], [1234.5, 0.3], [0.4 * Math.min(from, to), 0.5]]) {
      const { samples, sampleRateHz } = await resampleAudio({ samples: sine(hz, from, Math.round(from * seconds)), sampleRateHz: from }, to);
      expect(sampleRateHz).toBe(to);
      expect(samples.length).toBe(Math.round((Math.round(from * seconds) * to) / from));
      expect(furthest(samples, sine(hz, to, samples.length))).toBeLessThan(1e-5);
    }
  });

  it.each([[16000, 8000, 5000], [48000, 16000, 9000], [44100, 8000, 20000]])('lets nothing of what is too high through, from %i to %i Hz at %i Hz', async (from, to, hz) => {
    const { samples } = await resampleAudio({ samples: sine(hz, from, from), sampleRateHz: from }, to);
    expect(furthest(samples, new Float32Array(samples.length))).toBeLessThan(0.5 * 10 ** (-100 / 20));
  });

  it('keeps the end of a long recording', async () => {
    const { samples } = await resampleAudio({ samples: sine(440, 16000, 16000 * 70), sampleRateHz: 16000 }, 8000);
    expect(samples.length).toBe(8000 * 70);
    expect(furthest(samples.subarray(-8000, -100), sine(440, 8000, 8000 * 70).subarray(-8000, -100))).toBeLessThan(1e-5);
    expect(Math.max(...samples.subarray(-60))).toBeGreaterThan(0.3);
  });

  it('gives the same whatever was resampled before or at the same time', async () => {
    const sounds = [300, 440, 1000].map((hz) => ({ samples: sine(hz, 16000, 3000), sampleRateHz: 16000 }));
    const together = await Promise.all(sounds.flatMap((sound) => [resampleAudio(sound, 8000), resampleAudio(sound, 11025)]));
    for (const [k, sound] of sounds.entries()) {
      expect(together[2 * k]).toEqual(await resampleAudio(sound, 8000));
      expect(together[2 * k + 1]).toEqual(await resampleAudio(sound, 11025));
    }
  });

  it('does nothing at the same rate, and nothing to nothing', async () => {
    const audio = { samples: sine(440, 8000, 80), sampleRateHz: 8000 };
    expect(await resampleAudio(audio, 8000)).toBe(audio);
    expect((await resampleAudio({ samples: new Float32Array(), sampleRateHz: 8000 }, 16000)).samples.length).toBe(0);
    expect((await resampleAudio({ samples: sine(440, 8000, 3), sampleRateHz: 8000 }, 16000)).samples.length).toBe(6);
  });

  it('loads in Node as it is, whose view of a CommonJS package is not that of a test runner', () => {
    const program = `import { resampleAudio } from ${JSON.stringify(new URL('resample.ts', import.meta.url).href)};
      console.log((await resampleAudio({ samples: new Float32Array(800), sampleRateHz: 8000 }, 16000)).samples.length);`;
    expect(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }).trim()).toBe('1600');
  });

  it('refuses rates that are none', async () => {
    for (const rate of [0, -1, NaN, 1.5, 1e6]) await expect(resampleAudio({ samples: sine(440, 8000, 80), sampleRateHz: 8000 }, rate)).rejects.toMatchObject({ code: 'COPPICE_AUDIO_INVALID' });
    await expect(resampleAudio({ samples: sine(440, 8000, 80), sampleRateHz: 1 }, 8000)).rejects.toThrow(/ratio/);
  });
});
