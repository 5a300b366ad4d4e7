import { describe, expect, it } from 'vitest';
import { axesOf, frozenBecause, signatureOf, type MadeUp } from './made-up-node.ts';

describe('Slice', () => {
  const slice = (n: number, m: number, bounds: [start: number, end: number, step?: number]) =>
    signatureOf('Slice', [[2, n, 5], [1], [1], [1], [1]], [[2, m, 5]], { constants: { 1: [bounds[0]], 2: [bounds[1]], 3: [1], 4: [bounds[2] ?? 1] } });

  it('keeps the middle of an axis', () => {
    const middle = slice(8, 3, [2, 5]);
    expect(middle.axes).toBe('a0 (p1+c1+q1) a2, ., ., ., . -> a0 c1 a2');
    expect(middle.sizes).toEqual({ p1: 2, c1: 3, q1: 3 });
    expect(middle.restates).toEqual([{ slice: 'c1', of: 'p1+c1+q1', entry: 0 }]);
  });

  it('leaves out parts that are empty', () => {
    expect(slice(8, 3, [-3, 1e9]).axes).toBe('a0 (p1+c1) a2, ., ., ., . -> a0 c1 a2');
    expect(slice(8, 3, [0, 3]).axes).toBe('a0 (c1+q1) a2, ., ., ., . -> a0 c1 a2');
  });

  it('passes an axis that it keeps whole, even when its bounds are not the same in all runs', () => {
    expect(slice(8, 8, [-100, 100]).axes).toBe('a0 a1 a2, ., ., ., . -> a0 a1 a2');
    expect(axesOf('Slice', [[2, 8], [1], [1], [1]], [[2, 8]], { constants: { 3: [1] } })).toBe('a0 a1, ., ., . -> a0 a1');
  });

  it('selects element by element at other steps', () => {
    const odd = slice(8, 4, [1, 8, 2]);
    expect(odd.axes).toBe('a0 a1 a2, ., ., ., . -> a0 s1 a2');
    expect(odd.select).toEqual({ s1: { of: 'a1', at: [1, 3, 5, 7] } });
    expect(slice(4, 4, [-1, -1e9, -1]).select).toEqual({ s1: { of: 'a1', at: [3, 2, 1, 0] } });
  });

  it('keeps an axis whose bounds or size are not the same in all runs', () => {
    const unknown = signatureOf('Slice', [[2, 8], [1], [1], [1]], [[2, 3]], { constants: { 3: [1] } });
    expect(unknown.axes).toBe('a0 S1, ., ., . -> a0 T1');
    expect(unknown.because?.S1).toBe('the bounds of this slice are not the same in all runs');
    expect(axesOf('Slice', [[2, 8], [1], [1], [1]], [[2, 3]], { constants: { 1: [0], 2: [3], 3: [1] }, again: [[[2, 9], [1], [1], [1]], [[2, 3]]] })).toBe('a0 D1, ., ., . -> a0 E1');
  });

  it('counts axes from the front when none are listed', () => {
    expect(axesOf('Slice', [[4, 8], [2], [2]], [[4, 3]], { constants: { 1: [0, 5], 2: [4, 8] } })).toBe('a0 (p1+c1), ., . -> a0 c1');
  });

  it('freezes when the axes are data', () => {
    expect(frozenBecause('Slice', [[4, 8], [1], [1], [1]], [[4, 3]])).toMatch(/computed from data/);
  });
});

describe('Gather', () => {
  it('selects constant indices, negative ones from the end', () => {
    const gather = signatureOf('Gather', [[2, 8], [3]], [[2, 3]], { attributes: { axis: 1 }, constants: { 1: [5, 0, -1] } });
    expect(gather.axes).toBe('a0 d, . -> a0 s');
    expect(gather.select).toEqual({ s: { of: 'd', at: [5, 0, 7] } });
    expect(gather.restates).toEqual([{ operand: 1, indicesInto: 'd', selected: 's' }]);
  });

  it('keeps a single element that is taken out for ever, and renumbers it', () => {
    const single = signatureOf('Gather', [[3, 2, 8], []], [[2, 8]], { constants: { 1: [-1] } });
    expect(single.axes).toBe('d a1 a2, . -> a1 a2');
    expect(single.select).toEqual({ P: { of: 'd', at: [2] } });
    expect(single.restates).toEqual([{ operand: 1, indicesInto: 'd', selected: 'P' }]);
  });

  it('keeps an axis that data or a table look into', () => {
    expect(axesOf('Gather', [[40, 8], [2, 5]], [[2, 5, 8]])).toBe('V a1, i0 i1 -> i0 i1 a1');
    expect(axesOf('Gather', [[2, 9], [2, 2]], [[2, 2, 2]], { attributes: { axis: 1 }, constants: { 1: [0, 1, 1, 2] } })).toBe('a0 V, . -> a0 I0 I1');
  });
});

