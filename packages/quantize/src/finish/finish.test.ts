import { wasmBackend } from '@coppice/backend-onnx';
import { compareTensors, createRandom, traceModel, type NamedTensors, type Random } from '@coppice/core';
import { checkModel, graphOf, makeGraph, makeInitializer, makeModel, makeNode, makeValueInfo, type Model, type NodeProto, type TensorProto } from '@coppice/graph';
import { buildCase, randomRecipe } from '@coppice/testkit';
import { describe, expect, it } from 'vitest';
import { outputsOf } from '../choose/compare.ts';
import { dropIdentities } from './drop-identities.ts';
import { finishModel } from './finish.ts';

const backend = wasmBackend();

const floats = (random: Random, dims: readonly number[], positive = false): Float32Array =>
  Float32Array.from({ length: dims.reduce((p, n) => p * n, 1) }, () => (positive ? 0.2 + random.uniform() * 3 : random.normal()));

async function expectEqual(a: Model, b: Model, inputs: NamedTensors, tolerance = 1e-4): Promise<void> {
  const [[got], [expected]] = [await outputsOf(a, backend, [inputs]), await outputsOf(b, backend, [inputs])];
  for (const name of Object.keys(expected)) expect(compareTensors(name, got[name], expected[name], tolerance).relative, name).toBeLessThan(tolerance);
}

/** linear → norm, norm → linear, or arithmetic with one constant a channel, with shapes drawn at random. */
function normedModel(random: Random, linear: 'Conv' | 'ConvTranspose' | 'Gemm', order: 'before' | 'after' | 'arithmetic'): { model: Model; inputs: NamedTensors } {
  const groups = linear === 'Gemm' ? 1 : 1 + random.integer(3);
  const [ins, outs] = [groups * (1 + random.integer(4)), groups * (1 + random.integer(4))];
  const k = 1 + random.integer(3);
  const spatial = linear === 'Gemm' ? [] : [8, 7].slice(0, 1 + random.integer(2));
  const transB = random.integer(2);
  const kernel = spatial.map(() => k);
  const w = linear === 'Gemm' ? (transB ? [outs, ins] : [ins, outs]) : linear === 'Conv' ? [outs, ins / groups, ...kernel] : [ins, outs / groups, ...kernel];
  const initializers: TensorProto[] = [makeInitializer('W', 'float32', w, floats(random, w))];
  const inputs = ['a', 'W'];
  if (random.uniform() < 0.6) {
    initializers.push(makeInitializer('b', 'float32', [outs], floats(random, [outs])));
    inputs.push('b');
  }
  const attributes = linear === 'Gemm' ? { transB, alpha: 0.5, beta: { float: 2 } } : { group: groups, ...(order !== 'before' && { pads: [...kernel, ...kernel].map(() => random.integer(k)) }) };
  const channels = order === 'before' ? ins : outs;
  const norm = (x: string, y: string): NodeProto[] => {
    if (order !== 'arithmetic') {
      for (const name of ['g', 'o', 'm']) initializers.push(makeInitializer(name, 'float32', [channels], floats(random, [channels])));
      initializers.push(makeInitializer('v', 'float32', [channels], floats(random, [channels], true)));
      return [makeNode({ op: 'BatchNormalization', name: 'norm', inputs: [x, 'g', 'o', 'm', 'v'], outputs: [y], attributes: { epsilon: 1e-3 } })];
    }
    const dims = [channels, ...spatial.map(() => 1)];
    const offset = random.integer(2) ? dims : [];
    initializers.push(makeInitializer('factor', 'float32', dims, floats(random, dims)), makeInitializer('offset', 'float32', offset, floats(random, offset)));
    const [first, second] = [['Mul', 'Div'][random.integer(2)], ['Add', 'Sub'][random.integer(2)]];
    return [makeNode({ op: first, inputs: [x, 'factor'], outputs: ['scaled'] }), makeNode({ op: second, inputs: random.integer(2) ? ['scaled', 'offset'] : ['offset', 'scaled'], outputs: [y] })];
  };
  const layer = (x: string, y: string) => makeNode({ op: linear, name: 'layer', inputs: [x, ...inputs.slice(1)], outputs: [y], attributes });
  const nodes = order === 'before' ? [...norm('x', 'a'), layer('a', 'y')] : [layer('x', 'a'), ...norm('a', 'y')];
  const dims = [2, ins, ...spatial];
  return {
    model: makeModel({ opset: 17, graph: { inputs: [makeValueInfo('x', 'float32', dims)], outputs: [makeValueInfo('y', 'float32')], nodes, initializers } }),
    inputs: { x: { dtype: 'float32', dims, data: floats(random, dims) } },
  };
}

