import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { traceModel, type Trace } from '@coppice/core';
import { makeGraph, makeInitializer, makeModel, makeNode, makeValueInfo, type GraphProto, type Model, type NodeParts } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { describe, expect, it } from 'vitest';
import { wasmBackend } from './wasm.ts';

const backend = wasmBackend();

/** Shapes of a value in both runs, by its name in the program. */
const shapesOf = ({ program, runs }: Trace, name: string) => {
  const value = program.values.find((v) => v.name === name);
  if (!value) throw new Error(`no value '${name}' among ${program.values.map((v) => v.name).join(', ')}`);
  return runs.map((run) => run.shapes[value.id]);
};
const constantOf = ({ program, constants }: Trace, name: string) => constants.get(program.values.find((v) => v.name === name)!.id)?.values;

const nodes = (...parts: NodeParts[]) => parts.map(makeNode);
const x = makeValueInfo('x', 'float32', ['batch', 'time', 4]);
const branch = (name: string, ...parts: NodeParts[]): GraphProto =>
  makeGraph({ name, inputs: [], outputs: [makeValueInfo(`${name}_y`, 'float32')], nodes: nodes(...parts) });

describe('traceModel', () => {
  it('runs with two batch sizes and two lengths, so that dynamic axes differ and others do not', async () => {
    const model = makeModel({
      opset: 17,
      graph: {
        inputs: [x], outputs: [makeValueInfo('y', 'float32')],
        nodes: nodes({ op: 'Transpose', inputs: ['x'], outputs: ['t'], attributes: { perm: [0, 2, 1] } }, { op: 'Conv', inputs: ['t', 'w'], outputs: ['y'], attributes: { strides: [2] } }),
        initializers: [makeInitializer('w', 'float32', [5, 4, 3], new Float32Array(60).fill(0.1))],
      },
    });
    const trace = await traceModel(model, backend);
    expect(trace.sizes).toEqual([{ batch: 2, time: 50 }, { batch: 3, time: 83 }]);
    expect(shapesOf(trace, 'y')).toEqual([[2, 5, 24], [3, 5, 41]]);
    expect(shapesOf(trace, 'w')).toEqual([[5, 4, 3], [5, 4, 3]]);
    expect(trace.notes).toEqual([]);
  });

  it('takes longer inputs where shorter ones do not run or leave a single step', async () => {
    const model = makeModel({
      opset: 17,
      graph: {
        inputs: [makeValueInfo('feats', 'float32', ['batch', 4, 'time'])], outputs: [makeValueInfo('y', 'float32', ['batch', 1, 'frames'])],
        nodes: nodes({ op: 'Conv', inputs: ['feats', 'w'], outputs: ['y'] }),
        initializers: [makeInitializer('w', 'float32', [1, 4, 70], new Float32Array(280).fill(0.1))],
      },
    });
    const trace = await traceModel(model, backend);
    expect(trace.sizes.map(({ time }) => time)).toEqual([120, 201]);
  });

  it('takes as constants what depends on no data and stays the same, and nothing else', async () => {
    const model = makeModel({
      opset: 17,
      graph: {
        inputs: [x], outputs: [makeValueInfo('y', 'float32')],
        nodes: nodes(
          { op: 'Shape', inputs: ['x'], outputs: ['shape'] },
          { op: 'Gather', inputs: ['shape', 'last'], outputs: ['width'] },
          { op: 'Gather', inputs: ['shape', 'middle'], outputs: ['length'] },
          { op: 'Cast', inputs: ['width'], outputs: ['widthFloat'], attributes: { to: 1 } },
          { op: 'Sqrt', inputs: ['widthFloat'], outputs: ['root'] },
          { op: 'ReduceSum', inputs: ['w'], outputs: ['sum'], attributes: { keepdims: 0 } },
          { op: 'Neg', inputs: ['w'], outputs: ['negated'] },
          { op: 'IsNaN', inputs: ['x'], outputs: ['mask'] },
          { op: 'Div', inputs: ['x', 'root'], outputs: ['y'] },
        ),
        initializers: [
          makeInitializer('last', 'int64', [], [2]), makeInitializer('middle', 'int64', [], [1]), makeInitializer('w', 'float32', [100], new Float32Array(100).fill(0.5)),
          makeInitializer('end', 'int64', [1], [2n ** 63n - 1n]), makeInitializer('hash', 'int64', [1], [2n ** 60n]),
        ],
      },
    });
    const trace = await traceModel(model, backend);
    expect(constantOf(trace, 'width')).toEqual([4]);
    expect(constantOf(trace, 'root')).toEqual([2]);
    expect(constantOf(trace, 'sum')).toEqual([50]);
    expect(constantOf(trace, 'last')).toEqual([2]);
    expect(constantOf(trace, 'end')).toEqual([Number.MAX_SAFE_INTEGER]);
    for (const name of ['length', 'shape', 'negated', 'mask', 'w', 'hash']) expect(constantOf(trace, name), name).toBeUndefined();
  });

  it('makes large weights up instead of handing them over, and then takes nothing computed from them for a constant', async () => {
    const [inner, outer] = [1000, 8200];
    const model = makeModel({
      opset: 17,
      graph: {
        inputs: [makeValueInfo('x', 'float32', ['batch', 'time', inner])], outputs: [makeValueInfo('y', 'float32')],
        nodes: nodes(
          { op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }, { op: 'ReduceMax', inputs: ['w'], outputs: ['top'], attributes: { keepdims: 0 } },
          { op: 'Shape', inputs: ['w'], outputs: ['shape'] },
        ),
        initializers: [makeInitializer('w', 'float32', [inner, outer], new Float32Array(inner * outer))],
      },
    });
    let handed = 0;
    const trace = await traceModel(model, { ...backend, compile: (m, o) => { handed = m.proto.graph!.initializer.reduce((sum, t) => sum + t.rawData.byteLength, 0); return backend.compile(m, o); } });
    expect(handed).toBeLessThan(1000);
    expect(shapesOf(trace, 'y')).toEqual([[2, 50, outer], [3, 83, outer]]);
    expect(shapesOf(trace, 'w')).toEqual([[inner, outer], [inner, outer]]);
    expect(constantOf(trace, 'shape')).toEqual([inner, outer]);
    expect(constantOf(trace, 'top')).toBeUndefined();
  });

  describe('with control flow', () => {
    const ifModel = (thenOp: NodeParts): Model => makeModel({
      opset: 17,
      graph: {
        inputs: [x], outputs: [makeValueInfo('y', 'float32')],
        nodes: nodes(
          { op: 'ReduceMax', inputs: ['x'], outputs: ['top'], attributes: { keepdims: 0 } },
          { op: 'Less', inputs: ['top', 'limit'], outputs: ['small'] },
          { op: 'If', name: 'choice', inputs: ['small'], outputs: ['y'], attributes: { then_branch: branch('then', thenOp), else_branch: branch('else', { op: 'Neg', inputs: ['x'], outputs: ['else_n'] }, { op: 'Relu', inputs: ['else_n'], outputs: ['else_y'] }) } },
        ),
        initializers: [makeInitializer('limit', 'float32', [], [1e9])],
      },
    });

    it('runs both branches of an If, whatever its condition', async () => {
      const trace = await traceModel(ifModel({ op: 'Transpose', inputs: ['x'], outputs: ['then_y'], attributes: { perm: [0, 2, 1] } }), backend);
      expect(shapesOf(trace, 'choice/then_branch/then_y')).toEqual([[2, 4, 50], [3, 4, 83]]);
      expect(shapesOf(trace, 'choice/else_branch/else_n')).toEqual([[2, 50, 4], [3, 83, 4]]);
      expect(trace.notes).toEqual([]);
    });

    it('leaves out a branch that cannot run with these inputs, and says why', async () => {
      const swapped = makeModel({ opset: 17, graph: { ...asParts(ifModel({ op: 'Squeeze', inputs: ['x', 'axis'], outputs: ['then_y'] })), } });
      const trace = await traceModel(swapped, backend);
      expect(shapesOf(trace, 'choice/then_branch/then_y')).toEqual([undefined, undefined]);
      expect(shapesOf(trace, 'choice/else_branch/else_n')).toEqual([[2, 50, 4], [3, 83, 4]]);
      expect(trace.notes).toEqual([expect.stringMatching(/^If 'choice': the then branch was not traced\. .*must be 1 instead of 2/)]);
    });

    /** The condition false, an axis to squeeze among the initializers. */
    const asParts = (model: Model) => {
      const graph = model.proto.graph!;
      return { inputs: graph.input, outputs: graph.output, nodes: graph.node, initializers: [makeInitializer('limit', 'float32', [], [-1e9]), makeInitializer('axis', 'int64', [1], [0])] };
    };

    it('measures the first iteration of a Loop, and lets axes differ that change between iterations', async () => {
      const body = makeGraph({
        name: 'body',
        inputs: [makeValueInfo('k', 'int64', []), makeValueInfo('go', 'bool', []), makeValueInfo('state', 'float32')],
        outputs: [makeValueInfo('go', 'bool', []), makeValueInfo('next', 'float32')],
        nodes: nodes(
          { op: 'Concat', inputs: ['state', 'row'], outputs: ['next'], attributes: { axis: 0 } },
          { op: 'Shape', inputs: ['row'], outputs: ['rowShape'] },
        ),
      });
      const model = makeModel({
        opset: 17,
        graph: {
          inputs: [makeValueInfo('x', 'float32', [3, 4])], outputs: [makeValueInfo('y', 'float32')],
          nodes: nodes(
            { op: 'ReduceSum', inputs: ['x', 'first'], outputs: ['row'], attributes: { keepdims: 1 } },
            { op: 'Loop', name: 'grow', inputs: ['trips', '', 'x'], outputs: ['y'], attributes: { body } },
          ),
          initializers: [makeInitializer('trips', 'int64', [], [5]), makeInitializer('first', 'int64', [1], [0])],
        },
      });
      const trace = await traceModel(model, backend);
      expect(shapesOf(trace, 'grow/body/state')).toEqual([[3, 4], [4, 4]]);
      expect(shapesOf(trace, 'y')).toEqual([[8, 4], [8, 4]]);
      expect(constantOf(trace, 'grow/body/rowShape')).toEqual([1, 4]);
      expect(trace.notes).toEqual([]);
    });

    it('measures the body of a Scan, also in an If and under an If', async () => {
      const inner = makeGraph({
        name: 'step', inputs: [makeValueInfo('sum', 'float32'), makeValueInfo('frame', 'float32')], outputs: [makeValueInfo('sum2', 'float32'), makeValueInfo('out', 'float32')],
        nodes: nodes(
          { op: 'Add', inputs: ['sum', 'frame'], outputs: ['sum2'] },
          { op: 'If', name: 'sign', inputs: ['yes'], outputs: ['out'], attributes: { then_branch: branch('p', { op: 'Abs', inputs: ['frame'], outputs: ['p_y'] }), else_branch: branch('q', { op: 'Neg', inputs: ['frame'], outputs: ['q_y'] }) } },
        ),
      });
      const scan = makeGraph({
        name: 'scanning', inputs: [], outputs: [makeValueInfo('s_y', 'float32')],
        nodes: nodes({ op: 'Scan', name: 'sums', inputs: ['start', 'x2'], outputs: ['last', 's_y'], attributes: { body: inner, num_scan_inputs: 1, scan_output_axes: [0], scan_input_axes: [0] } }, { op: 'Identity', inputs: ['x2'], outputs: ['unused'] }),
      });
      const model = makeModel({
        opset: 17,
        graph: {
          inputs: [makeValueInfo('x', 'float32', ['time', 4])], outputs: [makeValueInfo('y', 'float32')],
          nodes: nodes(
            { op: 'Relu', inputs: ['x'], outputs: ['x2'] },
            { op: 'If', name: 'outer', inputs: ['yes'], outputs: ['y'], attributes: { then_branch: branch('n', { op: 'Neg', inputs: ['x2'], outputs: ['n_y'] }), else_branch: scan } },
          ),
          initializers: [makeInitializer('start', 'float32', [4], [0, 0, 0, 0]), makeInitializer('yes', 'bool', [], [1])],
        },
      });
      const trace = await traceModel(model, backend);
      const body = 'outer/else_branch/sums/body/';
      expect(shapesOf(trace, `${body}frame`)).toEqual([[4], [4]]);
      expect(shapesOf(trace, `${body}sign/else_branch/q_y`)).toEqual([[4], [4]]);
      expect(shapesOf(trace, 'outer/else_branch/s_y')).toEqual([[50, 4], [83, 4]]);
      expect(trace.notes).toEqual([]);
    });

    it('does not know the shapes in a Loop that is never entered', async () => {
      const body = makeGraph({
        name: 'body', inputs: [makeValueInfo('k', 'int64', []), makeValueInfo('go', 'bool', []), makeValueInfo('state', 'float32')],
        outputs: [makeValueInfo('go', 'bool', []), makeValueInfo('next', 'float32')], nodes: nodes({ op: 'Neg', inputs: ['state'], outputs: ['next'] }),
      });
      const model = makeModel({
        opset: 17,
        graph: { inputs: [x], outputs: [makeValueInfo('y', 'float32')], nodes: nodes({ op: 'Loop', name: 'never', inputs: ['zero', '', 'x'], outputs: ['y'], attributes: { body } }), initializers: [makeInitializer('zero', 'int64', [], [0])] },
      });
      const trace = await traceModel(model, backend);
      expect(shapesOf(trace, 'never/body/next')).toEqual([undefined, undefined]);
      expect(shapesOf(trace, 'y')).toEqual([[2, 50, 4], [3, 83, 4]]);
    });
  });

  it('passes over sequences, which have no shape', async () => {
    const model = makeModel({
      opset: 17,
      graph: {
        inputs: [x], outputs: [makeValueInfo('y', 'float32')],
        nodes: nodes(
          { op: 'SplitToSequence', inputs: ['x', 'two'], outputs: ['parts'], attributes: { axis: 2 } },
          { op: 'SequenceAt', inputs: ['parts', 'one'], outputs: ['y'] },
        ),
        initializers: [makeInitializer('two', 'int64', [], [2]), makeInitializer('one', 'int64', [], [1])],
      },
    });
    const trace = await traceModel(model, backend);
    expect(shapesOf(trace, 'parts')).toEqual([undefined, undefined]);
    expect(shapesOf(trace, 'y')).toEqual([[2, 50, 2], [3, 83, 2]]);
  });

  describe('with what the user gives', () => {
    const product = makeModel({
      opset: 17,
      graph: {
        inputs: [makeValueInfo('a', 'float32', ['rows', 'inner']), makeValueInfo('b', 'float32', [7, 3])], outputs: [makeValueInfo('y', 'float32')],
        nodes: nodes({ op: 'MatMul', inputs: ['a', 'b'], outputs: ['y'] }),
      },
    });

    it('says the sizes that were tried, the words of the runtime and the way out', async () => {
      const failure = await traceModel(product, backend).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: 'COPPICE_TRACE_FAILED', message: expect.stringMatching(/a float32\[rows, inner\].*MatMul.*--dim inner=n.*--input a=file\.npy/s) });
    });

    it('keeps a size that only works as given, and warns that it looks fixed', async () => {
      const trace = await traceModel(product, backend, { dims: { inner: 7 } });
      expect(shapesOf(trace, 'a').map((shape) => shape?.[1])).toEqual([7, 7]);
      expect(trace.notes).toEqual([expect.stringContaining("'inner' (7)")]);
    });

    it('varies a given size in the second run where the model allows it', async () => {
      const model = makeModel({ opset: 17, graph: { inputs: [x], outputs: [makeValueInfo('y', 'float32')], nodes: nodes({ op: 'Relu', inputs: ['x'], outputs: ['y'] }) } });
      expect((await traceModel(model, backend, { dims: { time: 100, batch: 1 } })).sizes).toEqual([{ batch: 1, time: 100 }, { batch: 2, time: 161 }]);
      expect((await traceModel(model, backend, { dims: { time: [20, 30] } })).sizes).toEqual([{ batch: 2, time: 20 }, { batch: 3, time: 30 }]);
    });

    it('feeds given tensors as they are', async () => {
      const a = { dtype: 'float32', dims: [5, 7], data: new Float32Array(35).fill(2) } as const;
      const trace = await traceModel(product, backend, { inputs: { a } });
      expect(trace.runs.map((run) => run.inputs.a)).toEqual([a, a]);
      expect(trace.sizes[0]).toEqual({ rows: 5, inner: 7 });
    });

    it('names what the model does not have', async () => {
      await expect(traceModel(product, backend, { dims: { time: 5 } })).rejects.toMatchObject({ code: 'COPPICE_INPUT_MISMATCH', message: expect.stringContaining("no dimension 'time'. Its inputs are a float32[rows, inner]") });
    });
  });
});

