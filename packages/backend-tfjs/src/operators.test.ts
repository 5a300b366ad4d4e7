import { nativeBackend } from '@coppice/backend-onnx';
import { createRandom, type Backend, type NamedTensors } from '@coppice/core';
import { makeInitializer, makeModel, makeNode, makeValueInfo, toFloat32, type Model, type Tensor } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { tfjsBackend } from './index.ts';
import { sampleNodes, type SampleNode } from './sample-nodes.ts';
import { operatorRows } from './table.ts';

const oracle = nativeBackend();
const hasNative = await oracle.info().then(() => true, () => false);

/** A tensor with its axes in the opposite order. */
function reversed({ dtype, dims, data }: Tensor): Tensor {
  const turned = data.slice() as Float32Array;
  const sizes = dims.toReversed();
  const index = dims.map(() => 0);
  for (let k = 0; k < data.length; k++) {
    turned[index.reduceRight((at, i, axis) => at * sizes[sizes.length - 1 - axis] + i, 0)] = data[k] as number;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      if (++index[axis] < dims[axis]) break;
      index[axis] = 0;
    }
  }
  return { dtype, dims: sizes, data: turned };
}

/** A model of one node, its operands inputs or constants; with `turned`, floats and truth values come through a Transpose. */
function modelOf({ op, inputs, attributes = {}, outputs = 1, constants }: SampleNode, turned = false): { readonly model: Model; readonly feeds: NamedTensors } {
  const isConstant = (tensor: Tensor, k: number): boolean => constants?.includes(k) ?? tensor.dtype !== 'float32';
  const given = inputs.flatMap((tensor, k) => (tensor ? [{ name: `x${k}`, tensor, constant: isConstant(tensor, k) }] : []));
  const isTurned = ({ constant, tensor }: (typeof given)[number]): boolean => turned && !constant && ['float32', 'bool'].includes(tensor.dtype);
  const results = Array.from({ length: outputs }, (_, k) => `y${k}`);
  const turns = given.filter(isTurned).map(({ name }) => makeNode({ op: 'Transpose', inputs: [`${name}/turned`], outputs: [name] }));
  const fed = given.filter(({ constant }) => !constant).map((one) => (isTurned(one) ? { name: `${one.name}/turned`, tensor: reversed(one.tensor) } : one));
  const node = makeNode({ op, name: `the ${op}`, inputs: inputs.map((tensor, k) => (tensor ? `x${k}` : '')), outputs: results, attributes });
  return {
    model: makeModel({ opset: NEWEST.has(op) ? 23 : 21, graph: {
      inputs: fed.map(({ name, tensor }) => makeValueInfo(name, tensor.dtype, tensor.dims)),
      outputs: results.map((name) => ({ ...makeValueInfo(name, 'float32'), type: undefined })),
      initializers: given.filter(({ constant }) => constant).map(({ name, tensor: { dtype, dims, data } }) => makeInitializer(name, dtype, dims, data)),
      nodes: [...turns, node],
    } }),
    feeds: Object.fromEntries(fed.map(({ name, tensor }) => [name, tensor])),
  };
}

/** Operators that opset 21 does not have. */
const NEWEST = new Set(['Attention', 'RotaryEmbedding', 'RMSNormalization', 'Swish']);
/** Operators that ONNX Runtime does not have in these forms; the official node tests hold them, in testkit's conformance suite. */
const WITHOUT_ORACLE = new Set(['Swish', 'BitCast', 'CumProd', 'ReduceLogSum']);

function expectSame(label: string, have: Tensor, want: Tensor, tolerance: number): void {
  expect(`${label} ${have.dtype}[${have.dims.join()}]`).toBe(`${label} ${want.dtype}[${want.dims.join()}]`);
  if (!want.dtype.startsWith('float')) return expect(have.data, label).toEqual(want.data);
  const [a, b] = [toFloat32(have), toFloat32(want)];
  const scale = b.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 1e-3);
  const wrong = a.findIndex((x, k) => !(Object.is(x, b[k]) || x === b[k] || Math.abs(x - b[k]) <= tolerance * scale));
  expect(wrong < 0 ? label : `${label}: element ${wrong} is ${a[wrong]} instead of ${b[wrong]}`).toBe(label);
}

