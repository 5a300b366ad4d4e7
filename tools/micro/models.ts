import { graphOf, toModernOpset, upgradeModel, type Model } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { classifierAsCtc, kaldiMfcc, type FeatureSettings, type SpeechDescription } from '@coppice/speech';
import { join } from 'node:path';
import { honkClasses, honkLogMels } from '../studies/third-party/honk.ts';

/** A keyword spotter and what must be known of it. */
export interface Spotter {
  readonly name: string;
  readonly model: Model;
  readonly speech: SpeechDescription;
}

const common = { output: 'log_probs', outputAxes: 'batch time token', tokenizer: 'words', tokens: [...honkClasses, '<blank>'], blank: honkClasses.length } as const;
const { type: _type, triangles: _triangles, ...honkFrames } = honkLogMels;

/** 40 coefficients every 20 ms, as the DS-CNN of Zhang et al. 2017 hears them; the zoo's weights are random. */
const dscnn: FeatureSettings = { ...kaldiMfcc({ coefficients: 40, mels: 40 }), windowMs: 40, hopMs: 20, fftSize: 1024, lifter: 0 } as FeatureSettings;
/** BC-ResNet hears 40 mel energies every 10 ms; here the first 60 frames, up to 4 kHz because the recordings have no more. */
const bcresnet: FeatureSettings = { ...honkLogMels, floor: 1e-6, normalisation: { type: 'utterance', deviation: 'population', epsilon: 1e-5 } };
/** The authors' coefficients, but for digital silence. */
const honk: FeatureSettings = { ...honkFrames, type: 'mfcc', triangles: 'hz', floor: 1e-10, coefficients: 40, dct: 'ortho', lifter: 0, lifterFrom: 0 };

const described = (model: Model, input: string, features: FeatureSettings, frames: number, inputAxes: string): Pick<Spotter, 'model' | 'speech'> => {
  const output = graphOf(model).output[0].name;
  return { model: classifierAsCtc(model, { output, classes: honkClasses.length }), speech: { ...common, features, input, inputAxes, frameStride: frames, clip: { seconds: 1, frames } } };
};

/** The keyword spotters of the given folder (with `zoo` and `models` in it); `file` replaces the model by a pruned one. */
export function spotters(shared: string, fileOf: (path: string) => string = (path) => path): Spotter[] {
  const open = (path: string): Model => readModel(fileOf(join(shared, path)));
  return [
    { name: 'DS-CNN', ...described(open('zoo/09_dscnn_kws_dynamo.onnx'), 'mfcc', dscnn, 49, 'batch time feature') },
    { name: 'BC-ResNet', ...described(open('zoo/10_bcresnet.onnx'), 'mel', bcresnet, 60, 'batch 1 feature time') },
    { name: 'Honk', ...described(toModernOpset(upgradeModel(open('models/honk_kws.onnx'))), '1', honk, 101, 'batch 1 time feature') },
  ];
}
