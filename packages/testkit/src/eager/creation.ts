import { makeModel, readTensor } from '@coppice/graph';
import { array, build, count, integers, type Array64 } from './array64.ts';
import type { EagerRows } from './row.ts';

/** Tensors of attributes have nothing beside the file. */
const noFile = makeModel({ opset: 21, graph: { inputs: [], outputs: [], nodes: [] } });

export const creation = {
  Shape: ([x], { start, end }) => [integers(x.shape.slice(start, end))],
  Size: ([x]) => [integers(count(x.shape))],
  ConstantOfShape: ([shape], { value }) => {
    const sizes = Array.from(shape.data);
    if (!value) return [build(sizes, () => 0)];
    const { dtype, data } = readTensor(noFile, value);
    return [build(sizes, () => Number(data[0]), dtype === 'bool' ? 'bool' : /int/.test(dtype) ? 'int' : 'float')];
  },
  /** max(⌈(limit − start) / delta⌉, 0) numbers. */
  Range: ([start, limit, delta]) => {
    const [from, to, by] = [start.data[0], limit.data[0], delta.data[0]];
    const length = Math.max(Math.ceil((to - from) / by), 0);
    return [array([length], Array.from({ length }, (_, k) => from + k * by), start.type)];
  },
  EyeLike: ([x], { k }): readonly Array64[] => [build(x.shape, ([i, j]) => Number(j === i + k), x.type)],
} satisfies EagerRows;
