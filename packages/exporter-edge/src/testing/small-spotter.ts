import { createRandom, type Backend } from '@coppice/core';
import { makeInitializer, makeModel, makeNode, makeValueInfo, type Model } from '@coppice/graph';
import type { CalibrationRuns } from '@coppice/quantize';
import { classifierAsCtc, defaultFeatures, layOutFeatures, modelFeatures, type FeatureSettings, type SpeechDescription } from '@coppice/speech';
import type { ExportRequest } from '../export-bundle.ts';
import { syntheticClips } from '../golden.ts';
import { prepareForMicro } from '../targets/micro/prepare.ts';

/** Labels with everything in them that could end a string or a comment, or begin a trigraph. */
export const hostileLabels = ['yes', 'no "quoted"', '*/ int evil; /*', '??/"\n\\', 'ünï'] as const;

/** Sizes of the smallest keyword spotter: a convolution, one by channel, a residual sum, a mean, a product. */
const [frames, mels, channels] = [20, 8, 6] as const;

export function smallSpotter({ labels = hostileLabels, features = defaultFeatures({ sampleRateHz: 8000, mels }) }: { readonly labels?: readonly string[]; readonly features?: FeatureSettings } = {}): { readonly model: Model; readonly speech: SpeechDescription } {
  const random = createRandom('small spotter');
  const weights = (name: string, dims: readonly number[]) => makeInitializer(name, 'float32', dims, Float32Array.from({ length: dims.reduce((product, n) => product * n, 1) }, () => 0.5 * random.normal()));
  const model = classifierAsCtc(makeModel({
    opset: 18,
    graph: {
      inputs: [makeValueInfo('mel', 'float32', ['batch', 1, 'time', mels])], outputs: [makeValueInfo('scores', 'float32', ['batch', labels.length])],
      nodes: [
        makeNode({ op: 'Conv', name: '*/ first ??/', inputs: ['mel', 'w1', 'b1'], outputs: ['c1'], attributes: { kernel_shape: [5, 3], pads: [2, 1, 2, 1], strides: [2, 1] } }),
        makeNode({ op: 'Relu', inputs: ['c1'], outputs: ['r1'] }),
        makeNode({ op: 'Conv', inputs: ['r1', 'w2', 'b2'], outputs: ['c2'], attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1], group: channels } }),
        makeNode({ op: 'Add', inputs: ['c2', 'r1'], outputs: ['sum'] }),
        makeNode({ op: 'HardSwish', inputs: ['sum'], outputs: ['h'] }),
        makeNode({ op: 'ReduceMean', inputs: ['h', 'axes'], outputs: ['mean'], attributes: { keepdims: 0 } }),
        makeNode({ op: 'Gemm', inputs: ['mean', 'w3', 'b3'], outputs: ['scores'] }),
      ],
      initializers: [weights('w1', [channels, 1, 5, 3]), weights('b1', [channels]), weights('w2', [channels, 1, 3, 3]), weights('b2', [channels]), weights('w3', [channels, labels.length]), weights('b3', [labels.length]), makeInitializer('axes', 'int64', [2], [2, 3])],
    },
  }), { output: 'scores', classes: labels.length });
  const { sampleRateHz, hopMs } = features;
  return {
    model,
    speech: {
      features, input: 'mel', inputAxes: 'batch 1 time feature', output: 'log_probs', outputAxes: 'batch time token', frameStride: frames, clip: { seconds: Math.ceil((frames + 8) * hopMs * sampleRateHz / 1000) / sampleRateHz, frames },
      tokenizer: 'characters', tokens: [...labels, '<blank>'], blank: labels.length,
    },
  };
}

/** Features of synthetic sound. */
export const spotterRuns = (speech: SpeechDescription, clips = 4): CalibrationRuns => async function* () {
  for (let seed = 0; seed < clips; seed++) {
    for (const { audio } of syntheticClips(speech.features.sampleRateHz, `calibration/${seed}`).clips) {
      const { data, frames: time, width } = modelFeatures(audio, speech);
      yield { [speech.input]: layOutFeatures(data, { batch: 1, time, feature: width }, speech.inputAxes) };
    }
  }
};

/** The request for a bundle of it. */
export async function spotterRequest(backend: Backend, options: Parameters<typeof smallSpotter>[0] = {}): Promise<ExportRequest> {
  const { model, speech } = smallSpotter(options);
  const prepared = await prepareForMicro(model, { speech, backend, runs: spotterRuns(speech) });
  return { name: 'small */ spotter', model: prepared.model, speech, quantisation: prepared.quantisation, backend };
}
