import { readFileSync } from 'node:fs';
import { createRandom } from '@coppice/core';
import { describe, expect, it } from 'vitest';
import { melScales } from './mel.ts';
import { computeFeatures, countFrames, createFeatureStream, defaultFeatures, type Features, type FeatureSettings, hopSamples, kaldiFbank, kaldiMfcc, librosaMfcc, windowSamples } from './index.ts';

/** What librosa and kaldi-native-fbank give for `signal`: some frames, by their number. `made` says with which call. */
interface Figures {
  readonly name: string;
  readonly made: string;
  readonly settings: FeatureSettings;
  readonly frames: number;
  readonly width: number;
  readonly rows: Readonly<Record<string, readonly number[]>>;
}
const figures = JSON.parse(readFileSync(new URL('reference-figures.json', import.meta.url), 'utf8')) as Figures[];

/** A chirp, a tone, noise of a linear congruential generator and an offset; the figures were made from the same formula. */
function signal(sampleRateHz: number, length: number): Float32Array {
  let state = 12345;
  return Float32Array.from({ length }, (_, n) => {
    state = Number((BigInt(state) * 1103515245n + 12345n) % 2147483648n);
    const t = n / sampleRateHz;
    return 0.3 * Math.sin(2 * Math.PI * (200 * t + (((0.25 * sampleRateHz) / (length / sampleRateHz) / 2) * t * t)))
      + 0.1 * Math.sin(2 * Math.PI * 1234.5 * t) + 0.05 * (state / 1073741824 - 1) + 0.01;
  });
}
const clip = (settings: FeatureSettings): { samples: Float32Array; sampleRateHz: number } =>
  settings.sampleRateHz === 8000 ? { samples: signal(8000, 3001), sampleRateHz: 8000 } : { samples: signal(16000, 6000), sampleRateHz: 16000 };

const row = ({ data, width }: Features, frame: number): number[] => [...data.subarray(frame * width, (frame + 1) * width)];
const furthest = (a: ArrayLike<number>, b: ArrayLike<number>): number => Math.max(...Array.from(a, (value, k) => Math.abs(value - b[k])));

