import { describe, expect, it } from 'vitest';
import { checkModel } from './check.ts';
import { makeInitializer, makeModel, makeNode, makeValueInfo } from './edit.ts';
import { graphOf } from './model.ts';
import { inOrder, sortNodes } from './node-order.ts';

const node = (op: string, inputs: string[], output: string) => makeNode({ op, name: output, inputs, outputs: [output] });
const modelOf = (nodes: ReturnType<typeof node>[]) => makeModel({
  opset: 17,
  graph: { inputs: [makeValueInfo('x', 'float32', ['n', 3])], outputs: [makeValueInfo('y', 'float32', ['n', 4])], initializers: [makeInitializer('w', 'float32', [3, 4], new Float32Array(12))], nodes },
});
const [product, relu] = [node('MatMul', ['x', 'w'], 'a'), node('Relu', ['a'], 'y')];

describe('the order of nodes', () => {
  it('is left alone where it is right', () => {
    const model = modelOf([product, relu]);
    expect(sortNodes(model)).toBe(model);
  });

  it('is mended where a converter did not keep to it, as runtimes do', () => {
    const model = modelOf([relu, product]);
    expect(() => checkModel(model)).not.toThrow();
    expect(graphOf(sortNodes(model)).node.map(({ name }) => name)).toEqual(['a', 'y']);
  });

  it('cannot be found in a cycle, which is refused', () => {
    const cycle = [node('Add', ['x', 'b'], 'a'), node('Relu', ['a'], 'b'), node('Relu', ['b'], 'y')];
    expect(inOrder(cycle)).toBe(cycle);
    expect(() => checkModel(modelOf(cycle))).toThrow(expect.objectContaining({ code: 'COPPICE_MODEL_INVALID', message: expect.stringContaining('cycle') }));
  });
});
