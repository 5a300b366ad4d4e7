import { wasmBackend } from '@coppice/backend-onnx';
import { checkModel, encodeModel, graphOf, makeGraph, makeInitializer, makeModel, makeNode, makeValueInfo, type Model, type Payload, type TensorProto } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { featuresValue, surround, withMetadata } from './surround.ts';

/** y = x · 2 within a branch that captures `x` too; its names are those that the surroundings want. */
function named(payload = false): { model: Model; values: Uint8Array } {
  const factor = makeInitializer('factor', 'float32', [1], [2]);
  const branch = (op: string) => makeGraph({ inputs: [], outputs: [makeValueInfo('z', 'float32', ['n'])], nodes: [makeNode({ op, inputs: ['x', 'factor'], outputs: ['z'] })] });
  const graph = makeGraph({
    inputs: [makeValueInfo('x', 'float32', ['n'])], outputs: [makeValueInfo('y', 'float32', ['n'])], initializers: [factor, makeInitializer('yes', 'bool', [], [true])],
    nodes: [makeNode({ op: 'If', inputs: ['yes'], outputs: ['y'], attributes: { then_branch: branch('Mul'), else_branch: branch('Add') } })],
  });
  const values = new Uint8Array(new Float32Array([2]).buffer);
  const model = makeModel({ opset: 17, graph, metadata: { a: '1', b: '2' } });
  return { model: payload ? { ...model, payloads: new Map<TensorProto, Payload>([[graphOf(model).initializer[0], { byteLength: 4, bytes: () => values }]]) } : model, values };
}

const shifted = (model: Model): Model => surround(model, {
  input: 'x', output: 'y', inputs: [makeValueInfo('x', 'float32', ['n'])], outputs: [makeValueInfo('y', 'float32', ['n'])],
  before: (emit) => emit.op('Identity', [emit.op('Add', ['x', emit.float(10)])], {}, 'coppice.features'),
  after: (emit, output) => [emit.op('Mul', [output, emit.float(100)])],
});

describe('surround', () => {
  it('puts nodes around a model whose values have the same names, in branches too', async () => {
    const model = shifted(named().model);
    checkModel(model);
    expect(featuresValue(model)).toBe('coppice.features');
    const executable = await wasmBackend().compile(model);
    const { y } = await executable.run({ x: { dtype: 'float32', dims: [2], data: Float32Array.of(1, -3) } });
    await executable.dispose();
    expect([...y.data as Float32Array]).toEqual([2200, 1400]);
  });

  it('leaves the model that it was given as it is', () => {
    const { model } = named();
    const before = encodeModel(model);
    shifted(model);
    expect(Buffer.from(encodeModel(model)).equals(before)).toBe(true);
  });

  it('keeps the contents of tensors that are computed when they are asked for', () => {
    const { model } = named(true);
    const around = shifted(model);
    const factor = graphOf(around).initializer.find(({ name }) => name === 'factor')!;
    expect(around.payloads?.get(factor)?.byteLength).toBe(4);
  });

  it('refuses an opset in which its nodes would mean something else', () => {
    const { proto } = named().model;
    expect(() => shifted({ proto: { ...proto, opsetImport: proto.opsetImport.map((each) => ({ ...each, version: 12n })) } })).toThrow(expect.objectContaining({ code: 'COPPICE_UNSUPPORTED_OPSET', message: expect.stringMatching(/opset 12.*from opset 13 on/) }));
  });
});

describe('withMetadata', () => {
  it('sets, adds and removes entries, also where there were none', () => {
    const entries = ({ proto }: Model): Record<string, string> => Object.fromEntries(proto.metadataProps.map(({ key, value }) => [key, value]));
    expect(entries(withMetadata(named().model, { a: '3', b: undefined, c: '4' }))).toEqual({ a: '3', c: '4' });
    const bare = makeModel({ opset: 17, graph: graphOf(named().model) });
    expect(entries(withMetadata(bare, { a: '1' }))).toEqual({ a: '1' });
    expect(Buffer.from(encodeModel(withMetadata(bare, { a: '1' }))).includes('a')).toBe(true);
  });
});
