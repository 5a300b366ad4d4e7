import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { nativeBackend } from '@coppice/backend-onnx';
import { computeWeights, traceModel, type NamedTensors, type Trace } from '@coppice/core';
import { dataTypes, graphOf, makeGraph, makeInitializer, makeModel, makeNode, makeValueInfo, type Model, type NodeProto, type TensorProto } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { describe, expect, it } from 'vitest';
import { buildCase, randomRecipe } from './random-graph.ts';

const backend = nativeBackend();
// Beside the repository where the project's shared material is present; skipped, visibly, elsewhere.
const shared = new URL('../../../../shared/', import.meta.url);
const files = ['models/', 'zoo/'].flatMap((folder) => (existsSync(new URL(folder, shared)) ? readdirSync(new URL(folder, shared)).filter((file) => file.endsWith('.onnx')).map((file) => folder + file) : []));

async function outputsOf(model: Model, inputs: NamedTensors): Promise<NamedTensors> {
  const executable = await backend.compile(model, { optimise: 'none' });
  try {
    return await executable.run(inputs);
  } finally {
    await executable.dispose();
  }
}

/** Computes the weights and expects the same numbers on both inputs of the trace, and nothing left for a second time. */
async function expectSameFunction(trace: Trace): Promise<{ model: Model; computed: readonly string[] }> {
  const { model, computed } = await computeWeights(trace, backend);
  if (computed.length === 0) {
    expect(model).toBe(trace.program.model);
    return { model, computed };
  }
  for (const { inputs } of trace.runs) expect(await outputsOf(model, inputs)).toEqual(await outputsOf(trace.program.model, inputs));
  const again = await traceModel(model, backend, { dims: Object.fromEntries(Object.keys(trace.sizes[0]).map((key) => [key, [trace.sizes[0][key], trace.sizes[1][key]]])) });
  expect((await computeWeights(again, backend)).computed).toEqual([]);
  return { model, computed };
}

const stored = (model: Model): Record<string, string> => Object.fromEntries(graphOf(model).initializer.map(({ name, dataType, dims }) => [name, `${dataType} [${dims.join()}]`]));

describe.skipIf(files.length === 0)(`computed weights of models of other exporters${files.length === 0 ? ' (skipped: ../shared is absent)' : ''}`, () => {
  /** How many weights each model computes; all others none. */
  const known: Readonly<Record<string, number>> = { 'models/moonshine_spelling.onnx': 16, 'zoo/16a_crnn_int8_qdq.onnx': 10, 'zoo/20b_ds2_gru_fp16weights.onnx': 16 };
  it.each(files)('%s computes the same, and has plain float weights', async (file) => {
    const { model, computed } = await expectSameFunction(await traceModel(readModel(fileURLToPath(new URL(file, shared))), backend));
    expect(computed.length).toBe(known[file] ?? 0);
    const small = graphOf(model).initializer.filter(({ dataType, dims }) => dims.length > 1 && (dataType === dataTypes.int8 || dataType === dataTypes.float16));
    if (computed.length > 0) expect(small.map(({ name }) => name)).toEqual([]);
  });
});

it('computes the same in random graphs whose weights are cast or dequantised', async () => {
  let found = 0;
  for (let seed = 0; seed < 60; seed++) {
    const { model, recipe, traits } = buildCase(randomRecipe(seed));
    if (!['weight: cast', 'weight: dequantised'].some((trait) => traits.has(trait))) continue;
    const { computed } = await expectSameFunction(await traceModel(model, backend, { dims: recipe.dims, seed }));
    found += computed.length;
  }
  expect(found).toBeGreaterThan(20);
});

