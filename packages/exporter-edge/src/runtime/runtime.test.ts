import { encodeModel, makeGraph, makeModel, makeNode, makeValueInfo } from '@coppice/graph';
import { computeFeatures, kaldiFbank, kaldiMfcc, librosaMfcc, defaultFeatures, type FeatureSettings } from '@coppice/speech';
import { sha256 as noble } from '@noble/hashes/sha2.js';
import { describe, expect, it } from 'vitest';
import { syntheticSound } from '../synthetic-sound.ts';
import { largestDifference, sayAlphabet } from './check-golden.ts';
import { fileFault, sha256 } from './check-files.ts';
import { explainFeatures } from './explain-features.ts';
import { recognizerOf } from './recognizer.ts';
import { tinyModel } from './tiny-model.ts';

describe('sha256', () => {
  it('is the same where there is no crypto.subtle, as on pages without https', async () => {
    for (const length of [0, 1, 55, 56, 64, 1000, 100_003]) {
      const bytes = Uint8Array.from({ length }, (_, k) => (k * 7919) % 251);
      expect(await sha256(bytes)).toBe(Buffer.from(noble(bytes)).toString('hex'));
    }
  });

  it('finds every flipped bit', async () => {
    const bytes = new Uint8Array(64).fill(7);
    const entry = { path: 'x', bytes: 64, sha256: await sha256(bytes) };
    expect(await fileFault(entry, bytes)).toBeUndefined();
    for (let bit = 0; bit < 512; bit += 37) {
      const flipped = bytes.slice();
      flipped[bit >> 3] ^= 1 << (bit & 7);
      expect((await fileFault(entry, flipped))?.message).toMatch(/was changed/);
    }
  });
});

describe('explainFeatures', () => {
  const audio = syntheticSound('explain', 8000, 0.6);
  const presets: [string, FeatureSettings][] = [['log-mel', defaultFeatures({ sampleRateHz: 8000 })], ['fbank', kaldiFbank({ sampleRateHz: 8000 })], ['kaldi mfcc', kaldiMfcc({ sampleRateHz: 8000 })], ['librosa mfcc', librosaMfcc({ sampleRateHz: 8000 })]];
  const faults = ['melScale', 'window', 'windowForm', 'removeMean', 'spectrum', 'log', 'preemphasis', 'lowHz', 'area', 'framing'] as const;
  const other: Readonly<Record<(typeof faults)[number], (settings: FeatureSettings) => unknown>> = {
    melScale: ({ melScale }) => (melScale === 'htk' ? 'slaney' : 'htk'), window: ({ window }) => (window === 'hamming' ? 'rectangular' : 'hamming'), windowForm: ({ windowForm }) => (windowForm === 'periodic' ? 'symmetric' : 'periodic'),
    removeMean: ({ removeMean }) => !removeMean, spectrum: ({ spectrum }) => (spectrum === 'power' ? 'magnitude' : 'power'), log: ({ log }) => (log === 'ln' ? 'log10' : 'ln'), preemphasis: ({ preemphasis }) => (preemphasis === 0 ? 0.97 : 0),
    lowHz: ({ lowHz }) => (lowHz === 20 ? 64 : 20), area: ({ area }) => (area === 'none' ? 'slaney' : 'none'), framing: ({ framing }) => (framing === 'snip-edges' ? 'center-zeros' : 'snip-edges'),
  };

  it.each(presets)('names the one setting that is wrong, whatever it is (%s)', (_, right) => {
    const expected = computeFeatures(audio, right).data;
    for (const name of faults) {
      const wrong = { ...right, [name]: other[name](right) } as FeatureSettings;
      const data = computeFeatures(audio, wrong).data;
      if (largestDifference(data, expected) < 1e-5) continue;
      const found = explainFeatures(audio, wrong, (features) => largestDifference(features.data, expected) <= 1e-5);
      expect(found, name).toContain(`'${name}'`);
    }
  });

  it('says nothing when more than one is wrong', () => {
    const right = defaultFeatures({ sampleRateHz: 8000 });
    const expected = computeFeatures(audio, right).data;
    expect(explainFeatures(audio, { ...right, melScale: 'slaney', removeMean: true, windowMs: 23 }, (features) => largestDifference(features.data, expected) <= 1e-5)).toBeUndefined();
  });
});

describe('sayAlphabet', () => {
  it('says every token but the blank once, wherever the blank is', () => {
    const tokens = ['a', 'b', ' ', 'c'];
    for (const blank of [0, 1, 3]) {
      const speech = { tokenizer: 'characters', tokens, blank } as unknown as Parameters<typeof sayAlphabet>[0]['speech'];
      for (const decoder of [{ type: 'greedy' }, { type: 'beam', width: 3 }] as const) expect(sayAlphabet({ speech, decoder })).toBe(tokens.filter((_, id) => id !== blank).join(''));
    }
  });
});

describe('recognizerOf', () => {
  const make = () => {
    const heard: number[][] = [];
    return { heard, recognizer: recognizerOf({ sampleRateHz: 8000, transcribe: ({ samples }) => (heard.push([...samples]), Promise.resolve({ text: String(samples.length), milliseconds: 1 })), close: () => Promise.resolve() }) };
  };

  it('gives the engine all that was accepted since the last reset, whatever happens to the arrays afterwards', async () => {
    const { heard, recognizer } = make();
    const samples = Float32Array.of(1, 2);
    recognizer.accept(samples);
    samples.fill(9);
    recognizer.accept(Float32Array.of(3));
    expect(await recognizer.result()).toEqual({ text: '3', milliseconds: 1, seconds: 3 / 8000 });
    recognizer.accept(Float32Array.of(4));
    const pending = recognizer.result();
    recognizer.reset();
    recognizer.accept(Float32Array.of(5), 16_000);
    expect((await pending).text).toBe('4');
    expect((await recognizer.result()).seconds).toBe(1 / 16_000);
    expect(heard).toEqual([[1, 2, 3], [1, 2, 3, 4], [5]]);
  });

  it('refuses another rate within an utterance', () => {
    const { recognizer } = make();
    recognizer.accept(Float32Array.of(1), 44_100);
    expect(() => recognizer.accept(Float32Array.of(1))).toThrow(/44100.*reset/s);
  });
});

describe('tinyModel', () => {
  it('is what we would write today', () => {
    const graph = makeGraph({ name: 'g', inputs: [makeValueInfo('x', 'float32', [1])], outputs: [makeValueInfo('y', 'float32', [1])], nodes: [makeNode({ op: 'Identity', inputs: ['x'], outputs: ['y'] })] });
    expect(tinyModel()).toEqual(encodeModel(makeModel({ opset: 13, graph })));
  });
});
