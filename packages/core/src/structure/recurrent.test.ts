import { expect, it } from 'vitest';
import { axesOf, signatureOf } from './made-up-node.ts';

it('gives each direction of a bidirectional GRU units of its own', () => {
  const gru = signatureOf('GRU', [[50, 2, 64], [2, 288, 64], [2, 288, 96], [2, 576]], [[50, 2, 2, 96], [2, 2, 96]], { attributes: { hidden_size: 96 } });
  expect(gru.axes).toBe('T B i, D (G h@D) i, D (G h@D) h@D, D (G2 h@D) -> T D B h@D, D B h@D');
  expect(gru.restates).toEqual([{ attribute: 'hidden_size', is: 'h' }]);
  expect(gru.macs).toBe('T B D G h i + T B D G h h');
});

it('knows states, peepholes and results that nobody reads', () => {
  expect(axesOf('LSTM', [[5, 2, 6], [1, 16, 6], [1, 16, 4], undefined, [2], [1, 2, 4], [1, 2, 4], [1, 12]], [undefined, [1, 2, 4], [1, 2, 4]]))
    .toBe('T B i, D (G h@D) i, D (G h@D) h@D, ., B, D B h@D, D B h@D, D (P h@D) -> ., D B h@D, D B h@D');
});

it('puts the batch first when the layout says so', () => {
  expect(axesOf('RNN', [[2, 5, 6], [1, 4, 6], [1, 4, 4]], [[2, 5, 1, 4]], { attributes: { layout: 1 } })).toBe('B T i, D (G h@D) i, D (G h@D) h@D -> B T D h@D');
});

it('reads transposed int8 weights with a scale for each direction or column', () => {
  const dynamic = (scale: number[]) => axesOf('DynamicQuantizeLSTM', [[5, 2, 6], [2, 6, 16], [2, 4, 16], [2, 32], undefined, undefined, undefined, undefined, scale, scale, [2], [2]], [[5, 2, 2, 4]], { domain: 'com.microsoft' });
  expect(dynamic([2])).toBe('T B i, D i (G h@D), D h@D (G h@D), D (G2 h@D), ., ., ., ., D, D, D, D -> T D B h@D');
  expect(dynamic([2, 16])).toBe('T B i, D i (G h@D), D h@D (G h@D), D (G2 h@D), ., ., ., ., D (G h@D), D (G h@D), D, D -> T D B h@D');
});
