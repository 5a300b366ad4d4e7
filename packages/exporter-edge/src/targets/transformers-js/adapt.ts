import { makeValueInfo, type Model } from '@coppice/graph';
import { featureWidth, type SpeechDescription } from '@coppice/speech';
import { featuresInGraph } from '../../features-in-graph/features-in-graph.ts';
import { fromOutputAxes, toInputAxes } from '../../features-in-graph/layouts.ts';
import { featuresNode, surround, withMetadata } from '../../features-in-graph/surround.ts';
import type { AdaptedModel } from '../../target.ts';

/** Where Transformers.js looks for models. */
export const modelPath = 'onnx/model.onnx';

/**
 * A recogniser as one of the wav2vec2 family: sound in, [batch, sample], logarithms of probabilities out, [batch, time, token]. Its
 * features are computed by the graph, because none of the package's extractors is ours, and that family's one hands samples through.
 * @throws CoppiceError `COPPICE_TARGET_REFUSED` for features that a graph cannot compute
 */
export function adaptForTransformers(model: Model, speech: SpeechDescription): AdaptedModel {
  const tokens = speech.tokens.length;
  const logits = makeValueInfo('logits', 'float32', ['batch', 'frames', tokens]);
  const common = { input: speech.input, output: speech.output, outputs: [logits], after: (emit, output) => [fromOutputAxes(emit, output, speech)] } satisfies Partial<Parameters<typeof surround>[1]>;
  const wrapped = surround(model, {
    ...common, inputs: [makeValueInfo('input_values', 'float32', ['batch', 'samples'])],
    before: (emit) => toInputAxes(emit, emit.op('Identity', [featuresInGraph(emit, 'input_values', speech.features)], {}, featuresNode), speech),
  });
  const reference = surround(model, {
    ...common, inputs: [makeValueInfo('input_values', 'float32', ['batch', featureWidth(speech.features), 'time'])],
    before: (emit) => toInputAxes(emit, 'input_values', speech),
  });
  return {
    model: withMetadata(wrapped, { mels: undefined, tokens: undefined, frame_stride: undefined }), path: modelPath, reference,
    speech: { ...speech, input: 'input_values', inputAxes: 'batch feature time', output: 'logits', outputAxes: 'batch time token' },
  };
}
