import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { nativeBackend } from '@coppice/backend-onnx';
import { createRandom, type NamedTensors } from '@coppice/core';
import { readModel } from '@coppice/graph/node';
import { computeFeatures, modelFeatures, layOutFeatures } from '@coppice/speech';
import { describe, expect, it } from 'vitest';
import { honkRecogniser, moonshineRecogniser } from './as-recogniser.ts';
import { batchesOf, classify, decisions, meanDivergence, type Clip, type Logits } from './classifier.ts';
import { toClip } from './clip.ts';
import { honkCepstra, honkClasses, honkLogMels, openHonk, withDigitReadout } from './honk.ts';
import { measure } from './measure.ts';
import { moonshineClasses, moonshineFeatures, normaliseClip, openMoonshine } from './moonshine.ts';
import { drawClips } from './tune.ts';

const backend = nativeBackend();
// Beside the repository where the project's shared material is present; skipped, visibly, elsewhere.
const shared = new URL('../../../../shared/models/', import.meta.url);
const path = (file: string): string => fileURLToPath(new URL(file, shared));
const noise = (seed: string, count: number): Float32Array => {
  const random = createRandom(seed);
  return Float32Array.from({ length: count }, () => 0.1 * random.normal());
};
const clipOf = (id: string, features: Float32Array, digit = 0, speaker = 'a'): Clip => ({ id, speaker, digit, features });

/**
 * The numbers of both authors' formulas for a sweep that ends after 9000 samples, by an independent program: NumPy's Fourier transform, the
 * filters of librosa and torchaudio written out.
 */
describe('features of a sweep', () => {
  const sweep = Float32Array.from({ length: 16_000 }, (_, n) => (n < 9000 ? 0.3 * Math.sin((2 * Math.PI * (200 + n / 40) * n) / 16_000) + 0.05 * Math.sin((2 * Math.PI * 3000 * n) / 16_000) : 0));
  const audio = { samples: sweep, sampleRateHz: 16_000 };

  it.each([[0, 0, -33.5886], [0, 7, 2.247], [20, 1, 31.7776], [40, 39, 1.1284], [55, 3, -11.6909], [56, 0, -25.7117], [58, 0, 0], [100, 5, 0]])('are those of Honk: frame %d, coefficient %d', (frame, k, wanted) => {
    expect(Math.abs(honkCepstra(computeFeatures(audio, honkLogMels).data)[frame * 40 + k] - wanted)).toBeLessThan(2e-3);
  });

  it.each([[0, 0, 3.72066], [5, 10, 4.16088], [20, 40, -0.33669], [30, 71, 1.48524], [63, 72, 0.90475], [63, 127, -0.37631], [40, 3, -0.37631]])('are those of Moonshine: mel %d, frame %d', (mel, frame, wanted) => {
    expect(Math.abs(normaliseClip(computeFeatures(audio, moonshineFeatures).data)[mel * 128 + frame] - wanted)).toBeLessThan(2e-4);
  });
});

describe('a clip', () => {
  it.each([['start', 0], ['middle', 4000]] as const)('is a second at 16 kHz with the word at the %s', async (place, first) => {
    const { samples, sampleRateHz } = await toClip({ samples: noise('word', 8000), sampleRateHz: 16_000 }, place);
    expect([samples.length, sampleRateHz]).toEqual([16_000, 16_000]);
    expect(samples.subarray(first, first + 8000)).toEqual(noise('word', 8000));
    expect(samples.filter((_, k) => k < first || k >= first + 8000).every((value) => value === 0)).toBe(true);
  });

  it('is the first second of a longer recording, whatever its rate', async () => {
    const long = noise('long', 20_000);
    expect((await toClip({ samples: long, sampleRateHz: 16_000 }, 'middle')).samples).toEqual(long.subarray(0, 16_000));
    expect((await toClip({ samples: long, sampleRateHz: 8000 }, 'start')).samples.length).toBe(16_000);
  });
});

