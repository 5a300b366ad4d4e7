import { graphOf, makeInitializer, makeModel, makeNode, makeValueInfo, readTensor, type Model } from '@coppice/graph';
import { buildReferenceModel } from '@coppice/speech';
import { describe, expect, it } from 'vitest';
import { freshWeights } from './fresh-weights.ts';
import { withWeights } from './weights.ts';

const numbersOf = (model: Model): Map<string, number[]> =>
  new Map(graphOf(model).initializer.filter(({ dataType }) => dataType === 1).map((tensor) => [tensor.name, Array.from(readTensor(model, tensor).data as Float32Array)]));
/** What begins as zeros and ones instead of small random numbers. */
const begun = (name: string): boolean => name.startsWith('bn') || name === 'dense.bias';
const spread = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
const fresh = (model: Model, seed: number): Map<string, number[]> => numbersOf(withWeights(model, freshWeights(model, seed)));

describe('freshWeights', () => {
  for (const rnn of ['gru', 'lstm'] as const) {
    const model = buildReferenceModel({ seed: 5, rnn, channels: [6, 7], hidden: 12, layers: 2, tokens: 9 });

    it(`draws every weight of the reference model with ${rnn} as it was drawn first, and nothing of it stays`, () => {
      const [before, after] = [numbersOf(model), fresh(model, 1)];
      expect([...after.keys()]).toEqual([...before.keys()]);
      for (const [name, numbers] of after) {
        expect(numbers, name).not.toEqual(before.get(name));
        if (!begun(name)) expect(Math.abs(Math.log(spread(numbers) / spread(before.get(name)!))), name).toBeLessThan(0.4);
      }
      expect(numbersOf(model)).toEqual(before);
    });

    it(`gives the reference model with ${rnn} its own first numbers for its own seed, but for batch norms and the added bias`, () => {
      const [before, after] = [numbersOf(model), fresh(model, 5)];
      for (const [name, numbers] of after) if (!begun(name)) expect(numbers, name).toEqual(before.get(name));
      expect(after.get('bn1.scale')).toEqual(Array(6).fill(1));
      expect(after.get('bn1.mean')).toEqual(Array(6).fill(0));
      expect(after.get('dense.bias')).toEqual(Array(9).fill(0));
      expect(after.get('bn1.variance')).toEqual(Array(6).fill(1));
    });
  }

  it('gives the same numbers for the same seed and others for another', () => {
    const model = buildReferenceModel({ channels: [3], hidden: 4, layers: 1 });
    expect(fresh(model, 3)).toEqual(fresh(model, 3));
    expect(fresh(model, 4).get('rnn1.W')).not.toEqual(fresh(model, 3).get('rnn1.W'));
  });

  it('refuses a weight without a rule, by its name and its reader', () => {
    const table = (op: string, dims: number[]): Model => makeModel({ opset: 17, graph: {
      inputs: [makeValueInfo('x', 'float32', [2, 3])], outputs: [makeValueInfo('y', 'float32', undefined)],
      nodes: [makeNode({ op, name: 'reader', inputs: ['x', 'table'], outputs: ['y'] })],
      initializers: [makeInitializer('table', 'float32', dims, Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 2))],
    } });
    expect(() => freshWeights(table('Mul', [3]), 0)).toThrow(/'table' cannot be drawn anew.*input 2 of Mul 'reader'/);
    expect(() => freshWeights(table('Add', [2, 3]), 0)).toThrow(expect.objectContaining({ code: 'COPPICE_UNSUPPORTED_OP' }));
    expect(freshWeights(table('Add', [3]), 0).table.data).toEqual(new Float32Array(3));
    expect(freshWeights(table('Pow', []), 0)).toEqual({});
  });
});