describe('batch norms', () => {
  for (const linear of ['Conv', 'ConvTranspose', 'Gemm'] as const) for (const order of ['after', 'before', 'arithmetic'] as const) {
    if (linear === 'ConvTranspose' && order === 'before') continue;
    it(`${order === 'before' ? 'in front of' : order === 'after' ? 'behind' : 'spelt as arithmetic behind'} ${linear} go into its weights`, async () => {
      for (let seed = 0; seed < 8; seed++) {
        const { model, inputs } = normedModel(createRandom(`${linear}/${order}/${seed}`), linear, order);
        const finished = await finishModel(model, backend, { inputs: [inputs] });
        expect(graphOf(finished.model).node.map(({ opType }) => opType), `seed ${seed}`).toEqual([linear]);
        expect(finished.steps.every(({ taken }) => taken)).toBe(true);
        checkModel(finished.model);
        await expectEqual(finished.model, model, inputs);
      }
    });
  }

  it('stay where zeros are padded in between, and the step says so', async () => {
    const { model, inputs } = normedModel(createRandom('padded'), 'Conv', 'before');
    const graph = graphOf(model);
    const padded: Model = { ...model, proto: { ...model.proto, graph: makeGraph({ inputs: graph.input, outputs: graph.output, initializers: graph.initializer, nodes: graph.node.map((n) => (n.opType === 'Conv' ? makeNode({ op: 'Conv', name: 'layer', inputs: n.input, outputs: n.output, attributes: { auto_pad: 'SAME_UPPER', group: Number(n.attribute.find(({ name }) => name === 'group')!.i) } }) : n)) }) } };
    const { model: finished, steps } = await finishModel(padded, backend, { inputs: [inputs] });
    expect(graphOf(finished).node.length).toBe(2);
    expect(steps.flatMap(({ left }) => left).join()).toMatch(/pads with zeros/);
  });

  it('stay when the linear result is read by others too', async () => {
    const { model, inputs } = normedModel(createRandom('shared'), 'Conv', 'after');
    const graph = graphOf(model);
    const both: Model = { ...model, proto: { ...model.proto, graph: makeGraph({ inputs: graph.input, outputs: [...graph.output, makeValueInfo('a', 'float32')], initializers: graph.initializer, nodes: graph.node }) } };
    const { model: finished, steps } = await finishModel(both, backend, { inputs: [inputs] });
    expect(graphOf(finished).node.some(({ opType }) => opType === 'BatchNormalization')).toBe(true);
    expect(steps.flatMap(({ left }) => left).join()).toMatch(/read by others/);
  });
});