describe('Pad', () => {
  const pad = (before: number[], after: number[], pads: number[], rest: MadeUp = {}) => signatureOf('Pad', [before, [pads.length]], [after], { ...rest, constants: { 1: pads } });

  it('adds zeros at the ends of an axis, which may go too', () => {
    const zeros = pad([2, 8], [2, 11], [0, 1, 0, 2]);
    expect(zeros.axes).toBe('a0 a1, . -> a0 (p1+a1+q1)');
    expect(zeros.sizes).toEqual({ p1: 1, q1: 2 });
    expect(zeros.restates).toEqual([{ operand: 1, are: [undefined, 'p1', undefined, 'q1'] }]);
  });

  it('keeps an axis that is cropped, mirrored, or padded with something else', () => {
    expect(pad([2, 8], [2, 6], [0, -1, 0, -1]).axes).toBe('a0 S1, . -> a0 T1');
    expect(pad([2, 8], [2, 10], [0, 1, 0, 1], { attributes: { mode: 'reflect' } }).axes).toBe('a0 S1, . -> a0 T1');
    expect(axesOf('Pad', [[2, 8], [4], []], [[2, 9]], { constants: { 1: [0, 0, 0, 1], 2: [-1] } })).toBe('a0 S1, ., . -> a0 T1');
  });

  it('keeps an axis whose size differs between the runs', () => {
    expect(pad([2, 8], [2, 9], [0, 0, 0, 1], { again: [[[2, 5], [4]], [[2, 6]]] }).axes).toBe('a0 S1, . -> a0 T1');
  });

  it('pads listed axes only', () => {
    expect(axesOf('Pad', [[2, 8], [2], undefined, [1]], [[2, 9]], { constants: { 1: [1, 0], 3: [-1] } })).toBe('a0 a1, ., ., . -> a0 (p1+a1)');
  });
});

describe('indices that are data', () => {
  it('pass the axes that element-wise numbers do not look into', () => {
    expect(axesOf('GatherElements', [[2, 8], [2, 3]], [[2, 3]], { attributes: { axis: 1 } })).toBe('a0 D1, a0 i -> a0 i');
    expect(axesOf('GatherElements', [[4, 8], [2, 3]], [[2, 3]], { attributes: { axis: 1 } })).toBe('D0 D1, I0 i -> I0 i');
    expect(axesOf('ScatterElements', [[2, 8], [2, 3], [2, 3]], [[2, 8]], { attributes: { axis: 1 } })).toBe('a0 D1, a0 I1, a0 I1 -> a0 D1');
  });

  it('pass the axes behind the coordinates', () => {
    expect(axesOf('GatherND', [[3, 4, 8], [5, 2]], [[5, 8]])).toBe('D0 D1 a2, i0 K -> i0 a2');
    expect(axesOf('GatherND', [[3, 4, 8], [3, 5, 1]], [[3, 5, 8]], { attributes: { batch_dims: 1 } })).toBe('a0 D1 a2, a0 i1 K -> a0 i1 a2');
    expect(axesOf('ScatterND', [[3, 4, 8], [5, 1], [5, 4, 8]], [[3, 4, 8]])).toBe('D0 a1 a2, I0 K, I0 a1 a2 -> D0 a1 a2');
  });

  it('write along one axis of a cache', () => {
    expect(axesOf('TensorScatter', [[2, 4, 30, 8], [2, 4, 5, 8], [2]], [[2, 4, 30, 8]])).toBe('a0 a1 P a3, a0 a1 T a3, a0 -> a0 a1 P a3');
  });

  it('pick by a condition along one axis', () => {
    expect(axesOf('Compress', [[4, 8], [4]], [[3, 8]], { attributes: { axis: 0 } })).toBe('C a1, B -> D a1');
    expect(frozenBecause('Compress', [[4, 8], [32]], [[3]])).toMatch(/flattened/);
  });

  it('become rows with one element set', () => {
    expect(axesOf('OneHot', [[2, 5], [], [2]], [[2, 5, 9]])).toBe('i0 i1, ., V -> i0 i1 D');
    expect(axesOf('OneHot', [[2, 5], [], [2]], [[2, 9, 5]], { attributes: { axis: 1 } })).toBe('i0 i1, ., V -> i0 D i1');
  });
});