describe('computed weights', () => {
  const int8 = (name: string, dims: readonly number[]): TensorProto => makeInitializer(name, 'int8', dims, Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, k) => ((k * 37) % 255) - 127));
  const scale = makeInitializer('scale', 'float32', [], [0.03]);
  /** x[batch, 3] → y. */
  const traced = (nodes: readonly NodeProto[], initializers: readonly TensorProto[], outputs = ['y']): Promise<Trace> => traceModel(makeModel({ opset: 17, graph: {
    inputs: [makeValueInfo('x', 'float32', ['batch', 3])], outputs: outputs.map((name) => makeValueInfo(name, 'float32')), nodes, initializers,
  } }), backend);
  const scaled = (stem: string, made: string): NodeProto[] => [
    makeNode({ op: 'Cast', inputs: [stem], outputs: [`${stem}_cast`], attributes: { to: dataTypes.float32 } }),
    makeNode({ op: 'Mul', inputs: [`${stem}_cast`, 'scale'], outputs: [made] }),
  ];

  it('stay one tensor where the graph reads one in two ways', async () => {
    const { model, computed } = await expectSameFunction(await traced([
      ...scaled('q', 'w'),
      makeNode({ op: 'MatMul', inputs: ['x', 'w'], outputs: ['h'] }),
      makeNode({ op: 'Transpose', inputs: ['w'], outputs: ['wt'], attributes: { perm: [1, 0] } }),
      makeNode({ op: 'MatMul', inputs: ['h', 'wt'], outputs: ['y'] }),
    ], [int8('q', [3, 5]), scale]));
    expect(computed).toEqual(['w']);
    expect(stored(model)).toEqual({ w: '1 [3,5]' });
    expect(graphOf(model).node.map(({ opType }) => opType)).toEqual(['MatMul', 'Transpose', 'MatMul']);
  });

  it('do not include float weights that are only moved', async () => {
    const weight = makeInitializer('w', 'float32', [5, 3], Array.from({ length: 15 }, (_, k) => Math.sin(k)));
    expect((await expectSameFunction(await traced([
      makeNode({ op: 'Transpose', inputs: ['w'], outputs: ['wt'], attributes: { perm: [1, 0] } }), makeNode({ op: 'MatMul', inputs: ['x', 'wt'], outputs: ['y'] }),
    ], [weight]))).computed).toEqual([]);
  });

  it('do not include what is larger than the weights it is made of, nor results of the model', async () => {
    const column = makeInitializer('column', 'float32', [3, 1], [1, -2, 0.5]);
    const row = makeInitializer('row', 'float32', [1, 4], [0.1, 0.2, -0.3, 2]);
    const { computed } = await expectSameFunction(await traced([
      makeNode({ op: 'MatMul', inputs: ['column', 'row'], outputs: ['outer'] }), makeNode({ op: 'MatMul', inputs: ['x', 'outer'], outputs: ['h'] }),
      ...scaled('q', 'shown'), makeNode({ op: 'MatMul', inputs: ['h', 'shown'], outputs: ['y'] }),
    ], [column, row, int8('q', [4, 2]), scale], ['y', 'shown']));
    expect(computed).toEqual([]);
  });

  it('are found where only a body reads them', async () => {
    const branch = (weight: string) => makeGraph({ name: weight, inputs: [], outputs: [makeValueInfo(`y_${weight}`, 'float32')], nodes: [makeNode({ op: 'MatMul', inputs: ['x', weight], outputs: [`y_${weight}`] })] });
    const zero = makeInitializer('zero', 'float32', [], [0]);
    const { model, computed } = await expectSameFunction(await traced([
      ...scaled('p', 'wp'), ...scaled('q', 'wq'),
      makeNode({ op: 'ReduceMax', inputs: ['x'], outputs: ['top'], attributes: { keepdims: 0 } }),
      makeNode({ op: 'Greater', inputs: ['top', 'zero'], outputs: ['condition'] }),
      makeNode({ op: 'If', inputs: ['condition'], outputs: ['y'], attributes: { then_branch: branch('wp'), else_branch: branch('wq') } }),
    ], [int8('p', [3, 2]), int8('q', [3, 2]), scale, zero]));
    expect([...computed].sort()).toEqual(['wp', 'wq']);
    expect(stored(model)).toEqual({ wp: '1 [3,2]', wq: '1 [3,2]', zero: '1 []' });
  });

  it('take the weights that they were computed from out of the file', async () => {
    const weights = int8('q', [3, 4]);
    const { model } = await expectSameFunction(await traced([
      makeNode({ op: 'DequantizeLinear', inputs: ['q', 'scale'], outputs: ['w'] }), makeNode({ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }),
    ], [weights, scale]));
    expect(graphOf(model).node.map(({ opType }) => opType)).toEqual(['MatMul']);
    expect(stored(model)).toEqual({ w: '1 [3,4]' });
  });
});