describe('finishing', () => {
  it('leaves what random graphs compute as it was, and batch norms behind linear operators nowhere', async () => {
    let folded = 0;
    for (let seed = 1000; seed < 1012; seed++) {
      const recipe = randomRecipe(seed);
      const { model } = buildCase({ ...recipe, uses: [...recipe.uses.slice(0, 3), { block: 'batchNorm', stream: `${seed}/norm`, back: 0 }] });
      const trace = await traceModel(model, backend, { dims: recipe.dims, seed }).catch(() => undefined);
      if (!trace) continue;
      const inputs = trace.runs.map((run) => run.inputs);
      const finished = await finishModel(model, backend, { inputs });
      checkModel(finished.model);
      for (const input of inputs) await expectEqual(finished.model, model, input, 2e-4);
      expect(finished.steps.filter(({ taken }) => !taken)).toEqual([]);
      if (finished.steps.some(({ name, changed }) => name === 'fold batch norms' && changed.length > 0)) folded++;
      const linear = new Set(graphOf(finished.model).node.filter(({ opType }) => opType === 'Conv').map(({ output }) => output[0]));
      const readers = (name: string) => graphOf(finished.model).node.filter(({ input }) => input.includes(name)).length;
      expect(graphOf(finished.model).node.filter((n) => n.opType === 'BatchNormalization' && linear.has(n.input[0]) && readers(n.input[0]) === 1)).toEqual([]);
    }
    expect(folded).toBeGreaterThan(2);
  });

  it('leaves a step out when the outputs differ by more than the tolerance', async () => {
    const { model, inputs } = normedModel(createRandom('strict'), 'Conv', 'after');
    const { model: finished, steps } = await finishModel(model, backend, { inputs: [inputs], tolerance: 0 });
    const [step] = steps.filter(({ name }) => name === 'fold batch norms');
    expect(step.taken).toBe(false);
    expect(step.difference!.relative).toBeGreaterThan(0);
    expect(graphOf(finished)).toEqual(graphOf(model));
  });

  it('stores what is computed from constants, but no weight that is kept in few bits on purpose', async () => {
    const q = Int8Array.from({ length: 4096 }, (_, k) => (k * 37) % 255 - 127);
    const model = makeModel({ opset: 17, graph: {
      inputs: [makeValueInfo('x', 'float32', [2, 64])], outputs: [makeValueInfo('y', 'float32')],
      initializers: [makeInitializer('q', 'int8', [64, 64], q), makeInitializer('s', 'float32', [], [0.01]), makeInitializer('w', 'float32', [64, 64], Float32Array.from(q, (v) => v / 50)), makeInitializer('q2', 'int8', [64, 64], q)],
      nodes: [
        makeNode({ op: 'Transpose', inputs: ['w'], outputs: ['wt'], attributes: { perm: [1, 0] } }), makeNode({ op: 'MatMul', inputs: ['x', 'wt'], outputs: ['a'] }),
        makeNode({ op: 'DequantizeLinear', inputs: ['q', 's'], outputs: ['d'] }), makeNode({ op: 'MatMul', inputs: ['a', 'd'], outputs: ['b'] }),
        makeNode({ op: 'Cast', inputs: ['q2'], outputs: ['c'], attributes: { to: 1 } }), makeNode({ op: 'Mul', inputs: ['c', 's'], outputs: ['e'] }), makeNode({ op: 'MatMul', inputs: ['b', 'e'], outputs: ['y'] }),
      ],
    } });
    const inputs = { x: { dtype: 'float32', dims: [2, 64], data: Float32Array.from({ length: 128 }, (_, k) => Math.sin(k)) } } as const;
    const { model: finished } = await finishModel(model, backend, { inputs: [inputs] });
    expect(graphOf(finished).node.map(({ opType }) => opType)).toEqual(['MatMul', 'DequantizeLinear', 'MatMul', 'Cast', 'Mul', 'MatMul']);
    await expectEqual(finished, model, inputs);
  });

  it('drops nodes that hand on what they read, and keeps the names of results', async () => {
    const model = makeModel({ opset: 17, graph: {
      inputs: [makeValueInfo('x', 'float32', [2, 3])], outputs: [makeValueInfo('y', 'float32', [2, 3]), makeValueInfo('z', 'float32', [2, 3])],
      nodes: [
        makeNode({ op: 'Identity', inputs: ['x'], outputs: ['a'] }), makeNode({ op: 'Dropout', inputs: ['a'], outputs: ['b'] }), makeNode({ op: 'Relu', inputs: ['b'], outputs: ['c'] }),
        makeNode({ op: 'Transpose', inputs: ['c'], outputs: ['d'], attributes: { perm: [1, 0] } }), makeNode({ op: 'Transpose', inputs: ['d'], outputs: ['e'], attributes: { perm: [1, 0] } }),
        makeNode({ op: 'Cast', inputs: ['e'], outputs: ['f'], attributes: { to: 1 } }), makeNode({ op: 'Identity', inputs: ['f'], outputs: ['y'] }), makeNode({ op: 'Identity', inputs: ['x'], outputs: ['z'] }),
      ],
    } });
    const { model: finished, changed } = dropIdentities(model);
    // The last one connects an input with an output, which must both keep their names.
    expect(graphOf(finished).node.map(({ opType, input, output }) => [opType, ...input, ...output])).toEqual([['Relu', 'x', 'y'], ['Identity', 'x', 'z']]);
    expect(changed.length).toBeGreaterThan(4);
    checkModel(finished);
    await expectEqual(finished, model, { x: { dtype: 'float32', dims: [2, 3], data: Float32Array.of(1, -2, 3, -4, 5, -6) } }, 1e-9);
  });
});