// Beside the repository where the project's shared material is present; skipped, visibly, elsewhere.
const shared = new URL('../../../../shared/', import.meta.url);
interface ZooEntry { readonly file: string; readonly runs: readonly { readonly inputs: Record<string, number[]>; readonly outputs: Record<string, number[]> }[] }
const zoo: readonly ZooEntry[] = existsSync(shared) ? JSON.parse(readFileSync(new URL('zoo/index.json', shared), 'utf8')) : [];

describe.skipIf(!existsSync(shared))('the models in ../shared', () => {
  const open = (path: string) => readModel(fileURLToPath(new URL(path, shared)));

  it.each(zoo.map((entry) => [entry.file, entry] as const))('traces %s with the shapes that its author saw', async (file, { runs }) => {
    const model = await open(`zoo/${file}`);
    const { sizes } = await traceModel(model, backend);
    expect(Object.keys(sizes[0]).filter((key) => sizes[0][key] === sizes[1][key])).toEqual([]);
    // The sizes of the author's runs, found by where the symbols stand.
    const inputs = model.proto.graph!.input.filter(({ name }) => runs[0].inputs[name]);
    const dims: Record<string, [number, number]> = {};
    for (const { name, type } of inputs) {
      const shape = type?.value.case === 'tensorType' ? type.value.value.shape?.dim ?? [] : [];
      shape.forEach(({ value }, axis) => { if (value.case === 'dimParam') dims[value.value] = [runs[0].inputs[name][axis], runs[1].inputs[name][axis]]; });
    }
    const trace = await traceModel(model, backend, { dims });
    for (const [r, { outputs }] of runs.entries()) {
      for (const [name, shape] of Object.entries(outputs)) expect(shapesOf(trace, name)[r], name).toEqual(shape);
    }
    expect(trace.runs.every((run) => run.shapes.every((shape) => shape !== undefined))).toBe(true);
  });

  it.each(existsSync(shared) ? readdirSync(new URL('models/', shared)).filter((file) => file.endsWith('.onnx')) : [])('traces %s with default inputs', async (file) => {
    const { program, runs } = await traceModel(await open(`models/${file}`), backend);
    const unknown = program.values.filter(({ id }) => runs.some((run) => !run.shapes[id])).map(({ name }) => name);
    // In Silero, branches squeeze a batch of one, which these inputs are not.
    expect(unknown.filter((name) => !/Squeeze/.test(name))).toEqual([]);
  });
});