describe('computeFeatures', () => {
  it.each(figures)('gives what $made gives ($name)', ({ settings, frames, width, rows }) => {
    const got = computeFeatures(clip(settings), settings);
    expect([got.frames, got.width, got.data.length]).toEqual([frames, width, frames * width]);
    // Both references round to float32 on the way: librosa its filters, Kaldi everything.
    for (const [frame, expected] of Object.entries(rows)) expect(furthest(row(got, Number(frame)), expected), `frame ${frame}`).toBeLessThan(3e-4);
  });

  it('is what the definition says, with a transform summed term by term', () => {
    for (const settings of [defaultFeatures({ sampleRateHz: 8000, mels: 20 }), kaldiFbank({ sampleRateHz: 8000 }), { ...defaultFeatures({ sampleRateHz: 8000, mels: 20 }), fftSize: 202 }]) {
      const plain = { ...settings, normalisation: { type: 'none' } } as const;
      const audio = clip(plain);
      const got = computeFeatures(audio, plain);
      for (const frame of [0, 7, got.frames - 1]) expect(furthest(row(got, frame), slowFrame(audio.samples, plain, frame))).toBeLessThan(1e-5);
    }
  });

  it('brings every band of a clip to mean 0 and variance 1 by default', () => {
    const { data, frames, width } = computeFeatures(clip(defaultFeatures()), defaultFeatures());
    for (let band = 0; band < width; band++) {
      const values = Array.from({ length: frames }, (_, k) => data[k * width + band]);
      const mean = values.reduce((sum, value) => sum + value, 0) / frames;
      expect(Math.abs(mean)).toBeLessThan(1e-6);
      expect(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / frames).toBeCloseTo(1, 3);
    }
  });

  it('gives finite features for silence', () => {
    for (const settings of [defaultFeatures(), kaldiFbank(), librosaMfcc(), kaldiMfcc()]) {
      expect(computeFeatures({ samples: new Float32Array(4000), sampleRateHz: 16000 }, settings).data.every(Number.isFinite)).toBe(true);
    }
  });

  it('adds the same noise for the same seed, of the deviation asked for', () => {
    const silence = { samples: new Float32Array(16000), sampleRateHz: 16000 };
    const settings = { ...kaldiFbank(), window: 'rectangular', removeMean: false, preemphasis: 0, dither: 0.01 } as const;
    const [a, again, other] = [settings, settings, { ...settings, seed: 1 }].map((each) => computeFeatures(silence, each).data);
    expect(a).toEqual(again);
    expect(a).not.toEqual(other);
    // White noise of deviation σ in 400 samples has 400·σ² of power in each bin; a wide band averages many.
    const wide = computeFeatures(silence, { ...settings, mels: 1, lowHz: 0, triangles: 'mel' });
    const flat = computeFeatures({ samples: Float32Array.of(1, ...new Float32Array(399)), sampleRateHz: 16000 }, { ...settings, dither: 0, mels: 1, lowHz: 0 });
    const mean = wide.data.reduce((sum, value) => sum + Math.exp(value), 0) / wide.frames;
    expect(mean / (Math.exp(flat.data[0]) * 400 * 0.01 ** 2)).toBeCloseTo(1, 1);
  });

  it.each([
    ['too short', { samples: new Float32Array(399), sampleRateHz: 16000 }, 'COPPICE_AUDIO_INVALID', /a\.wav has 399 samples \(24\.9 ms\), fewer than the 400/],
    ['empty', { samples: new Float32Array(), sampleRateHz: 16000 }, 'COPPICE_AUDIO_INVALID', /a\.wav is empty/],
    ['of another rate', { samples: new Float32Array(4000), sampleRateHz: 8000 }, 'COPPICE_AUDIO_INVALID', /8000 samples a second.*16000; resample/],
    ['not finite', { samples: new Float32Array(4000).fill(NaN, 100, 101), sampleRateHz: 16000 }, 'COPPICE_AUDIO_INVALID', /not finite/],
  ])('refuses a clip that is %s', (_, audio, code, message) => {
    expect(() => computeFeatures(audio, defaultFeatures(), 'a.wav')).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  });

  it.each([
    [{ fftSize: 256 }, /fftSize/], [{ highHz: 9000 }, /highHz/], [{ mels: 0 }, /mels/], [{ hopMs: 0 }, /hopMs/], [{ floor: 0 }, /floor/], [{ lowHz: 8000 }, /lowHz/],
    [{ triangles: 'mel' as never }, /triangles/], [{ normalisation: { type: 'global', mean: [1, 2], deviation: [1] } as const }, /mean has 2 numbers for 40/],
  ])('refuses settings such as %o', (change, message) => {
    expect(() => computeFeatures(clip(defaultFeatures()), { ...defaultFeatures(), ...change })).toThrow(expect.objectContaining({ code: 'COPPICE_CONFIG_INVALID', message: expect.stringMatching(message) }));
  });
});

