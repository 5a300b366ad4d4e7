import { describe, expect, it } from 'vitest';
import { checkModel, encodeModel, graphOf, type Model } from '../../packages/graph/src/index.ts';
import { countReferenceParameters } from '../../packages/speech/src/index.ts';
import { crnnSizes, generateModel, transformerSizes } from './generate.ts';
import { countTransformerParameters } from './transformer.ts';

const floats = (model: Model): number => graphOf(model).initializer.filter(({ dataType }) => dataType === 1)
  .reduce((sum, { dims }) => sum + dims.reduce((product, dim) => product * Number(dim), 1), 0);

describe('generateModel', () => {
  it.each([
    { kind: 'crnn', parameters: 1e6 }, { kind: 'transformer', parameters: 1e6 }, { kind: 'transformer', parameters: 2e6, attention: 'fused' },
  ] as const)('makes a valid model near the size asked for: %j', (options) => {
    const model = generateModel(options);
    checkModel(model);
    expect(floats(model) / options.parameters).toBeCloseTo(1, 1);
  });

  it('gives the same bytes for the same seed and others for another', () => {
    const bytes = (seed: number): Uint8Array => encodeModel(generateModel({ kind: 'transformer', parameters: 1e6, seed }));
    expect(bytes(3)).toEqual(bytes(3));
    expect(bytes(4)).not.toEqual(bytes(3));
  });
});

describe('sizes', () => {
  it.each([1e6, 3e6, 10e6, 30e6, 95e6, 300e6])('meet %d parameters within 2 %%', (parameters) => {
    expect(Math.abs(countReferenceParameters(crnnSizes(parameters)) / parameters - 1)).toBeLessThan(0.02);
    expect(Math.abs(countTransformerParameters(transformerSizes(parameters)) / parameters - 1)).toBeLessThan(0.02);
  });

  it('of the base model give the count that wav2vec 2.0 base has with a head for 32 letters', () => {
    // 94,396,320 in its PyTorch form, less the mask embedding (768) and the magnitudes of the weight norm (128), which an export folds.
    const base = { layers: 12, width: 768, heads: 12, inner: 3072, channels: 512, tokens: 32, attention: 'decomposed' } as const;
    expect(countTransformerParameters(base)).toBe(94_396_320 - 768 - 128);
  });
});
