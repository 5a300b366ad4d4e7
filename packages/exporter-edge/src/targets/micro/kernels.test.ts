import { nativeBackend } from '@coppice/backend-onnx';
import { createRandom, type Random } from '@coppice/core';
import { makeInitializer, makeModel, makeNode, makeValueInfo, type AttributeInput, type Model, type NodeProto, type TensorProto } from '@coppice/graph';
import { afterAll, describe, expect, it } from 'vitest';
import { compileDriver, sanitizerFlags } from '../../testing/run-program.ts';
import { findCompiler } from './compile.ts';
import { lowerGraph, type LoweredGraph } from './lower.ts';
import { sizeOf } from './lowering.ts';
import { microOperators } from './operators.ts';

const backend = nativeBackend();
const compiler = findCompiler();
const driver = compileDriver();
const sanitizers = sanitizerFlags();
const careful = sanitizers && compileDriver(sanitizers);
afterAll(() => { driver?.remove(); careful?.remove(); });

/** One operator between QuantizeLinear and DequantizeLinear. */
interface OneNode {
  readonly op: string;
  readonly attributes?: Readonly<Record<string, AttributeInput>>;
  readonly inputs: readonly (readonly number[])[];
  /** int8 weights behind the inputs: kept axis, or none for one scale. */
  readonly weight?: { readonly dims: readonly number[]; readonly axis: number };
  readonly bias?: number;
  /** Constant operands behind all. */
  readonly more?: readonly TensorProto[];
  /** Whether its result has the scale of its operand. */
  readonly moves?: boolean;
  readonly behind?: 'Relu';
  /** Results, of which the first is looked at. */
  readonly results?: number;
  /** Whether its result has the scale of its first operand, computed anew. */
  readonly shared?: boolean;
  /** Least value of the inputs. */
  readonly from?: number;
}

const pick = <T>(random: Random, items: readonly T[]): T => items[random.integer(items.length)];
const between = (random: Random, low: number, high: number): number => low + random.integer(high - low + 1);

interface Case {
  readonly model: Model;
  readonly program: LoweredGraph;
  readonly inputs: readonly Float32Array[];
  readonly dims: readonly (readonly number[])[];
  readonly step: number;
}

