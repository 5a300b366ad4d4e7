import { toTensorProto } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { compute, EagerEmit } from './eager.ts';
import { array, integers } from './eager/array64.ts';
import { erf } from './eager/elementwise.ts';

describe('an emitter that computes at once', () => {
  it('runs the body of a Scan step by step, each sequence in its own direction', () => {
    const emit = new EagerEmit();
    const [x, y] = [emit.floats([1, 2, 3], [3, 1]), emit.floats([10, 20, 30], [3, 1])];
    const { states, outputs } = emit.scan({
      states: [emit.floats([100], [1])], sequences: [x, y], reversed: [false, true], outputsReversed: [false, true],
      body: ([sum], [a, b], inner) => {
        const next = inner.add(sum, inner.mul(a, b));
        return { states: [next], outputs: [next, inner.sub(a, b)] };
      },
    });
    // 1·30, 2·20, 3·10; the second output is stacked from the last step to the first.
    expect(Array.from(emit.read(states[0]).data)).toEqual([200]);
    expect(emit.read(outputs[0])).toEqual(array([3, 1], [130, 170, 200]));
    expect(emit.read(outputs[1])).toEqual(array([3, 1], [-7, -18, -29]));
  });

  it('shows a rule the sizes that it may know and no contents', () => {
    const emit = new EagerEmit();
    const x = emit.hold(array([2, 3], [1, 2, 3, 4, 5, 6]), [undefined, 3]);
    expect(Object.keys(x)).toEqual(['name', 'shape']);
    const size = emit.size(x, 0);
    expect(typeof size === 'object' && Array.from(emit.read(size).data)).toEqual([2]);
    expect(emit.size(x, 1)).toBe(3);
  });

  it('keeps integers exact, and cuts their quotients', () => {
    const [y] = compute('Div', [integers([7, -7, 2 ** 53 - 1]), integers([2, 2, 1])], {}, 1);
    expect(y).toEqual(array([3], [3, -3, 2 ** 53 - 1], 'int'));
  });

  it('fills a shape with the number of an attribute', () => {
    const value = toTensorProto('', { dtype: 'int64', dims: [1], data: BigInt64Array.of(3n) });
    expect(compute('ConstantOfShape', [integers([2])], { value }, 1)).toEqual([array([2], [3, 3], 'int')]);
    expect(compute('ConstantOfShape', [integers([2])], {}, 1)).toEqual([array([2], [0, 0])]);
  });

  it('counts places of a MaxPool by columns where that is asked for, and gives a transposed convolution the size that is stated', () => {
    // test_maxpool_with_argmax_2d_precomputed_strides and test_convtranspose_output_shape of ONNX have the same in larger.
    const x = array([1, 2, 2, 3], Array.from({ length: 12 }, (_, k) => k));
    const [, byColumns] = compute('MaxPool', [x], { kernel_shape: [2, 2], storage_order: 1 }, 2);
    expect(Array.from(byColumns.data)).toEqual([3, 5, 9, 11]);
    const [y] = compute('ConvTranspose', [array([1, 1, 2], [1, 2]), array([1, 1, 2], [1, 1])], { strides: [2], output_shape: [5] }, 1);
    expect(y).toEqual(array([1, 1, 5], [1, 1, 2, 2, 0]));
  });

  it('names an operator and an attribute that it lacks', () => {
    expect(() => compute('StringSplit', [], {}, 1)).toThrow('The eager table has no StringSplit');
    expect(() => compute('Relu', [array([], [1])], { alpha: 1 }, 1)).toThrow('Relu has no attribute alpha');
  });

  it('knows the error function to the last digits', () => {
    // Abramowitz & Stegun, table 7.1.
    expect(erf(0.5)).toBeCloseTo(0.5204998778130465, 14);
    expect(erf(-1.5)).toBeCloseTo(-0.9661051464753108, 14);
    expect(erf(3)).toBeCloseTo(0.9999779095030014, 14);
    expect(erf(7)).toBe(1);
  });
});
