import { makeGraph, makeModel, makeNode, makeValueInfo, type Model } from '@coppice/graph';
import { expect, it } from 'vitest';
import { withTrueMetadata } from './state-metadata.ts';

/** The encoder of a streaming model whose states are 24 wide now. */
const encoder = (metadata: Readonly<Record<string, string>>): Model => makeModel({
  opset: 17, metadata,
  graph: makeGraph({
    inputs: [makeValueInfo('x', 'float32', ['N', 'T', 80]), makeValueInfo('h', 'float32', [2, 'N', 24]), makeValueInfo('c', 'float32', [2, 'N', 24])],
    outputs: [makeValueInfo('y', 'float32', ['N', 'T', 80])], nodes: [makeNode({ op: 'Identity', inputs: ['x'], outputs: ['y'] })],
  }),
});
const entries = ({ proto }: Model): Record<string, string> => Object.fromEntries(proto.metadataProps.map(({ key, value }) => [key, value]));
const released = { h: [2, 'N', 24], c: [2, 'N', 24] };

it('sets the sizes of states anew, and says so', () => {
  const notes: string[] = [];
  const model = withTrueMetadata(encoder({ model_type: 'lstm', num_encoder_layers: '2', d_model: '32', rnn_hidden_size: '32', author: 'me' }), released, notes);
  expect(entries(model)).toEqual({ model_type: 'lstm', num_encoder_layers: '2', d_model: '24', rnn_hidden_size: '24', author: 'me' });
  expect(notes).toEqual(['d_model', 'rnn_hidden_size'].map((key) => `The metadata say '${key}' 24 now, and said 32: sherpa-onnx makes the states from it.`));
});

it('leaves what it cannot derive, and says which entry', () => {
  const notes: string[] = [];
  const model = encoder({ model_type: 'lstm', num_encoder_layers: '2', d_model: '32', some_size: '32' });
  expect(withTrueMetadata(model, released, notes)).toBe(model);
  expect(notes).toEqual([expect.stringMatching(/could not be set anew: .*'some_size'/)]);
});

it('touches nothing where no state became narrower, or nothing speaks of sizes', () => {
  const notes: string[] = [];
  const stale = encoder({ model_type: 'lstm', d_model: '32' });
  expect(withTrueMetadata(stale, {}, notes)).toBe(stale);
  expect(entries(withTrueMetadata(encoder({ author: 'me' }), released, notes))).toEqual({ author: 'me' });
  expect(notes).toEqual([]);
});