function makeCase(random: Random, { op, attributes = {}, inputs, weight, bias, more = [], moves = false, behind, results = 1, shared = false, from = -Infinity }: OneNode): Case {
  const initializers: TensorProto[] = [...more];
  const nodes: NodeProto[] = [];
  const dtype = pick(random, ['uint8', 'int8'] as const);
  const scale = (name: string, value: number, zero: number): readonly string[] => {
    initializers.push(makeInitializer(`${name}/scale`, 'float32', [], [value]), makeInitializer(`${name}/zero`, dtype, [], [dtype === 'uint8' ? zero + 128 : zero]));
    return [`${name}/scale`, `${name}/zero`];
  };
  const operands = inputs.map((_, k) => {
    const own = scale(`x${k}`, 0.01 + 0.03 * random.uniform(), between(random, -60, 60));
    nodes.push(makeNode({ op: 'QuantizeLinear', inputs: [`x${k}`, ...own], outputs: [`x${k}/q`] }), makeNode({ op: 'DequantizeLinear', inputs: [`x${k}/q`, ...own], outputs: [`x${k}/dq`] }));
    return `x${k}/dq`;
  });
  if (weight) {
    const { dims, axis } = weight;
    const channels = dims[axis];
    // Seven bits, so that processors that add pairs in 16 bits are right too.
    initializers.push(makeInitializer('w', 'int8', dims, Int8Array.from({ length: sizeOf(dims) }, () => between(random, -63, 63))));
    const scales = Float32Array.from({ length: channels }, () => 0.001 + 0.02 * random.uniform());
    initializers.push(makeInitializer('w/scale', 'float32', [channels], scales));
    nodes.push(makeNode({ op: 'DequantizeLinear', inputs: ['w', 'w/scale'], outputs: ['w/dq'], attributes: { axis } }));
    operands.push('w/dq');
    if (bias !== undefined) {
      const xScale = initializers.find(({ name }) => name === 'x0/scale')!;
      const products = scales.map((s) => Math.fround(s * new Float32Array(xScale.rawData.slice().buffer)[0]));
      initializers.push(makeInitializer('b', 'int32', [channels], Int32Array.from({ length: channels }, () => between(random, -3000, 3000))), makeInitializer('b/scale', 'float32', [channels], products));
      nodes.push(makeNode({ op: 'DequantizeLinear', inputs: ['b', 'b/scale'], outputs: ['b/dq'], attributes: { axis: 0 } }));
      operands.push('b/dq');
    }
  }
  operands.push(...more.map(({ name }) => name));
  nodes.push(makeNode({ op, inputs: operands, outputs: ['raw', 'second'].slice(0, results), attributes }));
  if (behind) nodes.push(makeNode({ op: behind, inputs: ['raw'], outputs: ['clamped'] }));
  const step = 0.02 + 0.05 * random.uniform();
  const last = behind ? 'clamped' : 'raw';
  if (!moves) {
    const own = shared ? ['x0/scale', 'x0/zero'] : scale('y', step, between(random, -60, 60));
    nodes.push(makeNode({ op: 'QuantizeLinear', inputs: [last, ...own], outputs: ['y/q'] }), makeNode({ op: 'DequantizeLinear', inputs: ['y/q', ...own], outputs: ['y'] }));
  }
  const output = moves ? last : 'y';
  const model = makeModel({ opset: 18, graph: { inputs: inputs.map((dims, k) => makeValueInfo(`x${k}`, 'float32', dims)), outputs: [makeValueInfo(output, 'float32')], nodes, initializers } });
  const program = lowerGraph(model, inputs.map((dims, k) => ({ name: `x${k}`, dims })), output);
  if ('refusals' in program) throw new Error(program.refusals.join('\n'));
  return { model, program, step, dims: inputs, inputs: inputs.map((dims) => Float32Array.from({ length: sizeOf(dims) }, () => Math.max(from, random.normal()))) };
}

const reference = async ({ model, inputs, dims }: Case, optimise: 'none' | 'all' = 'none'): Promise<Float32Array> => {
  const executable = await backend.compile(model, { optimise, threads: 1 });
  try {
    const results = await executable.run(Object.fromEntries(inputs.map((data, k) => [`x${k}`, { dtype: 'float32' as const, dims: dims[k], data }])));
    return Object.values(results)[0].data as Float32Array;
  } finally {
    await executable.dispose();
  }
};

const window = (random: Random, height: number, width: number) => {
  const kernel = [between(random, 1, Math.min(4, height)), between(random, 1, Math.min(4, width))];
  return { kernel_shape: kernel, strides: [between(random, 1, 3), between(random, 1, 3)], pads: kernel.concat(kernel).map((n) => random.integer(n)) };
};

