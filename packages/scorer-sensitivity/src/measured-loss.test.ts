import { nativeBackend } from '@coppice/backend-onnx';
import { createRandom, findUnits, maskModel, scoreUnits, traceModel, type Loss, type NamedTensors, type ScoreProgress, type Units } from '@coppice/core';
import { makeInitializer, makeModel, makeNode, makeValueInfo, type Model, type Tensor } from '@coppice/graph';
import { buildCase, randomRecipe } from '@coppice/testkit';
import { describe, expect, it } from 'vitest';
import { measuredLoss } from './index.ts';

const backend = nativeBackend();

/** Mean squared distance of an output from `target`, and its derivative 2·(y − target)/n. */
const squaredError = (output: string): Loss => ({
  name: 'squared error', reads: [output], labels: ['target'],
  graph: makeModel({
    opset: 21,
    graph: {
      inputs: [makeValueInfo(output, 'float32'), makeValueInfo('target', 'float32')],
      outputs: [makeValueInfo('loss', 'float32', []), makeValueInfo(`gradient/${output}`, 'float32')],
      nodes: [
        makeNode({ op: 'Sub', inputs: [output, 'target'], outputs: ['distance'] }),
        makeNode({ op: 'Mul', inputs: ['distance', 'distance'], outputs: ['squares'] }),
        makeNode({ op: 'ReduceMean', inputs: ['squares'], outputs: ['loss'], attributes: { keepdims: 0 } }),
        makeNode({ op: 'Size', inputs: ['distance'], outputs: ['count'] }),
        makeNode({ op: 'Cast', inputs: ['count'], outputs: ['n'], attributes: { to: 1 } }),
        makeNode({ op: 'Mul', inputs: ['distance', 'two'], outputs: ['twice'] }),
        makeNode({ op: 'Div', inputs: ['twice', 'n'], outputs: [`gradient/${output}`] }),
      ],
      initializers: [makeInitializer('two', 'float32', [], [2])],
    },
  }),
});

const random = createRandom('measured-loss');
const draw = (dims: readonly number[]): Tensor => ({ dtype: 'float32', dims, data: Float32Array.from({ length: dims.reduce((p, n) => p * n, 1) }, () => random.normal()) });

/** The loss as anyone would write it down. */
const meanSquare = (y: Tensor, target: Tensor): number =>
  (y.data as Float32Array).reduce((sum, value, k) => sum + (value - (target.data as Float32Array)[k]) ** 2, 0) / y.data.length;

/** Rise in loss of each unit, with one masked model for each. */
async function slowly(units: Units, output: string, batches: readonly (readonly [NamedTensors, Tensor])[]): Promise<number[]> {
  const lossOf = async (model: Model) => {
    const executable = await backend.compile(model, { optimise: 'none' });
    let sum = 0;
    for (const [inputs, target] of batches) sum += meanSquare((await executable.run(inputs, [output]))[output], target);
    await executable.dispose();
    return sum / batches.length;
  };
  const whole = await lossOf(units.analysed.program.model);
  const rises: number[] = [];
  for (const { id } of units.units) rises.push((await lossOf(maskModel(units, [id]))) - whole);
  return rises;
}

