import { nativeBackend } from '@coppice/backend-onnx';
import { createRandom } from '@coppice/core';
import { makeGraph, makeInitializer, makeModel, makeNode, makeValueInfo } from '@coppice/graph';
import { describe, expect, it } from 'vitest';
import { classifierAsCtc } from './classifier.ts';
import { fitClip, modelFeatures } from './clip.ts';
import { ctcLoss } from './ctc.ts';
import { greedyDecode } from './decode.ts';
import { computeFeatures, defaultFeatures } from './features/index.ts';
import { splitBatch } from './log-probs.ts';

const random = createRandom('clips');
const sound = (length: number): Float32Array => Float32Array.from({ length }, () => random.normal() / 4);

describe('a model of clips of one length', () => {
  const features = defaultFeatures({ sampleRateHz: 8000, mels: 8 });
  const clip = { seconds: 0.5, frames: 40 };

  it.each([1000, 4000, 9000])('hears %i samples as half a second, filled up or cut', (length) => {
    const audio = { samples: sound(length), sampleRateHz: 8000 };
    const { samples } = fitClip(audio, clip);
    expect(samples).toHaveLength(4000);
    expect(samples.every((sample, t) => sample === (t < length ? audio.samples[t] : 0))).toBe(true);
    const read = modelFeatures(audio, { features, clip });
    expect(read).toMatchObject({ frames: 40, width: 8 });
    expect(read.data).toEqual(computeFeatures({ samples, sampleRateHz: 8000 }, features).data.slice(0, 40 * 8));
  });

  it('is described wrongly when it reads more frames than there are', () => {
    expect(() => modelFeatures({ samples: sound(4000), sampleRateHz: 8000 }, { features, clip: { seconds: 0.5, frames: 90 } })).toThrow(expect.objectContaining({ code: 'COPPICE_DESCRIPTION_INVALID', message: expect.stringContaining('51') }));
  });

  it('changes nothing where time is open', () => {
    const audio = { samples: sound(3000), sampleRateHz: 8000 };
    expect(modelFeatures(audio, { features })).toEqual(computeFeatures(audio, features));
  });
});

describe('a classifier', () => {
  const [inputs, classes, batch] = [5, 7, 4];
  const weight = Float32Array.from({ length: inputs * classes }, () => random.normal());
  const model = makeModel({
    opset: 17,
    graph: makeGraph({
      inputs: [makeValueInfo('x', 'float32', ['batch', inputs])], outputs: [makeValueInfo('classes.log', 'float32', ['batch', classes])],
      nodes: [makeNode({ op: 'MatMul', name: 'last', inputs: ['x', 'w'], outputs: ['classes.log'] })], initializers: [makeInitializer('w', 'float32', [inputs, classes], weight)],
    }),
  });

  it('is a CTC model of one frame: its best class is decoded, and the loss of a label is its cross-entropy', async () => {
    const x = Float32Array.from({ length: batch * inputs }, () => random.normal());
    const executable = await nativeBackend().compile(classifierAsCtc(model, { output: 'classes.log', classes }));
    const { log_probs: output } = await executable.run({ x: { dtype: 'float32', dims: [batch, inputs], data: x } });
    expect(output.dims).toEqual([batch, 1, classes + 1]);
    for (const [item, logProbs] of splitBatch(output).entries()) {
      const logits = Array.from({ length: classes }, (_, c) => Array.from({ length: inputs }, (_, i) => x[item * inputs + i] * weight[i * classes + c]).reduce((a, b) => a + b, 0));
      const total = Math.log(logits.reduce((sum, value) => sum + Math.exp(value), 0));
      expect([...greedyDecode(logProbs, classes).labels]).toEqual([logits.indexOf(Math.max(...logits))]);
      for (let c = 0; c < classes; c++) expect(ctcLoss(logProbs, Int32Array.of(c), classes).loss).toBeCloseTo(total - logits[c], 4);
    }
    await executable.dispose();
  });

  it('is refused when it has no such output, or is too old', () => {
    expect(() => classifierAsCtc(model, { output: 'y', classes })).toThrow(expect.objectContaining({ code: 'COPPICE_INPUT_MISMATCH' }));
    expect(() => classifierAsCtc({ ...model, proto: makeModel({ opset: 9, graph: model.proto.graph! }).proto }, { output: 'classes.log', classes })).toThrow(expect.objectContaining({ code: 'COPPICE_UNSUPPORTED_OPSET' }));
  });
});
