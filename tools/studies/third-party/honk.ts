import { graphOf, makeInitializer, makeValueInfo, upgradeModel, withFields, type Model, type TensorProto } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import { computeFeatures, defaultFeatures, type Audio, type FeatureSettings } from '@coppice/speech';
import type { Classifier } from './classifier.ts';

const mels = 40;
const frames = 101;
/** The smallest number above 0 in 32 bits, in which librosa of that time computed. */
export const leastEnergy = 2 ** -149;

/**
 * The mel energies of `preprocess_audio`, castorini/honk, utils/manage_audio.py: librosa's mel spectrogram (0.5: Hann of 480 samples every
 * 160, mirrored at both ends, power, Slaney's scale and areas) from 20 Hz to 4 kHz, and their natural logarithm.
 */
export const honkLogMels: FeatureSettings = {
  ...defaultFeatures({ sampleRateHz: 16_000, mels }), windowMs: 30, hopMs: 10, fftSize: 480, framing: 'center-reflect',
  melScale: 'slaney', area: 'slaney', lowHz: 20, highHz: 4000, floor: leastEnergy, floorBy: 'max', normalisation: { type: 'none' },
};

/**
 * The 40 orthonormal cosine coefficients of each frame, [frame, coefficient]. The authors take logarithms of what is above 0 alone
 * (`data[data > 0] = np.log(data[data > 0])`), so digital silence is 0, as loud as an energy of 1; the model was trained on that.
 */
export function honkCepstra(logMels: ArrayLike<number>): Float32Array {
  const silent = Math.log(leastEnergy) + 1e-3;
  return Float32Array.from({ length: frames * mels }, (_, at) => {
    const [frame, k] = [Math.floor(at / mels), at % mels];
    let sum = 0;
    for (let n = 0; n < mels; n++) {
      const value = logMels[frame * mels + n];
      if (value > silent) sum += value * Math.cos((Math.PI * k * (2 * n + 1)) / (2 * mels));
    }
    return sum * Math.sqrt((k === 0 ? 1 : 2) / mels);
  });
}

/** `SpeechDataset`: silence, unknown, then the wanted words. Digits are among the unknown ones in Speech Commands. */
export const honkClasses: readonly string[] = ['silence', 'unknown', 'yes', 'no', 'up', 'down', 'left', 'right', 'on', 'off', 'stop', 'go'];

/** Honk's CNN in today's operators, for batches of any size. It has no classes for digits. */
export const openHonk = (path: string): Classifier => ({
  model: withOpenBatch(upgradeModel(readModel(path))), input: '1', output: '26', dims: [1, frames, mels], classes: honkClasses,
  place: 'middle', features: (audio: Audio) => honkCepstra(computeFeatures(audio, honkLogMels).data),
});

/** The file is for one clip at a time: its Reshape says [1, −1]. In [0, −1] the first size is that of what it reshapes. */
function withOpenBatch(model: Model): Model {
  const graph = graphOf(model);
  const isReshaped = new Set(graph.node.flatMap(({ opType, input }) => (opType === 'Reshape' ? [input[1]] : [])));
  return edited(model, graph.initializer.map((tensor) => (isReshaped.has(tensor.name) ? makeInitializer(tensor.name, 'int64', [2], [0, -1]) : tensor)), honkClasses.length);
}

const readout = { weight: '6', bias: '7' } as const;

/** The weights of the last layer. */
export const readoutParameters: readonly string[] = [readout.weight, readout.bias];

/** The same model with a last layer for the ten digits in place of its own, all zeros: to be trained. */
export function withDigitReadout(honk: Classifier): Classifier {
  const { initializer } = graphOf(honk.model);
  const inputs = Number(initializer.find(({ name }) => name === readout.weight)!.dims[1]);
  const zeros: Readonly<Record<string, TensorProto>> = {
    [readout.weight]: makeInitializer(readout.weight, 'float32', [10, inputs], new Float32Array(10 * inputs)),
    [readout.bias]: makeInitializer(readout.bias, 'float32', [10], new Float32Array(10)),
  };
  const digits = Array.from({ length: 10 }, (_, digit) => digit);
  return { ...honk, model: edited(honk.model, initializer.map((tensor) => zeros[tensor.name] ?? tensor), 10), classes: digits.map(String), digits };
}

function edited(model: Model, initializer: TensorProto[], classes: number): Model {
  const graph = graphOf(model);
  const input = [makeValueInfo('1', 'float32', ['batch', 1, frames, mels])];
  const output = [makeValueInfo('26', 'float32', ['batch', classes])];
  return { ...model, proto: withFields(model.proto, { graph: withFields(graph, { initializer, input, output, valueInfo: [] }) }) };
}
