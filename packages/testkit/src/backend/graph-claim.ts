import type { NamedTensors } from '@coppice/core';
import { graphOf, makeInitializer, makeModel, makeNode, makeValueInfo, type DataType, type Model, type NodeParts, type Tensor, type Values } from '@coppice/graph';
import { must, notRefusing, type Claim, type ClaimFamily } from './claim.ts';
import { firstDifference, ofScale } from './compare.ts';
import { copied } from './copied.ts';
import { expectedOf } from './eager-backend.ts';
import { withExecutable } from './with-executable.ts';

/** `[name, dtype, dims]` of an input or output. */
export type Declared = readonly [name: string, dtype: DataType, dims?: readonly (number | string)[]];
/** `[op, inputs, outputs, attributes]` of a node; one output may be given as a word. */
export type Step = readonly [op: string, inputs: readonly string[], outputs: string | readonly string[], attributes?: NodeParts['attributes']];
/** `[name, dtype, dims, values]` of a constant of the file. */
export type Stated = readonly [name: string, dtype: DataType, dims: readonly number[], values: Values];

/** Nodes in the order of their steps. */
export const nodesOf = (steps: readonly Step[]) =>
  steps.map(([op, inputs, outputs, attributes]) => makeNode({ op, name: `${op} ${String(outputs)}`, inputs, outputs: typeof outputs === 'string' ? [outputs] : outputs, attributes }));

/** A small model of opset 21. */
export const graphModel = (inputs: readonly Declared[], outputs: readonly Declared[], steps: readonly Step[], stated: readonly Stated[] = []): Model => makeModel({
  opset: 21,
  graph: {
    inputs: inputs.map(([name, dtype, dims]) => makeValueInfo(name, dtype, dims)),
    outputs: outputs.map(([name, dtype, dims]) => makeValueInfo(name, dtype, dims)),
    initializers: stated.map((constant) => makeInitializer(...constant)),
    nodes: nodesOf(steps),
  },
});

/** A tensor of float32 from a function of the place. */
export const float32 = (dims: readonly number[], of: (k: number) => number): Tensor => ({ dtype: 'float32', dims, data: Float32Array.from({ length: dims.reduce((p, n) => p * n, 1) }, (_, k) => of(k)) });
/** A vector of int64, or a scalar. */
export const int64 = (values: readonly (number | bigint)[], dims: readonly number[] = [values.length]): Tensor => ({ dtype: 'int64', dims, data: BigInt64Array.from(values, BigInt) });
/** Truth values. */
export const bool = (values: readonly boolean[], dims: readonly number[] = [values.length]): Tensor => ({ dtype: 'bool', dims, data: Uint8Array.from(values, Number) });
/** Numbers of mixed sign without a pattern that a wrong layout would hide in; other ones for another start. */
export const spread = (dims: readonly number[], start = 1): Tensor => float32(dims, (k) => Math.fround(Math.sin(12.9898 * k + start)));

/** The claim that one executable computes what is expected for some inputs, one after the other; where nothing is stated, what the reference says. */
export function claimOfGraph(family: ClaimFamily, title: string, model: Model, runs: readonly { readonly inputs: NamedTensors; readonly expected?: NamedTensors }[]): Claim {
  const reference = expectedOf(model, runs.flatMap(({ inputs, expected }) => (expected ? [] : [inputs])));
  return {
    family, title,
    operators: [...new Set(graphOf(model).node.map(({ opType }) => opType))],
    check: ({ backend, tolerance }) => withExecutable(backend, model, async (executable) => {
      const open = [...await reference()];
      for (const { inputs, expected = open.shift()! } of runs) {
        const difference = firstDifference(expected, await notRefusing(executable.run(copied(inputs)), 'it'), (tensor) => ofScale(tensor, tolerance));
        must(difference === undefined, () => `${title}: ${difference} (given ${describeTensors(inputs)})`);
      }
    }),
  };
}

/** `x float32[2, 3], n int64[]`. */
export const describeTensors = (tensors: NamedTensors): string => Object.entries(tensors).map(([name, { dtype, dims }]) => `${name} ${dtype}[${dims.join(', ')}]`).join(', ');
