import { describe, expect, it } from 'vitest';
import { makeInputs } from './input-values.ts';
import type { Dimension, InputSpec } from './inputs.ts';

const spec = (name: string, dtype: InputSpec['dtype'], ...dims: Dimension[]): InputSpec => ({ name, dtype, dims });
const sizes = { batch: 3, time: 20 };

describe('makeInputs', () => {
  it('makes reproducible normal floats of the right size, in each float type', () => {
    const specs = [spec('x', 'float32', 'batch', 'time', 4), spec('half', 'float16', 'batch'), spec('scalar', 'float64')];
    const inputs = makeInputs(specs, sizes, 1);
    expect(inputs.x.dims).toEqual([3, 20, 4]);
    expect(inputs.half.data).toBeInstanceOf(Uint16Array);
    expect(inputs.scalar).toMatchObject({ dims: [], data: expect.any(Float64Array) });
    expect(makeInputs(specs, sizes, 1)).toEqual(inputs);
    expect(makeInputs(specs, sizes, 2).x.data).not.toEqual(inputs.x.data);
  });

  it('gives an input the same values whatever other inputs there are', () => {
    const x = spec('x', 'float32', 'batch');
    expect(makeInputs([spec('a', 'float32', 5), x], sizes, 1).x).toEqual(makeInputs([x], sizes, 1).x);
  });

  it('masks the last positions of the last axis, in bools and in integers', () => {
    const { pad, attention_mask: attention } = makeInputs([spec('pad', 'bool', 'batch', 8), spec('attention_mask', 'int64', 'batch', 'time')], sizes, 0);
    expect([...(pad.data as Uint8Array)].slice(0, 8)).toEqual([1, 1, 1, 1, 1, 1, 0, 0]);
    expect([...(attention.data as BigInt64Array)].filter((one) => one === 0n)).toHaveLength(9);
  });

  it('gives lengths of the input that they belong to, the first item full', () => {
    const specs = [spec('feats', 'float32', 'batch', 40, 'time'), spec('targets', 'int64', 'batch', 'U'), spec('feats_length', 'int64', 'batch'), spec('target_length', 'int32', 'batch'), spec('wav_lens', 'float32', 'batch')];
    const inputs = makeInputs(specs, { ...sizes, U: 10 }, 0);
    expect([...(inputs.feats_length.data as BigInt64Array)]).toEqual([20n, 18n, 16n]);
    expect([...(inputs.target_length.data as Int32Array)]).toEqual([10, 9, 8]);
    expect((inputs.wav_lens.data as Float32Array)[0]).toBe(1);
  });

  it('knows sampling rates, and stays within the table that an integer looks up', () => {
    const { sr, tokens, flag } = makeInputs([spec('sr', 'int64'), { ...spec('tokens', 'int64', 'batch', 'time'), vocabulary: 5 }, spec('flag', 'int32', 50)], sizes, 0);
    expect(sr.data).toEqual(BigInt64Array.of(16000n));
    expect(new Set(tokens.data as BigInt64Array)).toEqual(new Set([0n, 1n, 2n, 3n, 4n]));
    expect(new Set(flag.data as Int32Array)).toEqual(new Set([0, 1]));
  });

  it('asks for a tensor where it cannot know the rank or the text', () => {
    for (const input of [{ name: 'x', dtype: 'float32', dims: undefined }, spec('x', 'string', 2)] as const) {
      expect(() => makeInputs([input], {}, 0)).toThrow(expect.objectContaining({ code: 'COPPICE_TRACE_FAILED', message: expect.stringContaining('--input x=file.npy') }));
    }
  });
});
