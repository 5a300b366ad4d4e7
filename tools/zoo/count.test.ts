import { existsSync, readdirSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { wasmBackend } from '@coppice/backend-onnx';
import { costOf, cutModel, findUnits, planCut, traceModel, type PreparedTrace } from '@coppice/core';
import { attributeOf, attributeValue, graphOf, type Model, type NodeProto } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { buildReferenceModel } from '@coppice/speech';
import { generateModel } from '../models/generate.ts';

type Shape = readonly number[];
const product = (shape: Shape) => shape.reduce((p, n) => p * n, 1);
const integer = (node: NodeProto, name: string, otherwise: number) => {
  const attribute = attributeOf(node, name);
  return attribute === undefined ? otherwise : Number(attributeValue(attribute));
};

/** Multiply–accumulates of one node from the shapes around it, as textbooks count them; knows nothing of signatures. */
const byHand: Record<string, (node: NodeProto, inputs: readonly Shape[], outputs: readonly Shape[]) => number> = {
  Conv: (_, [, w], [y]) => product(y) * product(w.slice(1)),
  ConvTranspose: (_, [x, w]) => product(x) * product(w.slice(1)),
  MatMul: (_, [a], [y]) => product(y) * a.at(-1)!,
  MatMulInteger: (_, [a], [y]) => product(y) * a.at(-1)!,
  Gemm: (node, [a], [y]) => product(y) * a[integer(node, 'transA', 0) ? 0 : 1],
  LSTM: (_, [x, w, r]) => x[0] * x[1] * (product(w) + product(r)),
  GRU: (_, [x, w, r]) => x[0] * x[1] * (product(w) + product(r)),
  DynamicQuantizeLSTM: (_, [x, w, r]) => x[0] * x[1] * (product(w) + product(r)),
  // Scores and weighted values, for each query head.
  Attention: (_, [q, k, v]) => product(q) * k[2] + product(q.slice(0, 3)) * v[2] * v[3],
};

function countByHand({ program, runs }: PreparedTrace): number {
  const shape = (id: number) => (id < 0 ? [] : (runs[0].shapes[id] ?? program.values[id].tensor!.dims.map(Number)));
  return program.steps.reduce((sum, { proto, inputs, outputs }) => sum + (byHand[proto.opType]?.(proto, inputs.map(shape), outputs.map(shape)) ?? 0), 0);
}

const countParameters = (model: Model) => graphOf(model).initializer.filter((t) => [1, 2, 3, 10, 11].includes(t.dataType)).reduce((sum, t) => sum + product(t.dims.map(Number)), 0);

const backend = wasmBackend();

describe('MACs and parameters', () => {
  const models: [string, () => Model][] = [
    ['the reference model with GRU', () => buildReferenceModel({ channels: [7, 9], hidden: 10, layers: 2 })],
    ['the reference model with LSTM', () => buildReferenceModel({ rnn: 'lstm', channels: [5, 6], hidden: 8, layers: 3 })],
    ['a transformer', () => generateModel({ kind: 'transformer', parameters: 4e5, seed: 3 })],
  ];
  for (const [name, build] of models) {
    it(`agree with a count by hand for ${name}, before and after a cut`, async () => {
      const model = build();
      const trace = await traceModel(model, backend);
      const units = findUnits(trace);
      expect(costOf(units)).toMatchObject({ macs: countByHand(trace), params: countParameters(model) });
      const plan = planCut(units, units.units.map((_, k) => (k * 7919) % 101), { macs: 0.4, ranking: 'global' });
      const slim = cutModel(units, plan.removed);
      const again = await traceModel(slim, backend, { inputs: [trace.runs[0].inputs, trace.runs[1].inputs] });
      expect(plan.after.macs).toBe(countByHand(again));
    });
  }

  const zoo = new URL('../../../shared/zoo', import.meta.url).pathname;
  describe.skipIf(!existsSync(zoo))('on real exports (needs ../shared/zoo beside the repository)', () => {
    const files = existsSync(zoo) ? readdirSync(zoo).filter((f) => f.endsWith('.onnx')) : [];
    let traced: [string, PreparedTrace][] = [];
    beforeAll(async () => {
      traced = [];
      for (const file of files) traced.push([file, await traceModel(readModel(`${zoo}/${file}`), backend)]);
    }, 120_000);

    it('agree with a count by hand', () => {
      const differing = traced.filter(([, trace]) => costOf(findUnits(trace)).macs !== countByHand(trace)).map(([file, trace]) => `${file}: ${costOf(findUnits(trace)).macs} against ${countByHand(trace)}`);
      expect(differing).toEqual([]);
    });
  });
});
