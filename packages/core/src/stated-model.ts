import { makeInitializer, makeModel, makeNode, makeValueInfo, type DataType, type NodeParts, type TensorProto } from '@coppice/graph';
import { findUnits, type UnitOptions, type Units } from './analysis/units.ts';
import type { NamedTensors } from './backend.ts';
import { flattenModel } from './program.ts';
import type { Trace } from './trace.ts';

/** Shapes of a value in the two runs of a trace. */
export type TwoShapes = readonly [readonly number[], readonly number[]];

/** The trace of a model `x → y` whose shapes a test states, so that no runtime is needed. */
export function statedTrace(nodes: readonly NodeParts[], initializers: readonly TensorProto[], shapes: Readonly<Record<string, TwoShapes>>, dtype: DataType = 'float32'): Trace {
  const model = makeModel({
    opset: 17,
    graph: { inputs: [makeValueInfo('x', dtype, shapes.x[0].map((n, a) => (n === shapes.x[1][a] ? n : `d${a}`)))], outputs: [makeValueInfo('y', dtype)], nodes: nodes.map(makeNode), initializers },
  });
  const program = flattenModel(model);
  const run = (r: 0 | 1) => ({ inputs: { x: { dtype: 'float32', dims: [], data: Float32Array.of(r) } } satisfies NamedTensors, shapes: program.values.map(({ name, tensor }) => tensor?.dims.map(Number) ?? shapes[name]?.[r]) });
  const constants = new Map(program.values.flatMap(({ id, tensor }) => {
    if (!tensor || tensor.dataType !== 7) return [];
    const values = Array.from(new BigInt64Array(tensor.rawData!.slice().buffer), Number);
    return [[id, { dtype: 'int64', dims: tensor.dims.map(Number), values }] as const];
  }));
  return { program, runs: [run(0), run(1)], constants, notes: [], sizes: [{}, {}] };
}

/** The units of such a model. */
export const statedUnits = (nodes: readonly NodeParts[], initializers: readonly TensorProto[], shapes: Readonly<Record<string, TwoShapes>>, dtype: DataType = 'float32', options: UnitOptions = {}): Units =>
  findUnits(statedTrace(nodes, initializers, shapes, dtype), options);

/** A weight whose elements count up from 0. */
export const countingWeight = (name: string, dims: readonly number[], dtype: DataType = 'float32'): TensorProto => {
  const length = dims.reduce((p, n) => p * n, 1);
  return makeInitializer(name, dtype, dims, Float32Array.from({ length }, (_, k) => k));
};