const conv = (random: Random): OneNode => {
  const groups = pick(random, [1, 1, 2, 3]);
  const [inGroup, outGroup] = [between(random, 1, 4), between(random, 1, 4)];
  const [height, width] = [between(random, 4, 11), between(random, 5, 12)];
  const { strides, pads, kernel_shape } = window(random, height, width);
  const dilations = kernel_shape.map((n, k) => (n > 1 && (n - 1) * 2 + 1 <= [height, width][k] ? pick(random, [1, 2]) : 1));
  return {
    op: 'Conv', inputs: [[1, inGroup * groups, height, width]], attributes: { group: groups, strides, pads, dilations, kernel_shape }, weight: { dims: [outGroup * groups, inGroup, ...kernel_shape], axis: 0 },
    ...(random.uniform() < 0.7 ? { bias: 1 } : {}), ...(random.uniform() < 0.5 ? { behind: 'Relu' as const } : {}),
  };
};
const conv1d = (random: Random): OneNode => {
  const [channels, out, length, kernel] = [between(random, 1, 5), between(random, 1, 6), between(random, 7, 20), between(random, 1, 5)];
  return { op: 'Conv', inputs: [[1, channels, length]], attributes: { strides: [between(random, 1, 3)], pads: [random.integer(kernel), random.integer(kernel)], dilations: [1], kernel_shape: [kernel] }, weight: { dims: [out, channels, kernel], axis: 0 }, bias: 1 };
};
const samePadding = (random: Random): OneNode => ({ op: 'Conv', inputs: [[1, 2, between(random, 5, 9), between(random, 5, 9)]], attributes: { auto_pad: pick(random, ['SAME_UPPER', 'SAME_LOWER', 'VALID']), strides: [between(random, 1, 3), 2], kernel_shape: [3, 2] }, weight: { dims: [3, 2, 3, 2], axis: 0 } });
const gemm = (random: Random): OneNode => {
  const [rows, inputs, outputs, transB] = [between(random, 1, 3), between(random, 1, 40), between(random, 1, 9), random.integer(2)];
  return { op: 'Gemm', inputs: [[rows, inputs]], attributes: { transB }, weight: transB ? { dims: [outputs, inputs], axis: 0 } : { dims: [inputs, outputs], axis: 1 }, bias: 1 };
};
const matMul = (random: Random): OneNode => {
  const [inputs, outputs] = [between(random, 1, 30), between(random, 1, 9)];
  return { op: 'MatMul', inputs: [[1, between(random, 1, 5), inputs]], weight: { dims: [inputs, outputs], axis: 1 } };
};
const binary = (op: string) => (random: Random): OneNode => {
  const dims = [1, between(random, 2, 5), between(random, 2, 6), between(random, 2, 7)];
  const other = pick(random, [dims, dims.with(2, 1), dims.with(2, 1).with(3, 1), dims.slice(2), dims.slice(3), dims.with(1, 1)]);
  return { op, inputs: random.uniform() < 0.5 ? [dims, other] : [other, dims], ...(random.uniform() < 0.3 ? { behind: 'Relu' as const } : {}) };
};
const withScalar = (op: string) => (random: Random): OneNode => ({ op, inputs: [[1, 3, between(random, 2, 9)]], more: [makeInitializer('c', 'float32', [], [0.3 + random.uniform()])] });
const pool = (op: 'MaxPool' | 'AveragePool') => (random: Random): OneNode => {
  const [height, width] = [between(random, 4, 11), between(random, 4, 12)];
  const { kernel_shape, strides, pads } = window(random, height, width);
  // A window of padding alone has no average.
  return { op, inputs: [[1, between(random, 1, 4), height, width]], attributes: { kernel_shape, strides, pads, ceil_mode: op === 'MaxPool' ? 0 : random.integer(2), ...(op === 'AveragePool' ? { count_include_pad: random.integer(2) } : {}) }, moves: op === 'MaxPool' };
};
const reduce = (op: string) => (random: Random): OneNode => {
  const axes = pick(random, [[1], [2], [-1], [2, 3], [1, 3], [1, 2, 3], [0, 2]]);
  return { op, inputs: [[1, between(random, 2, 5), between(random, 2, 7), between(random, 2, 6)]], attributes: { keepdims: random.integer(2) }, more: [makeInitializer('axes', 'int64', [axes.length], axes)], moves: op === 'ReduceMax' };
};
const unary = (op: string, attributes: OneNode['attributes'] = {}) => (random: Random): OneNode => ({ op, inputs: [[1, between(random, 2, 5), between(random, 2, 30)]], attributes });
const global = (op: string) => (random: Random): OneNode => ({ op, inputs: [[1, between(random, 2, 5), between(random, 2, 7), between(random, 2, 6)]], moves: op === 'GlobalMaxPool' });