describe('the features of Moonshine', () => {
  it('are 64 mels of 128 frames, mel by mel, with mean 0 and sample deviation 1 over the clip', () => {
    const { data, frames, width } = computeFeatures({ samples: noise('clip', 16_000), sampleRateHz: 16_000 }, moonshineFeatures);
    expect([frames, width]).toEqual([129, 64]);
    const values = normaliseClip(data);
    expect(values.length).toBe(64 * 128);
    const mean = values.reduce((a, b) => a + b) / values.length;
    expect(mean).toBeCloseTo(0, 5);
    expect(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)).toBeCloseTo(1, 4);
    // The same line through all of them: frame 5 of mel 7 lies behind 7 mels.
    const slope = (data[9 * 64 + 3] - data[2 * 64 + 60]) / (values[3 * 128 + 9] - values[60 * 128 + 2]);
    expect((data[5 * 64 + 7] - data[0]) / (values[7 * 128 + 5] - values[0])).toBeCloseTo(slope, 3);
  });

  it('are zeros for silence, and digits follow letters in the classes', () => {
    const silence = computeFeatures({ samples: new Float32Array(16_000), sampleRateHz: 16_000 }, moonshineFeatures).data;
    expect(normaliseClip(silence).every((value) => Math.abs(value) < 1e-3)).toBe(true);
    expect([moonshineClasses.length, moonshineClasses[25], moonshineClasses[26], moonshineClasses[35]]).toEqual([51, 'z', 'zero', 'nine']);
  });
});

describe('the features of Honk', () => {
  it('are 101 frames of 40 coefficients with the energy of the logarithms: the transform is orthonormal', () => {
    const { data, frames, width } = computeFeatures({ samples: noise('clip', 16_000), sampleRateHz: 16_000 }, honkLogMels);
    expect([frames, width]).toEqual([101, 40]);
    const cepstra = honkCepstra(data);
    expect(cepstra.length).toBe(101 * 40);
    for (const frame of [0, 50, 100]) {
      const energy = (values: Float32Array) => values.subarray(frame * 40, frame * 40 + 40).reduce((sum, value) => sum + value * value, 0);
      expect(energy(cepstra) / energy(data)).toBeCloseTo(1, 5);
      expect(cepstra[frame * 40]).toBeCloseTo(data.subarray(frame * 40, frame * 40 + 40).reduce((a, b) => a + b) / Math.sqrt(40), 3);
    }
  });

  it('are zeros for digital silence, as their authors left the logarithm of 0', () => {
    const samples = noise('half', 16_000).fill(0, 8000);
    const cepstra = honkCepstra(computeFeatures({ samples, sampleRateHz: 16_000 }, honkLogMels).data);
    expect(cepstra.subarray(60 * 40).every((value) => value === 0)).toBe(true);
    expect(cepstra.subarray(0, 45 * 40).every((value) => value !== 0)).toBe(true);
  });
});

describe('a measurement', () => {
  const logits = (rows: readonly (readonly number[])[]): Logits => ({ classes: rows[0].length, data: Float32Array.from(rows.flat()) });
  const original = logits([[3, 0, 1], [0, 2, 1], [0, 1, 5], [1, 0, 0]]);
  const clips = [[0, 'a'], [1, 'a'], [0, 'b'], [0, 'b']].map(([digit, speaker], k) => clipOf(`${k}`, new Float32Array(), digit as number, speaker as string));

  it('counts right digits, and the same decisions', () => {
    const digits = [0, 1];
    expect(measure({ digits }, clips, original, original)).toMatchObject({ accuracy: 0.75, amongDigits: 0.75, bySpeaker: { a: 1, b: 0.5 }, agreement: 1, divergence: 0 });
    const other = measure({ digits }, clips, logits([[3, 0, 1], [2, 0, 1], [0, 1, 5], [0, 0, 1]]), original);
    expect(other).toMatchObject({ accuracy: 0.25, amongDigits: 0.5, bySpeaker: { a: 0.5, b: 0 }, agreement: 0.5 });
    expect(other.interval!.low).toBeLessThan(0.25);
    expect(other.interval!.high).toBeGreaterThan(0.25);
    expect(measure({}, clips, original, original)).toEqual({ agreement: 1, agreementInterval: { low: 1, high: 1, level: 0.95 }, divergence: 0 });
  });

  it('has the divergence of the formula, and the first of equal classes', () => {
    const [p, q] = [[Math.log(0.7), Math.log(0.3)], [Math.log(0.4), Math.log(0.6)]];
    expect(meanDivergence(logits([p.map((x) => x + 5)]), logits([q]))).toBeCloseTo(0.7 * Math.log(0.7 / 0.4) + 0.3 * Math.log(0.3 / 0.6), 6);
    expect(decisions(logits([[1, 1, 0], [0, 2, 2]]))).toEqual([0, 1]);
    expect(decisions(logits([[9, 1, 0]]), [2, 1])).toEqual([1]);
  });
});

