import { makeGraph, makeInitializer, makeModel, makeNode, makeValueInfo, type Model } from '@coppice/graph';
import { featureWidth, type Audio, type FeatureSettings, type SpeechDescription } from '@coppice/speech';
import { logarithmFactor } from '../features-in-graph/after-logarithm.ts';

/** A recogniser whose answers need no training: it says `hey` where it is loud. Its features are not normalised; it answers for every other frame. */
export function burstRecogniser(features: FeatureSettings): { readonly model: Model; readonly speech: SpeechDescription } {
  const width = featureWidth(features);
  const tokens = ['never', '<blank>', 'hey'];
  // Silence is the logarithm of the floor in every band; what is a factor of e² above is loud, and the blank has 0 against that.
  const threshold = logarithmFactor(features) * (Math.log(features.floor) + 2);
  const weights = Array.from({ length: width * 3 }, (_, at) => (at % 3 === 2 ? 1 : 0));
  const model = makeModel({
    opset: 17,
    graph: makeGraph({
      inputs: [makeValueInfo('features', 'float32', ['batch', 'time', width])], outputs: [makeValueInfo('log_probs', 'float32', ['batch', 'frames', 3])],
      nodes: [
        makeNode({ op: 'Slice', inputs: ['features', 'start', 'end', 'axis', 'step'], outputs: ['every.other'] }),
        makeNode({ op: 'MatMul', inputs: ['every.other', 'weights'], outputs: ['sums'] }),
        makeNode({ op: 'Add', inputs: ['sums', 'bias'], outputs: ['logits'] }),
        makeNode({ op: 'LogSoftmax', inputs: ['logits'], outputs: ['log_probs'], attributes: { axis: -1 } }),
      ],
      initializers: [
        makeInitializer('weights', 'float32', [width, 3], weights), makeInitializer('bias', 'float32', [3], [-100, 0, -threshold * width]),
        ...Object.entries({ start: 0, end: 1_000_000, axis: 1, step: 2 }).map(([name, value]) => makeInitializer(name, 'int64', [1], [value])),
      ],
    }),
  });
  return { model, speech: { features, tokenizer: 'words', tokens, blank: 1, input: 'features', inputAxes: 'batch time feature', output: 'log_probs', outputAxes: 'batch time token', frameStride: 2 } };
}

/** Silence with bursts of noise in it, each 0.15 s long. */
export function bursts(starts: readonly number[], sampleRateHz = 8000, seconds = 1.5): Audio {
  const samples = new Float32Array(Math.round(seconds * sampleRateHz));
  let state = 1;
  for (const start of starts) {
    for (let n = Math.round(start * sampleRateHz); n < Math.round((start + 0.15) * sampleRateHz); n++) {
      state = (state * 48271) % 2147483647;
      samples[n] = 0.5 * (state / 1073741824 - 1);
    }
  }
  return { samples, sampleRateHz };
}