const transpose = (random: Random): OneNode => ({ op: 'Transpose', inputs: [[1, between(random, 2, 4), between(random, 2, 5), between(random, 2, 6)]], attributes: { perm: random.shuffle([0, 1, 2, 3]) }, moves: true });
const slice = (random: Random): OneNode => {
  const dims = [1, between(random, 3, 6), between(random, 4, 8)];
  const backwards = random.uniform() < 0.4;
  return { op: 'Slice', inputs: [dims], moves: true, more: [ints('starts', backwards ? [-1, 1] : [1, 0]), ints('ends', backwards ? [-100, 3] : [100, -1]), ints('axes', [2, 1]), ints('steps', [backwards ? -2 : between(random, 1, 3), 1])] };
};
const concat = (random: Random): OneNode => {
  const dims = [1, between(random, 2, 4), between(random, 2, 5)];
  const axis = between(random, 1, 2);
  return { op: 'Concat', inputs: [dims, dims.with(axis, between(random, 1, 6)), dims], attributes: { axis } };
};
const pad = (random: Random): OneNode => ({ op: 'Pad', inputs: [[1, between(random, 2, 4), between(random, 2, 5)]], moves: true, more: [makeInitializer('pads', 'int64', [6], [0, random.integer(3), random.integer(3), 0, random.integer(3), random.integer(3)])] });

const number = (name: string, value: number): TensorProto => makeInitializer(name, 'float32', [], [value]);
const ints = (name: string, values: readonly number[]): TensorProto => makeInitializer(name, 'int64', [values.length], values);
const unaryMove = (op: string, attributes: OneNode['attributes'] = {}) => (random: Random): OneNode => ({ ...unary(op, attributes)(random), moves: true });

/** Families, and how far a result may be: in steps of 8 bits. Sums of products are added in floats there and in integers here. */
const families: readonly (readonly [name: string, make: (random: Random) => OneNode, steps: 0 | 1])[] = [
  ['Conv', conv, 1], ['Conv over one axis', conv1d, 1], ['Conv with auto_pad', samePadding, 1], ['Gemm', gemm, 1], ['MatMul', matMul, 1],
  ['Add', binary('Add'), 0], ['Sub', binary('Sub'), 0], ['Mul', binary('Mul'), 0], ['Add of a constant', withScalar('Add'), 0], ['Mul by a constant', withScalar('Mul'), 0], ['Div by a constant', withScalar('Div'), 0],
  ['MaxPool', pool('MaxPool'), 0], ['AveragePool', pool('AveragePool'), 1], ['GlobalAveragePool', global('GlobalAveragePool'), 1], ['GlobalMaxPool', global('GlobalMaxPool'), 0],
  ['ReduceMean', reduce('ReduceMean'), 1], ['ReduceSum', reduce('ReduceSum'), 1], ['ReduceMax', reduce('ReduceMax'), 0],
  ['Relu', unary('Relu'), 0], ['LeakyRelu', unary('LeakyRelu', { alpha: 0.1 }), 0], ['Sigmoid', unary('Sigmoid'), 1], ['HardSwish', unary('HardSwish'), 1], ['HardSigmoid', unary('HardSigmoid'), 1], ['Tanh', unary('Tanh'), 1], ['Erf', unary('Erf'), 1], ['Elu', unary('Elu'), 1], ['Abs', unary('Abs'), 0], ['Softplus', unary('Softplus'), 1], ['Mish', unary('Mish'), 1], ['Softsign', unary('Softsign'), 1], ['Celu', unary('Celu'), 1], ['Selu', unary('Selu'), 1],
  ['Clip', (random) => ({ op: 'Clip', inputs: [[1, 3, between(random, 2, 30)]], more: [number('low', -0.4), number('high', 0.7)] }), 1], ['PRelu', (random) => ({ op: 'PRelu', inputs: [[1, 3, between(random, 2, 30)]], more: [number('slope', 0.3)] }), 1],
  ['Max', withScalar('Max'), 1], ['Min', withScalar('Min'), 1], ['Neg', unary('Neg'), 1], ['Exp', unary('Exp'), 1], ['ThresholdedRelu', unary('ThresholdedRelu', { alpha: 0.5 }), 1], ['Sqrt', (random) => ({ op: 'Sqrt', inputs: [[1, 3, between(random, 2, 30)]], from: 0 }), 1],
  ['Split', (random) => ({ op: 'Split', inputs: [[1, 5, between(random, 2, 6)]], attributes: { axis: 1 }, more: [ints('parts', [2, 3])], moves: true, results: 2 }), 0],
  ['Expand', (random) => ({ op: 'Expand', inputs: [[1, 3, 1]], more: [ints('sizes', [2, 3, between(random, 2, 6)])], moves: true }), 0],
  ['Reshape', () => ({ op: 'Reshape', inputs: [[1, 4, 6]], more: [ints('sizes', [0, -1, 3])], moves: true }), 0], ['Flatten', () => ({ op: 'Flatten', inputs: [[1, 4, 6]], moves: true }), 0], ['Identity', unaryMove('Identity'), 0], ['Dropout', unaryMove('Dropout'), 0],
  ['Squeeze', () => ({ op: 'Squeeze', inputs: [[1, 4, 1, 6]], more: [ints('axes', [2])], moves: true }), 0], ['Unsqueeze', () => ({ op: 'Unsqueeze', inputs: [[1, 4, 6]], more: [ints('axes', [-1, 1])], moves: true }), 0],
  ['LogSoftmax', unaryMove('LogSoftmax', { axis: -1 }), 1],
  ['Transpose', transpose, 0], ['Slice', slice, 0], ['Concat', concat, 0], ['Concat that keeps a scale, joined with a ReLU', (random) => ({ ...concat(random), shared: true, behind: 'Relu' }), 0], ['Pad', pad, 0],
];

