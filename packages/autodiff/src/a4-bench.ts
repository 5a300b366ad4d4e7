import { nativeBackend, wasmBackend } from '@coppice/backend-onnx';
import { makeModel, makeValueInfo, makeInitializer } from '@coppice/graph';
import { GraphEmit } from './graph-emit.ts';
import { freshNames } from '../../graph/src/index.ts';
import type { Value } from './emit.ts';

const shape = [16, 32, 20, 100];
const C = shape[1], n = shape[0] * shape[2] * shape[3];
const variants: Record<string, (e: GraphEmit, v: Record<string, Value>) => Value[]> = {
  elementwise(e, { X, dY, scale, mean, variance }) {
    const col = (v: Value) => e.unsqueeze(v, [1, 2]);
    const inv = e.op('Reciprocal', [e.op('Sqrt', [e.add(variance, 1e-5)])]);
    const centred = e.sub(X, col(mean));
    const total = e.reduceSum(dY, [0, 2, 3]);
    const p = e.reduceSum(e.mul(dY, centred), [0, 2, 3]);
    const a = e.mul(scale, inv);
    const k = e.mul(a, e.mul(e.mul(inv, inv), e.div(p, n)));
    const dX = e.sub(e.sub(e.mul(dY, col(a)), col(e.mul(a, e.div(total, n)))), e.mul(centred, col(k)));
    return [dX, e.mul(inv, p), total];
  },
  bn(e, { X, dY, scale, mean, variance }) {
    const col = (v: Value) => e.unsqueeze(v, [1, 2]);
    const inv = e.op('Reciprocal', [e.op('Sqrt', [e.add(variance, 1e-5)])]);
    const centred = e.sub(X, col(mean));
    const total = e.reduceSum(dY, [0, 2, 3]);
    const p = e.reduceSum(e.mul(dY, centred), [0, 2, 3]);
    const a = e.mul(scale, inv);
    const k = e.mul(a, e.mul(e.mul(inv, inv), e.div(p, n)));
    const zero = e.expand(e.scalar(0), [C]), one = e.expand(e.scalar(1), [C]);
    const g = e.op('BatchNormalization', [dY, a, e.neg(e.mul(a, e.div(total, n))), zero, one], { epsilon: 0 });
    const h = e.op('BatchNormalization', [X, k, zero, mean, one], { epsilon: 0 });
    return [e.sub(g, h), e.mul(inv, p), total];
  },
  bnNoCentre(e, { X, dY, scale, mean, variance }) {
    const inv = e.op('Reciprocal', [e.op('Sqrt', [e.add(variance, 1e-5)])]);
    const total = e.reduceSum(dY, [0, 2, 3]);
    const zero = e.expand(e.scalar(0), [C]), one = e.expand(e.scalar(1), [C]);
    const centred = e.op('BatchNormalization', [X, one, zero, mean, one], { epsilon: 0 });
    const p = e.reduceSum(e.mul(dY, centred), [0, 2, 3]);
    const a = e.mul(scale, inv);
    const k = e.mul(a, e.mul(e.mul(inv, inv), e.div(p, n)));
    const g = e.op('BatchNormalization', [dY, a, e.neg(e.mul(a, e.div(total, n))), zero, one], { epsilon: 0 });
    const h = e.op('BatchNormalization', [X, k, zero, mean, one], { epsilon: 0 });
    return [e.sub(g, h), e.mul(inv, p), total];
  },
  old(e, { X, dY, scale }) {
    const col = (v: Value) => e.unsqueeze(v, [1, 2]);
    const centred = e.sub(X, e.reduce('ReduceMean', X, [0, 2, 3], true));
    const variance = e.reduce('ReduceMean', e.mul(centred, centred), [0, 2, 3], true);
    const inv = e.reshape(e.op('Reciprocal', [e.op('Sqrt', [e.add(variance, 1e-5)])]), [-1]);
    const total = e.reduceSum(dY, [0, 2, 3]);
    const p = e.reduceSum(e.mul(dY, centred), [0, 2, 3]);
    const a = e.mul(scale, inv);
    const k = e.mul(a, e.mul(e.mul(inv, inv), e.div(p, n)));
    const dX = e.sub(e.sub(e.mul(dY, col(a)), col(e.mul(a, e.div(total, n)))), e.mul(centred, col(k)));
    return [dX, e.mul(inv, p), total];
  },
  flatRows(e, { X, dY, scale, mean, variance }) {
    // reductions over [N, C, HW] in two steps
    const three = (v: Value) => e.reshape(v, [0, 0, -1]);
    const sum = (v: Value) => e.reduceSum(e.reduceSum(v, [2]), [0]);
    const col = (v: Value) => e.unsqueeze(v, [1]);
    const inv = e.op('Reciprocal', [e.op('Sqrt', [e.add(variance, 1e-5)])]);
    const x3 = three(X), d3 = three(dY);
    const centred = e.sub(x3, col(mean));
    const total = sum(d3);
    const p = sum(e.mul(d3, centred));
    const a = e.mul(scale, inv);
    const k = e.mul(a, e.mul(e.mul(inv, inv), e.div(p, n)));
    const dX = e.sub(e.sub(e.mul(d3, col(a)), col(e.mul(a, e.div(total, n)))), e.mul(centred, col(k)));
    return [e.reshape(dX, shape), e.mul(inv, p), total];
  },
  matmulP(e, { X, dY, scale, mean, variance }) {
    // p = Σ dY·X − mean·Σ dY by MatMul rows: [N·C,1,HW]x[N·C,HW,1]
    const rows = (v: Value) => e.reshape(v, [shape[0] * C, 1, -1]);
    const cols = (v: Value) => e.reshape(v, [shape[0] * C, -1, 1]);
    const col = (v: Value) => e.unsqueeze(v, [1, 2]);
    const inv = e.op('Reciprocal', [e.op('Sqrt', [e.add(variance, 1e-5)])]);
    const centred = e.sub(X, col(mean));
    const total = e.reduceSum(dY, [0, 2, 3]);
    const p = e.reduceSum(e.reshape(e.matMul(rows(dY), cols(centred)), [shape[0], C]), [0]);
    const a = e.mul(scale, inv);
    const k = e.mul(a, e.mul(e.mul(inv, inv), e.div(p, n)));
    const zero = e.expand(e.scalar(0), [C]), one = e.expand(e.scalar(1), [C]);
    const g = e.op('BatchNormalization', [dY, a, e.neg(e.mul(a, e.div(total, n))), zero, one], { epsilon: 0 });
    return [e.sub(g, e.mul(centred, col(k))), e.mul(inv, p), total];
  },
};
for (const backend of [nativeBackend({ threads: 1 } as never), wasmBackend()]) for (const [name, make] of Object.entries(variants)) {
  const e = new GraphEmit(freshNames(new Set(['X', 'dY', 'scale', 'mean', 'variance'])));
  const v = Object.fromEntries(['X', 'dY', 'scale', 'mean', 'variance'].map((x) => [x, { name: x }]));
  const outs = make(e, v);
  const graph = makeModel({ opset: 21, graph: { inputs: [makeValueInfo('X', 'float32', shape), makeValueInfo('dY', 'float32', shape), ...['scale', 'mean', 'variance'].map((x) => makeValueInfo(x, 'float32', [C]))], outputs: outs.map((o) => makeValueInfo(o.name, 'float32')), nodes: e.nodes, initializers: [...e.initializers] } });
  const ex = await backend.compile(graph);
  const rnd = (d: number[]) => ({ dtype: 'float32' as const, dims: d, data: Float32Array.from({ length: d.reduce((a, b) => a * b) }, (_, k) => 1 + Math.abs(Math.sin(k * 12.98))) });
  const feeds = { X: rnd(shape), dY: rnd(shape), scale: rnd([C]), mean: rnd([C]), variance: rnd([C]) };
  const first = await ex.run(feeds);
  let best = Infinity;
  for (let r = 0; r < 60; r++) { const t = performance.now(); await ex.run(feeds); best = Math.min(best, performance.now() - t); }
  console.log(backend.name, name, best.toFixed(2), 'ms', Array.from(first[outs[0].name].data as Float32Array).slice(0, 3).map((x) => x.toFixed(5)).join(' '), (first[outs[1].name].data as Float32Array)[1]);
  await ex.dispose();
}