/** Devices get even single numbers; JavaScript gets everything for which it has a row. */
const backends: Record<string, Backend> = {
  'wasm kernels': tfjsBackend({ engine: 'wasm', fewOnHost: 0 }),
  'cpu kernels': tfjsBackend({ engine: 'cpu', fewOnHost: 0 }),
  JavaScript: tfjsBackend({ engine: 'cpu', fewOnHost: Infinity }),
};

// TensorFlow itself where somebody has installed it; what the packages print about their use of old functions is theirs.
const node = tfjsBackend({ engine: 'node', fewOnHost: 0 });
if (await node.info().then(() => true, () => false)) backends['node kernels'] = node;

const samples = new Map<string, SampleNode[]>();
for (const seed of [1, 2]) for (const sample of sampleNodes(seed)) samples.set(sample.op, [...(samples.get(sample.op) ?? []), sample]);

describe.skipIf(!hasNative)('agrees with ONNX Runtime on', () => {
  it.each([...samples.keys()].filter((op) => !WITHOUT_ORACLE.has(op)))('%s', async (op) => {
    for (const [k, sample] of samples.get(op)!.entries()) {
      const { model, feeds } = modelOf(sample);
      const expected = await oracle.compile(model, { optimise: 'none' });
      const want = await expected.run(feeds);
      await expected.dispose();
      // Operands that a Transpose left lying in another order must not make a difference.
      const ways = Object.entries(backends).map(([name, backend]) => ({ name, backend, model, feeds }));
      ways.push({ name: 'wasm kernels, operands turned', backend: backends['wasm kernels'], ...modelOf(sample, true) });
      for (const way of ways) {
        const executable = await way.backend.compile(way.model);
        const have = await executable.run(way.feeds);
        await executable.dispose();
        for (const output of Object.keys(want)) expectSame(`${op} ${k} ${output} by ${way.name}`, have[output], want[output], sample.tolerance ?? 2e-5);
      }
    }
  });
});

describe.skipIf(!hasNative)('fails where ONNX Runtime fails on operands of a wrong size, and reads nothing beyond them:', () => {
  /** ONNX Runtime lacks the first, takes complex signals for real ones in the second, and resizes few axes in the third. */
  const lenient = new Set([...WITHOUT_ORACLE, 'STFT', 'Resize']);
  it.each([...samples.keys()].filter((op) => !lenient.has(op)))('%s', async (op) => {
    const random = createRandom(op);
    for (const sample of samples.get(op)!.slice(0, samples.get(op)!.length / 2)) for (const [k, tensor] of sample.inputs.entries()) {
      if (tensor?.dtype !== 'float32' || tensor.dims.length === 0) continue;
      const axis = random.integer(tensor.dims.length);
      const dims = tensor.dims.with(axis, tensor.dims[axis] + 1);
      const wrong: Tensor = { dtype: 'float32', dims, data: Float32Array.from({ length: dims.reduce((p, d) => p * d, 1) }, () => 0.1 + random.uniform()) };
      const { model, feeds } = modelOf({ ...sample, inputs: sample.inputs.with(k, wrong) });
      const answer = async (backend: Backend): Promise<NamedTensors | undefined> => {
        const executable = await backend.compile(model).catch(() => undefined);
        const results = await executable?.run(feeds).catch(() => undefined);
        await executable?.dispose();
        return results;
      };
      const [want, have] = [await answer(oracle), await answer(backends['wasm kernels'])];
      const label = `${op} with operand ${k} of [${dims.join()}] instead of [${tensor.dims.join()}]`;
      if (!want) expect(have === undefined ? label : `${label} gives [${Object.values(have).map((y) => y.dims.join()).join('] [')}]`).toBe(label);
      else if (have) for (const output of Object.keys(want)) expectSame(`${label} ${output}`, have[output], want[output], 1e-3);
    }
  });
});

it('has a sample of every operator that is not refused', () => {
  const computed = Object.entries(operatorRows).filter(([, row]) => !('refused' in row)).map(([op]) => op);
  expect(computed.filter((op) => !samples.has(op) && !WITHOUT_ORACLE.has(op))).toEqual([]);
});