describe('measured loss', () => {
  it('is what masking each unit alone does to the loss, on random graphs', async () => {
    let [measured, better] = [0, 0];
    for (let seed = 40; seed < 48; seed++) {
      const { model, recipe } = buildCase(randomRecipe(seed));
      const units = findUnits(await traceModel(model, backend, { dims: recipe.dims, seed }));
      if (units.units.length === 0 || units.units.length > 60) continue;
      const { program, trace } = units.analysed;
      const output = program.values[program.outputs[0]].name;
      const batches = trace.runs.map(({ inputs, shapes }) => [inputs, draw(shapes[program.outputs[0]]!)] as const);
      const wanted = await slowly(units, output, batches);
      const scores = await scoreUnits(units, measuredLoss, { backend, loss: squaredError(output), data: batches.map(([inputs, target]) => ({ ...inputs, target })) });
      const least = Math.min(0, ...wanted);
      const scale = Math.max(1, ...wanted.map(Math.abs));
      wanted.forEach((rise, unit) => expect(Math.abs(scores[unit] - (rise - least)) / scale, `seed ${seed}, unit ${unit}`).toBeLessThan(1e-4));
      measured += units.units.length;
      if (least < 0) better++;
    }
    expect(measured).toBeGreaterThan(50);
    expect(better).toBeGreaterThan(2);
  });

  it('is right also where the recurrent matrix is a literal in 8 bits, and says that this is slow', async () => {
    const bytes = (dims: readonly number[]) => Int8Array.from({ length: dims.reduce((p, n) => p * n, 1) }, () => random.integer(255) - 127);
    const quantised = makeModel({
      opset: { '': 17, 'com.microsoft': 1 },
      graph: {
        inputs: [makeValueInfo('x', 'float32', ['T', 'N', 3])],
        outputs: [makeValueInfo('y', 'float32', ['T', 'N', 2])],
        nodes: [
          makeNode({ op: 'DynamicQuantizeLSTM', domain: 'com.microsoft', name: 'lstm', inputs: ['x', 'w', 'r', '', '', '', '', '', 'scale', 'zero', 'scale', 'zero'], outputs: ['h'], attributes: { hidden_size: 4 } }),
          makeNode({ op: 'Squeeze', inputs: ['h', 'one'], outputs: ['s'] }),
          makeNode({ op: 'MatMul', name: 'dense', inputs: ['s', 'v'], outputs: ['y'] }),
        ],
        initializers: [
          ...Object.entries({ w: [1, 3, 16], r: [1, 4, 16] }).map(([name, dims]) => makeInitializer(name, 'int8', dims, bytes(dims))),
          makeInitializer('scale', 'float32', [1], [0.01]), makeInitializer('zero', 'int8', [1], [0]),
          makeInitializer('v', 'float32', [4, 2], draw([4, 2]).data), makeInitializer('one', 'int64', [1], [1]),
        ],
      },
    });
    const units = findUnits(await traceModel(quantised, backend));
    expect(units.units).toHaveLength(4);
    const batch = [{ x: draw([5, 2, 3]) }, draw([5, 2, 2])] as const;
    const notes: string[] = [];
    const scores = await scoreUnits(units, measuredLoss, { backend, loss: squaredError('y'), data: [{ ...batch[0], target: batch[1] }], onNote: (note) => notes.push(note) });
    const wanted = await slowly(units, 'y', [batch]);
    wanted.forEach((rise, unit) => expect(scores[unit]).toBeCloseTo(rise - Math.min(0, ...wanted), 5));
    expect(notes).toEqual([expect.stringContaining('4 units of quantised recurrent layers')]);
  });

  /** x [T, N, 3] → GRU of 4 → dense to 2. */
  const recurrent = makeModel({
    opset: 17,
    graph: {
      inputs: [makeValueInfo('x', 'float32', ['T', 'N', 3])],
      outputs: [makeValueInfo('y', 'float32', ['T', 'N', 2])],
      nodes: [
        makeNode({ op: 'GRU', name: 'gru', inputs: ['x', 'w', 'r'], outputs: ['h'], attributes: { hidden_size: 4 } }),
        makeNode({ op: 'Squeeze', inputs: ['h', 'one'], outputs: ['s'] }),
        makeNode({ op: 'MatMul', name: 'dense', inputs: ['s', 'v'], outputs: ['y'] }),
      ],
      initializers: [
        ...Object.entries({ w: [1, 12, 3], r: [1, 12, 4], v: [4, 2] }).map(([name, dims]) => makeInitializer(name, 'float32', dims, draw(dims).data)),
        makeInitializer('one', 'int64', [1], [1]),
      ],
    },
  });

  it('tells how far it is, and gives the same when it is stopped after the first batch', async () => {
    const units = findUnits(await traceModel(recurrent, backend));
    const data = Array.from({ length: 3 }, () => ({ x: draw([5, 2, 3]), target: draw([5, 2, 2]) }));
    const options = { backend, loss: squaredError('y') };
    const progress: ScoreProgress[] = [];
    const whole = await scoreUnits(units, measuredLoss, { ...options, data, onProgress: (step) => progress.push(step) });
    expect(progress.map(({ done }) => done)).toEqual(Array.from({ length: 12 }, (_, k) => k + 1));
    expect(progress.at(-1)).toEqual({ stage: 'loss', done: 12, total: 12 });
    let resume;
    await scoreUnits(units, measuredLoss, { ...options, data: data.slice(0, 1), onState: (state) => { resume = structuredClone(state); } });
    expect(await scoreUnits(units, measuredLoss, { ...options, data: data.slice(1), resume })).toEqual(whole);
  });

  it('frees both sessions when a batch lacks its labels', async () => {
    const units = findUnits(await traceModel(recurrent, backend));
    let open = 0;
    const counted: typeof backend = { ...backend, compile: async (...given) => {
      const executable = await backend.compile(...given);
      open++;
      return { run: (...run) => executable.run(...run), dispose: async () => { open--; await executable.dispose(); } };
    } };
    await expect(scoreUnits(units, measuredLoss, { backend: counted, loss: squaredError('y'), data: [{ x: draw([5, 2, 3]) }] }))
      .rejects.toMatchObject({ code: 'COPPICE_INPUT_INVALID', message: expect.stringContaining("Batch 0 has no 'target'") });
    expect(open).toBe(0);
  });
});
