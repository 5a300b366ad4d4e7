import { contribOperators, type ContribAttributes, type ContribOperatorName } from '@coppice/graph';
import { numbers, permuted } from '../host/array.ts';
import { dequantise, quantise, rangeOf } from '../host/quantise.ts';
import { lstmCell, recurrentHost, type Cell } from '../host/recurrent.ts';
import { lowered, refused, type ContribRow, type HostCall } from '../row.ts';
import type { Host } from '../value.ts';

/** A tensor as 8 bits leave it: scale and zero point fit its own range. */
function rounded(x: Host): Host {
  const data = x.data as Float32Array;
  const { scale, zero } = rangeOf(data.reduce((a, b) => Math.min(a, b), 0), data.reduce((a, b) => Math.max(a, b), 0));
  if (scale === 0) return x;
  const [s, z]: [Host, Host] = [{ dtype: 'float32', dims: [], data: Float32Array.of(scale) }, { dtype: 'uint8', dims: [], data: Uint8Array.of(zero) }];
  return dequantise(quantise(x, s, z, 0, 0, 'uint8'), s, z, 0, 0, 'float32');
}

/** Weights [direction, input, gates·hidden] of 8 bits as floats [direction, gates·hidden, input]; one scale for a direction, or one for each column. */
function weights(w: Host, scale: Host, zero: Host): Host {
  const [directions, , columns] = w.dims;
  const each = scale.data.length / directions;
  const [scales, zeros] = [numbers(scale), numbers(zero)];
  const entry = (d: number, column: number): number => d * each + (each === 1 ? 0 : column);
  const data = Float32Array.from(w.data as Int8Array, (x, k) => {
    const e = entry(Math.floor(k / (w.data.length / directions)), k % columns);
    return (x - zeros[e]) * scales[e];
  });
  return permuted({ dtype: 'float32', dims: w.dims, data }, [0, 2, 1]);
}

/** An LSTM that rounds what it multiplies to 8 bits: all inputs at once, and the state of each sequence at each step. */
function quantisedLstm({ inputs: [x, w, r, b, lengths, h0, c0, p, scaleW, zeroW, scaleR, zeroR], attributes }: HostCall<ContribAttributes<'DynamicQuantizeLSTM'>>): Host[] {
  const cell: Cell = {
    ...lstmCell,
    step(sums, [h, c], settings) {
      const seen = rounded({ dtype: 'float32', dims: [h.length], data: Float32Array.from(h) }).data as Float32Array;
      return lstmCell.step({ ...sums, state: (gate, unit) => sums.state(gate, unit, seen) }, [h, c], settings);
    },
  };
  return recurrentHost(cell, [rounded(x), weights(w, scaleW, zeroW), weights(r, scaleR, zeroR), b, lengths, h0, c0, p], { ...attributes, layout: 0 });
}

const later = refused("it is one of ONNX Runtime's own operators; export the model without its optimiser");

/** Operators of ONNX Runtime's own domain that are computed, or that `lowerComposites` of graph says in standard ones. */
const rows: { readonly [N in ContribOperatorName]?: ContribRow<N> } = {
  DynamicQuantizeLSTM: { host: quantisedLstm },
  BiasGelu: lowered,
  FastGelu: lowered,
  FusedConv: lowered,
  FusedGemm: lowered,
  Gelu: lowered,
  QuickGelu: lowered,
  SimplifiedLayerNormalization: lowered,
  SkipLayerNormalization: lowered,
  SkipSimplifiedLayerNormalization: lowered,
  Trilu: lowered,
};

export const contribRows = Object.fromEntries(Object.keys(contribOperators).map((name) => [name, rows[name as ContribOperatorName] ?? later])) as unknown as { readonly [N in ContribOperatorName]: ContribRow<N> };
