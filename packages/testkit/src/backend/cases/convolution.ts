import { below, floats, positive, reals, type OperatorCase } from '../operator-case.ts';

export const convolution: readonly OperatorCase[] = [
  { op: 'Conv', title: 'along time', operands: (n) => [reals(2, 3, n), reals(4, 3, 3), reals(4)] },
  { op: 'Conv', title: 'with many channels that no block divides', operands: (n) => [reals(1, 19, 3 * n), reals(23, 19, 5), reals(23)], attributes: { pads: [2, 2] } },
  { op: 'Conv', title: 'pads in front only, as causal layers do', operands: (n) => [reals(2, 3, n), reals(4, 3, 3)], attributes: { pads: [2, 0] } },
  { op: 'Conv', title: 'pads each of four sides differently', operands: (n) => [reals(1, 2, n, 6), reals(3, 2, 3, 2)], attributes: { pads: [2, 0, 1, 3] } },
  { op: 'Conv', title: 'with strides', operands: (n) => [reals(2, 2, n + 3, 9), reals(3, 2, 3, 3), reals(3)], attributes: { strides: [2, 3], pads: [1, 1, 1, 1] } },
  { op: 'Conv', title: 'with dilations', operands: (n) => [reals(2, 2, n + 4, 9), reals(3, 2, 3, 3)], attributes: { dilations: [2, 3], pads: [1, 2, 0, 3] } },
  { op: 'Conv', title: 'with strides and dilations', operands: (n) => [reals(1, 2, n + 6), reals(3, 2, 3)], attributes: { strides: [2], dilations: [3], pads: [1, 2] } },
  { op: 'Conv', title: 'in groups', operands: (n) => [reals(2, 6, n), reals(4, 3, 3), reals(4)], attributes: { group: 2 } },
  { op: 'Conv', title: 'in groups in two dimensions with strides', operands: (n) => [reals(1, 6, n + 2, 7), reals(9, 2, 3, 2)], attributes: { group: 3, strides: [2, 1], pads: [0, 1, 1, 0] } },
  { op: 'Conv', title: 'for each channel', operands: (n) => [reals(2, 4, n), reals(4, 1, 3), reals(4)], attributes: { group: 4, pads: [1, 1] } },
  { op: 'Conv', title: 'for each channel with a multiplier', operands: (n) => [reals(2, 3, n, 5), reals(6, 1, 3, 3), reals(6)], attributes: { group: 3, pads: [0, 2, 1, 0] } },
  { op: 'Conv', title: 'for each channel with strides and dilations', operands: (n) => [reals(1, 3, n + 6), reals(3, 1, 3)], attributes: { group: 3, strides: [2], dilations: [2], pads: [3, 1] } },
  { op: 'Conv', title: 'in three dimensions', operands: (n) => [reals(1, 2, n, 4, 3), reals(3, 2, 2, 3, 2)], attributes: { pads: [1, 0, 0, 0, 1, 1] } },
  { op: 'Conv', title: 'as wide as before, the odd pad at the end', operands: (n) => [reals(1, 2, n), reals(3, 2, 4)], attributes: { auto_pad: 'SAME_UPPER' } },
  { op: 'Conv', title: 'as wide as before, the odd pad in front', operands: (n) => [reals(1, 2, n), reals(3, 2, 4)], attributes: { auto_pad: 'SAME_LOWER' } },
  { op: 'Conv', title: 'as wide as its stride says', operands: (n) => [reals(1, 2, n, 7), reals(3, 2, 3, 2)], attributes: { auto_pad: 'SAME_UPPER', strides: [2, 2] } },
  { op: 'Conv', title: 'by weights that are computed', operands: (n) => [reals(2, 3, n), reals(4, 3, 3)], stated: [], attributes: { pads: [1, 1] } },
  { op: 'Conv', title: 'of one tap', operands: (n) => [reals(2, 3, n), reals(4, 3, 1), reals(4)] },

  { op: 'ConvTranspose', title: 'with a stride', operands: (n) => [reals(2, 3, n), reals(3, 4, 3), reals(4)], attributes: { strides: [2] } },
  { op: 'ConvTranspose', title: 'cuts its two sides differently', operands: (n) => [reals(1, 2, n, 4), reals(2, 3, 3, 4)], attributes: { strides: [2, 1], pads: [2, 0, 1, 1] } },
  { op: 'ConvTranspose', title: 'with output padding', operands: (n) => [reals(1, 3, n), reals(3, 2, 3)], attributes: { strides: [3], output_padding: [2], pads: [1, 1] } },
  { op: 'ConvTranspose', title: 'in groups', operands: (n) => [reals(1, 4, n), reals(4, 3, 3), reals(6)], attributes: { group: 2, strides: [2] } },
  { op: 'ConvTranspose', title: 'with dilations', operands: (n) => [reals(1, 2, n), reals(2, 3, 3)], attributes: { dilations: [2] } },

  { op: 'MaxPool', title: 'pads its two sides differently', operands: (n) => [reals(2, 3, n)], attributes: { kernel_shape: [3], strides: [2], pads: [2, 1] } },
  { op: 'MaxPool', title: 'of negative numbers never takes the padding', operands: () => [floats([-5, -3, -4, -2, -7, -6], [1, 1, 6])], attributes: { kernel_shape: [3], pads: [1, 1] } },
  { op: 'MaxPool', title: 'with a last window that is not full', operands: (n) => [reals(1, 2, n, 7)], attributes: { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 } },
  { op: 'MaxPool', title: 'with dilations', operands: (n) => [reals(1, 2, n + 3)], attributes: { kernel_shape: [3], dilations: [2] } },
  { op: 'AveragePool', title: 'leaves padding out of the mean', operands: (n) => [reals(2, 3, n)], attributes: { kernel_shape: [3], pads: [1, 2] } },
  { op: 'AveragePool', title: 'counts padding', operands: (n) => [reals(2, 3, n, 5)], attributes: { kernel_shape: [3, 2], pads: [1, 0, 0, 1], count_include_pad: 1, strides: [2, 1] } },
  { op: 'AveragePool', title: 'with a last window that is not full', operands: (n) => [reals(1, 2, n, 7)], attributes: { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 } },
  { op: 'LpPool', title: 'of order two', operands: (n) => [reals(2, 3, n)], attributes: { kernel_shape: [2], p: 2 } },
  { op: 'GlobalAveragePool', title: 'over all places', operands: (n) => [reals(2, 3, n, 4)] },
  { op: 'GlobalMaxPool', title: 'over all places', operands: (n) => [reals(2, 3, n)] },
  { op: 'GlobalLpPool', title: 'over all places', operands: (n) => [reals(2, 3, n)] },
];

export const quantisation: readonly OperatorCase[] = [
  { op: 'DequantizeLinear', title: 'with one scale', operands: (n) => [below(100, n, 3), floats([0.05], []), () => ({ shape: [], type: 'int', data: Float64Array.of(7) })], types: { 0: 'int32', 2: 'int32' }, stated: [1], resultType: 'float32' },
  { op: 'DequantizeLinear', title: 'with a scale for each channel', operands: (n) => [below(100, n, 3), positive(3)], types: { 0: 'int32' }, attributes: { axis: 1 }, resultType: 'float32' },
];