it('draws every clip once in a round, and the same for the same seed', () => {
  const clips = Array.from({ length: 12 }, (_, k) => clipOf(`${k}`, new Float32Array()));
  const draw = drawClips(clips, 4, 7);
  const round = (first: number) => [0, 1, 2].flatMap((k) => draw(first + k).map(({ id }) => id));
  expect(round(1).toSorted()).toEqual(clips.map(({ id }) => id).toSorted());
  expect(round(4).toSorted()).toEqual(clips.map(({ id }) => id).toSorted());
  expect(round(4)).not.toEqual(round(1));
  expect(drawClips(clips, 4, 7)(5)).toEqual(draw(5));
});

describe.skipIf(!existsSync(shared))('the published models', () => {
  it('Honk says the same of several clips at once as of one at a time in the file as it is', async () => {
    const honk = openHonk(path('honk_kws.onnx'));
    const clips = ['x', 'y', 'z'].map((id) => clipOf(id, honk.features({ samples: noise(id, 16_000), sampleRateHz: 16_000 })));
    const together = await classify(honk, clips, backend, 1);
    expect(together.classes).toBe(honkClasses.length);
    const published = await backend.compile(readModel(path('honk_kws.onnx')));
    const alone = await Promise.all(batchesOf(honk, clips, 1).map((batch: NamedTensors) => published.run(batch)));
    await published.dispose();
    alone.flatMap((result) => [...(result['26'].data as Float32Array)]).forEach((value, k) => expect(Math.abs(together.data[k] - value)).toBeLessThan(1e-4 * Math.max(1, Math.abs(value))));
    const digits = await classify(withDigitReadout(honk), clips, backend, 1);
    expect([digits.classes, digits.data.every((value) => value === 0)]).toEqual([10, true]);
  });

  it('Moonshine with float weights says the same as the file, to the bit', async () => {
    const moonshine = await openMoonshine(path('moonshine_spelling.onnx'), backend);
    expect(moonshine.computed).toBe(16);
    const batch = batchesOf(moonshine, [clipOf('x', moonshine.features({ samples: noise('x', 16_000), sampleRateHz: 16_000 }))], 1)[0];
    const results = await Promise.all([moonshine.model, readModel(path('moonshine_spelling.onnx'))].map(async (model) => {
      const executable = await backend.compile(model, { optimise: 'none' });
      try {
        return (await executable.run(batch)).logits;
      } finally {
        await executable.dispose();
      }
    }));
    expect(results[0]).toEqual(results[1]);
  });
});

describe.skipIf(!existsSync(shared))('as recognisers', () => {
  it.each(['moonshine', 'honk'] as const)('%s says of a recording what it says with its own features', async (name) => {
    const classifier = name === 'moonshine' ? await openMoonshine(path('moonshine_spelling.onnx'), backend) : openHonk(path('honk_kws.onnx'));
    const { model, description } = name === 'moonshine' ? moonshineRecogniser(classifier) : honkRecogniser(classifier);
    const executable = await backend.compile(model);
    for (const length of [9000, 16_000, 20_000]) {
      const audio = { samples: noise(`${name}/${length}`, length), sampleRateHz: 16_000 };
      const clip = clipOf('x', classifier.features(await toClip(audio, 'start')));
      const [logits] = [(await classify(classifier, [clip], backend, 1)).data];
      const total = Math.log([...logits].reduce((sum, value) => sum + Math.exp(value), 0));
      const { data, frames, width } = modelFeatures(audio, description);
      const { log_probs: output } = await executable.run({ [description.input]: layOutFeatures(data, { batch: 1, time: frames, feature: width }, description.inputAxes) });
      expect(output.dims).toEqual([1, 1, classifier.classes.length + 1]);
      for (const [c, value] of logits.entries()) expect(Math.abs(Number(output.data[c]) - (value - total))).toBeLessThan(2e-3);
    }
    await executable.dispose();
  });
});