describe.skipIf(compiler === undefined)('C kernels against ONNX Runtime (skipped where there is no C compiler)', () => {
  it.each(families)('%s, at random shapes, strides and padding', async (name, make, steps) => {
    const cases = Array.from({ length: 12 }, (_, k) => makeCase(createRandom(`${name}/${k}`), make(createRandom(`shape/${name}/${k}`))));
    const results = driver!.run(cases);
    let [equal, all] = [0, 0];
    for (const [k, each] of cases.entries()) {
      const expected = await reference(each);
      expect(results[k].length).toBe(expected.length);
      results[k].forEach((value, at) => {
        const off = Math.abs(value - expected[at]) / each.step;
        expect(off, `case ${k}, element ${at}: ${value} and not ${expected[at]}`).toBeLessThan(steps + 1e-3);
        if (off < 1e-3) equal++;
        all++;
      });
    }
    // Only ties may fall on the other side.
    expect(equal / all).toBeGreaterThan(0.985);
  });

  it('every operator with a row is among them', () => {
    const rows = Object.entries(microOperators).flatMap(([name, row]) => ('absent' in row ? [] : [name]));
    const tried = new Set(families.map(([name, make]) => make(createRandom(name)).op));
    // Swish is newer than the opset of these models, and is x · Sigmoid(x).
    expect(rows.filter((name) => !tried.has(name))).toEqual(['Swish']);
  });

  it('Conv gives the very bytes of ONNX Runtime’s integer kernels', async () => {
    const cases = Array.from({ length: 12 }, (_, k) => makeCase(createRandom(`integer/${k}`), conv(createRandom(`integer shape/${k}`))));
    const results = driver!.run(cases);
    for (const [k, each] of cases.entries()) expect(results[k]).toEqual(await reference(each, 'all'));
  });

  it.skipIf(careful === undefined)('no kernel reads or writes beyond its operands, or leaves the range of its types (sanitizers; skipped where the compiler has none)', () => {
    const cases = families.flatMap(([name, make]) => Array.from({ length: 6 }, (_, k) => makeCase(createRandom(`${name}/${k}`), make(createRandom(`shape/${name}/${k}`)))));
    expect(careful!.run(cases)).toEqual(driver!.run(cases));
  });
});
