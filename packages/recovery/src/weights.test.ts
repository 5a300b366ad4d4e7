import { wasmBackend } from '@coppice/backend-onnx';
import { createRandom, cutModel, findUnits, traceModel, verifyCut } from '@coppice/core';
import { graphOf, makeInitializer, makeModel, makeNode, makeValueInfo, readTensor, type Model, type Tensor } from '@coppice/graph';
import { beforeAll, describe, expect, it } from 'vitest';
import { unitsWithWeights, withWeights } from './weights.ts';

const floats = (dims: readonly number[], data: readonly number[]): Tensor => ({ dtype: 'float32', dims, data: Float32Array.from(data) });

function buildMlp(): Model {
  const random = createRandom('mlp');
  const numbers = (count: number) => Array.from({ length: count }, () => random.normal());
  return makeModel({ opset: 13, graph: {
    inputs: [makeValueInfo('x', 'float32', ['N', 3])], outputs: [makeValueInfo('y', 'float32', ['N', 2])],
    nodes: [makeNode({ op: 'MatMul', inputs: ['x', 'w1'], outputs: ['h'] }), makeNode({ op: 'Relu', inputs: ['h'], outputs: ['a'] }), makeNode({ op: 'MatMul', inputs: ['a', 'w2'], outputs: ['y'] })],
    initializers: [makeInitializer('w1', 'float32', [3, 4], numbers(12)), makeInitializer('w2', 'float32', [4, 2], numbers(8))],
  } });
}

const contentsOf = (model: Model, name: string) => Array.from(readTensor(model, graphOf(model).initializer.find((t) => t.name === name)!).data as Float32Array);

describe('withWeights', () => {
  const model = buildMlp();

  it('replaces what is named and shares everything else', () => {
    const changed = withWeights(model, { w2: floats([4, 2], [1, 2, 3, 4, 5, 6, 7, 8]) });
    expect(contentsOf(changed, 'w2')).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(contentsOf(model, 'w2')).not.toEqual(contentsOf(changed, 'w2'));
    expect(graphOf(changed).initializer[0]).toBe(graphOf(model).initializer[0]);
    expect(graphOf(changed).node).toBe(graphOf(model).node);
  });

  it('replaces contents that were computed on demand', () => {
    const [w1] = graphOf(model).initializer;
    const lazy = { ...model, payloads: new Map([[w1, { byteLength: 48, bytes: () => new Uint8Array(48) }]]) };
    const changed = withWeights(lazy, { w1: floats([3, 4], Array.from({ length: 12 }, (_, k) => k)) });
    expect(contentsOf(changed, 'w1')).toEqual(Array.from({ length: 12 }, (_, k) => k));
    expect(changed.payloads!.size).toBe(0);
    expect(lazy.payloads.size).toBe(1);
  });

  it('refuses what does not fit, by name', () => {
    const refuses = (weights: Record<string, Tensor>, words: string) => expect(() => withWeights(model, weights)).toThrow(expect.objectContaining({ code: 'COPPICE_MODEL_INVALID', message: expect.stringContaining(words) }));
    refuses({ w3: floats([1], [0]) }, "no initializer 'w3'");
    refuses({ w2: floats([2, 4], [1, 2, 3, 4, 5, 6, 7, 8]) }, "'w2' are float32 [2, 4], and the model has float32 [4, 2]");
    refuses({ w2: { dtype: 'float64', dims: [4, 2], data: new Float64Array(8) } }, 'float64');
  });
});

describe('unitsWithWeights', () => {
  const backend = wasmBackend();
  let units: Awaited<ReturnType<typeof tracedUnits>>;
  const tracedUnits = async () => findUnits(await traceModel(buildMlp(), backend));
  beforeAll(async () => {
    units = await tracedUnits();
  });

  it('keeps the ids of units, and cuts and verifies the new contents', async () => {
    const w2 = floats([4, 2], [1, -2, 3, -4, 5, -6, 7, -8]);
    const again = unitsWithWeights(units, { w2 });
    expect(again.units.map(({ id, slices }) => ({ id, slices }))).toEqual(units.units.map(({ id, slices }) => ({ id, slices })));
    const slim = cutModel(again, [1]);
    expect(contentsOf(slim, 'w2')).toEqual([1, -2, 5, -6, 7, -8]);
    expect((await verifyCut(again, [1], slim, backend)).equal).toBe(true);
    expect((await verifyCut(units, [1], slim, backend)).equal).toBe(false);
    expect(contentsOf(cutModel(units, [1]), 'w2')).not.toEqual([1, -2, 5, -6, 7, -8]);
  });

  it('still knows the sizes that the graph reads off activations made with the new contents', async () => {
    const { proto } = buildMlp();
    const graph = proto.graph!;
    const nodes = [...graph.node.slice(0, 2), makeNode({ op: 'Shape', inputs: ['a'], outputs: ['s'] }), makeNode({ op: 'Gather', inputs: ['s', 'one'], outputs: ['width'] }),
      makeNode({ op: 'Concat', inputs: ['all', 'width'], outputs: ['to'], attributes: { axis: 0 } }), makeNode({ op: 'Reshape', inputs: ['a', 'to'], outputs: ['b'] }), makeNode({ op: 'MatMul', inputs: ['b', 'w2'], outputs: ['y'] })];
    const model = makeModel({ opset: 13, graph: { inputs: graph.input, outputs: graph.output, nodes, initializers: [...graph.initializer, makeInitializer('one', 'int64', [1], [1]), makeInitializer('all', 'int64', [1], [-1])] } });
    const found = findUnits(await traceModel(model, backend));
    expect(found.units).toHaveLength(4);
    const again = unitsWithWeights(found, { w1: floats([3, 4], Array.from({ length: 12 }, (_, k) => k - 5)) });
    expect(again.units).toHaveLength(4);
    expect((await verifyCut(again, [0, 2], cutModel(again, [0, 2]), backend)).equal).toBe(true);
  });

  it('does not keep what the trace read of the old contents', () => {
    const { trace } = unitsWithWeights(units, { w2: floats([4, 2], [1, 2, 3, 4, 5, 6, 7, 8]) }).analysed;
    const id = trace.program.values.find(({ name }) => name === 'w2')!.id;
    expect(trace.constants.get(id)?.values ?? [1, 2, 3, 4, 5, 6, 7, 8]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });
});
