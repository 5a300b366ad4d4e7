import type { Dims, Sample } from '../row-check.ts';

const conv = (channels: number, weight: readonly number[], bias: number, group = 1): Sample =>
  ({ op: 'Conv', attributes: { pads: [1, 1], group }, inputs: [['batch', channels, 'time'], { weight }, { weight: [bias] }] });
const sequence: Dims = ['time', 'batch', 5];

/** What multiplies and sums, recurrent layers and attention included. */
export const contractionSamples: readonly Sample[] = [
  conv(4, [5, 4, 3], 5), conv(6, [8, 3, 3], 8, 2), conv(4, [4, 1, 3], 4, 4), conv(4, [8, 1, 3], 8, 4), conv(6, [2, 3, 3], 2, 2),
  { op: 'Conv', inputs: [['batch', 4, 6, 'time'], { weight: [5, 4, 3, 1] }] },
  ...([[4, [4, 5, 3], 1], [6, [6, 4, 3], 2], [4, [4, 1, 3], 4], [4, [4, 2, 3], 4], [6, [6, 1, 3], 3]] as const).map(([channels, weight, group]): Sample =>
    ({ op: 'ConvTranspose', attributes: { strides: [2], group }, inputs: [['batch', channels, 'time'], { weight }] })),
  { op: 'MatMul', inputs: [['batch', 'time', 4], { weight: [4, 5] }] },
  { op: 'MatMul', inputs: [{ weight: [5, 4] }, ['batch', 4, 'time']] },
  { op: 'MatMul', inputs: [['batch', 3, 'time', 4], { weight: [3, 4, 5] }] },
  { op: 'MatMul', inputs: [['batch', 'time', 4], { weight: [4] }] },
  { op: 'MatMul', inputs: [['batch', 3, 'time', 4], ['batch', 3, 4, 5]] },
  { op: 'Gemm', inputs: [['batch', 4], { weight: [4, 5] }, { weight: [5] }] },
  { op: 'Gemm', attributes: { transB: 1, alpha: 0.5 }, inputs: [['batch', 4], { weight: [5, 4] }, { weight: [1, 5] }] },
  { op: 'Gemm', attributes: { transA: 1, transB: 1 }, inputs: [[4, 'batch'], { weight: [5, 4] }, { weight: [1] }] },
  { op: 'Einsum', attributes: { equation: 'bthc,hcd->bthd' }, inputs: [['batch', 'time', 3, 4], { weight: [3, 4, 5] }] },
  { op: 'Einsum', attributes: { equation: '...c,dc' }, inputs: [['batch', 'time', 4], { weight: [5, 4] }] },
  ...(['LSTM', 'GRU', 'RNN'] as const).flatMap((op) => {
    const gates = { LSTM: 4, GRU: 3, RNN: 1 }[op];
    const states: Sample['inputs'] = op === 'LSTM' ? [['directions', 'batch', 4], ['directions', 'batch', 4]] : [['directions', 'batch', 4]];
    return [1, 2].map((d): Sample => ({
      op,
      attributes: { hidden_size: 4, direction: d === 2 ? 'bidirectional' : 'reverse', ...(op === 'GRU' ? { linear_before_reset: d - 1 } : {}) },
      inputs: [
        sequence, { weight: [d, gates * 4, 5] }, { weight: [d, gates * 4, 4] }, { weight: [d, 2 * gates * 4] }, undefined,
        ...states.map((dims) => (dims as Dims).with(0, d)), ...(op === 'LSTM' ? [{ weight: [d, 12] }] : []),
      ],
      outputs: op === 'LSTM' ? ['float32', 'float32', 'float32'] : ['float32', 'float32'],
    }));
  }),
  { op: 'Attention', opset: 23, inputs: [['batch', 3, 'time', 4], ['batch', 3, 'time', 4], ['batch', 3, 'time', 5]] },
  { op: 'Attention', opset: 23, inputs: [['batch', 6, 'time', 4], ['batch', 3, 'time', 4], ['batch', 3, 'time', 5]] },
  { op: 'Attention', opset: 23, attributes: { q_num_heads: 6, kv_num_heads: 3 }, inputs: [['batch', 'time', 24], ['batch', 'time', 12], ['batch', 'time', 15]] },
  { op: 'Attention', opset: 23, attributes: { q_num_heads: 3, kv_num_heads: 3, scale: 0.3 }, inputs: [['batch', 'time', 12], ['batch', 'time', 12], ['batch', 'time', 15]] },
  { op: 'RotaryEmbedding', opset: 23, inputs: [['batch', 3, 'time', 8], ['batch', 'time', 4], ['batch', 'time', 4]] },
];