describe('createFeatureStream', () => {
  const framings = ['snip-edges', 'mirror-edges', 'center-zeros', 'center-reflect'] as const;
  it.each(framings)('gives what the whole clip gives, however it is cut (%s)', (framing) => {
    const random = createRandom(`stream ${framing}`);
    for (let round = 0; round < 40; round++) {
      const windowMs = [25, 10.1, 32, 3][random.integer(4)];
      const settings: FeatureSettings = {
        ...(random.integer(2) ? kaldiMfcc({ sampleRateHz: 8000 }) : kaldiFbank({ sampleRateHz: 8000 })), windowMs, hopMs: [10, 7.3, 40][random.integer(3)],
        framing, preemphasisOver: random.integer(2) ? 'clip' : 'frame', dither: random.integer(2) ? 1e-4 : 0, normalisation: { type: 'global', mean: [-3], deviation: [2] },
      };
      const samples = signal(8000, windowSamples(settings) + random.integer(1500));
      const stream = createFeatureStream(settings);
      const parts: Features[] = [];
      for (let at = 0; at < samples.length;) {
        const chunk = samples.slice(at, at + 1 + random.integer([3, 80, 1000][random.integer(3)]));
        at += chunk.length;
        parts.push(stream.accept(chunk));
        // Whoever records reuses the buffer.
        chunk.fill(NaN);
      }
      parts.push(stream.finish());
      const whole = computeFeatures({ samples, sampleRateHz: 8000 }, settings);
      expect(parts.reduce((sum, { frames }) => sum + frames, 0)).toBe(whole.frames);
      expect(Float32Array.from(parts.flatMap(({ data }) => [...data]))).toEqual(whole.data);
      expect(whole.frames).toBe(countFrames(samples.length, settings));
    }
  });

  it('hands out a frame as soon as its last sample is there', () => {
    const stream = createFeatureStream(kaldiFbank());
    expect(stream.accept(new Float32Array(399)).frames).toBe(0);
    expect(stream.accept(new Float32Array(1)).frames).toBe(1);
    expect(stream.accept(new Float32Array(320)).frames).toBe(2);
  });

  it('refuses what needs the whole clip, and a clip too short', () => {
    expect(() => createFeatureStream(defaultFeatures())).toThrow(/cannot be streamed: normalisation over the utterance/);
    expect(() => createFeatureStream(librosaMfcc())).toThrow(/cannot be streamed: dynamicRange/);
    const stream = createFeatureStream(kaldiFbank());
    stream.accept(new Float32Array(100));
    expect(() => stream.finish()).toThrow(expect.objectContaining({ code: 'COPPICE_AUDIO_INVALID' }));
  });
});

describe('melScales', () => {
  it.each(['htk', 'slaney'] as const)('go there and back (%s)', (name) => {
    for (const hz of [0, 20, 440, 999, 1000, 1001, 4000, 8000]) expect(melScales[name].toHz(melScales[name].toMel(hz))).toBeCloseTo(hz, 8);
  });
});

/** One frame by the definition, slowly: no shared code but the settings. */
function slowFrame(samples: Float32Array, settings: FeatureSettings, frame: number): number[] {
  const { sampleRateHz, fftSize, mels, lowHz, highHz, triangles, floor } = settings;
  const [window, hop] = [windowSamples(settings), hopSamples(settings)];
  const kaldi = settings.type === 'fbank';
  const begin = kaldi ? frame * hop : frame * hop - Math.ceil(window / 2);
  let x = Array.from({ length: window }, (_, n) => samples[begin + n] ?? 0);
  if (kaldi) {
    const mean = x.reduce((sum, value) => sum + value, 0) / window;
    x = x.map((value) => value - mean).map((value, n, all) => value - 0.97 * all[Math.max(0, n - 1)]);
  }
  x = x.map((value, n) => value * (0.5 - 0.5 * Math.cos((2 * Math.PI * n) / (kaldi ? window - 1 : window))) ** (kaldi ? 0.85 : 1));
  const power = Array.from({ length: fftSize / 2 + 1 }, (_, k) => {
    const [re, im] = x.reduce(([a, b], value, n) => [a + value * Math.cos((2 * Math.PI * k * n) / fftSize), b + value * Math.sin((2 * Math.PI * k * n) / fftSize)], [0, 0]);
    return re * re + im * im;
  });
  const mel = (hz: number): number => 1127.0104803341574 * Math.log(1 + hz / 700);
  const scale = triangles === 'mel' ? mel : (hz: number) => hz;
  const corner = (k: number): number => scale(700 * (Math.exp((mel(lowHz) + ((mel(highHz) - mel(lowHz)) * k) / (mels + 1)) / 1127.0104803341574) - 1));
  return Array.from({ length: mels }, (_, k) => {
    const energy = power.reduce((sum, value, bin) => {
      const at = scale((bin * sampleRateHz) / fftSize);
      return sum + value * Math.max(0, Math.min((at - corner(k)) / (corner(k + 1) - corner(k)), (corner(k + 2) - at) / (corner(k + 2) - corner(k + 1))));
    }, 0);
    return Math.log(Math.max(energy, floor));
  });
}
