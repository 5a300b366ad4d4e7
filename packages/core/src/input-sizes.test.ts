import { describe, expect, it } from 'vitest';
import { candidateSizes, type SizeOptions } from './input-sizes.ts';
import type { Dimension, InputSpec } from './inputs.ts';

const float = (name: string, ...dims: Dimension[]): InputSpec => ({ name, dtype: 'float32', dims });
const int = (name: string, ...dims: Dimension[]): InputSpec => ({ name, dtype: 'int64', dims });
const all = (specs: readonly InputSpec[], options?: SizeOptions) => [...candidateSizes(specs, options)];
const first = (specs: readonly InputSpec[], options?: SizeOptions) => all(specs, options)[0];

describe('candidateSizes', () => {
  it('has one candidate for a model of fixed sizes', () => {
    expect(all([float('x', 1, 1, 257)])).toEqual([[{}, {}]]);
  });

  it('gives batches 2 and 3 items, and features dozens of frames', () => {
    expect(first([float('feats', 'batch', 'time', 80)])).toEqual([{ batch: 2, time: 50 }, { batch: 3, time: 83 }]);
    expect(first([float('x', 'N', 'T', 80), float('h0', 2, 'N', 36)])).toEqual([{ N: 2, T: 50 }, { N: 3, T: 83 }]);
  });

  it.each<readonly [string, InputSpec]>([
    ['of rank 2', float('x', 'batch', 't')], ['with one channel', float('x', 'batch', 1, 't')], ['of rank 1', float('x', 't')], ['in stereo', float('pcm', 2, 't')],
  ])('gives waveforms %s thousands of samples', (_, spec) => {
    expect(first([spec]).map(({ t }) => t)).toEqual([4000, 6543]);
  });

  it.each<readonly [string, readonly InputSpec[]]>([
    ['feature maps', [float('mel', 'batch', 1, 40, 't')]], ['a sequence without batch', [float('x', 't', 80)]], ['tokens', [int('y', 'batch', 't')]],
    ['a mask of frames', [float('mask', 'batch', 't'), float('enc', 'batch', 't', 52)]],
  ])('does not take %s for a waveform', (_, specs) => {
    expect(first(specs).map(({ t }) => t)).toEqual([50, 83]);
  });

  it('takes an invented name on the first axis for the batch, and for a length when nothing else works', () => {
    const specs = [float('x', 'unk__349', 'unk__350', 40)];
    expect(first(specs)).toEqual([{ unk__349: 2, unk__350: 50 }, { unk__349: 3, unk__350: 83 }]);
    expect(all(specs)).toContainEqual([{ unk__349: 50, unk__350: 50 }, { unk__349: 83, unk__350: 83 }]);
    expect(first([float('x', undefined, undefined, 40)])).toEqual([{ 'x:0': 2, 'x:1': 50 }, { 'x:0': 3, 'x:1': 83 }]);
  });

  it('takes the first axis of tokens for the batch too', () => {
    expect(first([int('tokens', 's77', 's27')])).toEqual([{ s77: 2, s27: 50 }, { s77: 3, s27: 83 }]);
  });

  it('never asks for more than a few million numbers', () => {
    for (const sizes of all([int('tokens', 's77', 's27')])) for (const { s77, s27 } of sizes) expect(s77 * s27).toBeLessThanOrEqual(2 ** 22);
  });

  it('tries several lengths a little apart and then equal', () => {
    const [apart, equal] = all([float('enc', 'batch', 'time', 52), float('pred', 'batch', 'U', 44)]);
    expect(apart).toEqual([{ batch: 2, time: 50, U: 56 }, { batch: 3, time: 83, U: 93 }]);
    expect(equal).toEqual([{ batch: 2, time: 50, U: 50 }, { batch: 3, time: 83, U: 83 }]);
  });

  it('tries batches of one only when nothing else works', () => {
    const batches = all([float('x', 'batch', 'time', 8)]).map(([{ batch }]) => batch);
    expect(new Set(batches)).toEqual(new Set([2, 1]));
    expect(batches.indexOf(1)).toBeGreaterThan(batches.lastIndexOf(2));
  });

  it('takes the sizes of given tensors, and pairs as they are', () => {
    const x = { dtype: 'float32', dims: [4, 70, 80], data: new Float32Array(0) } as const;
    expect(first([float('x', 'batch', 'time', 80), float('h', 2, 'batch', 8)], { inputs: { x } })).toEqual([{ batch: 4, time: 70 }, { batch: 4, time: 70 }]);
    expect(first([float('x', 'batch', 'time', 80)], { dims: { time: [10, 20] } })).toEqual([{ batch: 2, time: 10 }, { batch: 3, time: 20 }]);
  });

  it('keeps one given size for the first run and varies it in the second, unless that fails', () => {
    const candidates = all([float('x', 'batch', 'time', 80)], { dims: { time: 100, batch: 1 } });
    expect(candidates[0]).toEqual([{ batch: 1, time: 100 }, { batch: 2, time: 161 }]);
    expect(candidates.at(-1)).toEqual([{ batch: 1, time: 100 }, { batch: 1, time: 100 }]);
  });
});
