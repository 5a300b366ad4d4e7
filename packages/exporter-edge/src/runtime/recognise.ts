import { CoppiceError, type Tensor } from '@coppice/graph';
import { beamSearch, createTokenizer, greedyDecode, layOutFeatures, modelFeatures, outputFrames, splitBatch, type Audio, type Features, type LogProbs, type SpeechDescription } from '@coppice/speech';
import type { DecoderChoice } from '../manifest.ts';
import type { OnnxRuntime, OnnxSession } from './onnx-runtime.ts';

/** What was recognised, and how long each part took. */
export interface Recognition {
  readonly text: string;
  /** Of sound. */
  readonly seconds: number;
  readonly featuresMs: number;
  readonly modelMs: number;
  /** The same features as in training: the code is the same. */
  readonly features: Features;
  readonly logProbs: LogProbs;
}

/** How a bundle recognises: its description and its decoder. */
export interface Recipe {
  readonly speech: SpeechDescription;
  readonly decoder: DecoderChoice;
}

/**
 * Features, model, decoder: one clip at the model's sample rate.
 * @throws CoppiceError `COPPICE_AUDIO_INVALID`, `COPPICE_BACKEND_RUN`, `COPPICE_DESCRIPTION_INVALID`
 */
export async function recogniseClip(runtime: OnnxRuntime, session: OnnxSession, { speech, decoder }: Recipe, audio: Audio): Promise<Recognition> {
  const start = performance.now();
  const features = modelFeatures(audio, speech);
  const featuresDone = performance.now();
  const logProbs = await runModel(runtime, session, speech, features);
  const modelDone = performance.now();
  return {
    text: decodeText(logProbs, { speech, decoder }), seconds: audio.samples.length / audio.sampleRateHz,
    featuresMs: featuresDone - start, modelMs: modelDone - featuresDone, features, logProbs,
  };
}

/** The model alone. */
export async function runModel(runtime: OnnxRuntime, session: OnnxSession, speech: SpeechDescription, { data, frames, width }: Features): Promise<LogProbs> {
  const laid = layOutFeatures(data, { batch: 1, time: frames, feature: width }, speech.inputAxes);
  let output: Tensor;
  try {
    const results = await session.run({ [speech.input]: new runtime.Tensor('float32', laid.data as Float32Array, laid.dims) }, [speech.output]);
    const { type, dims, data: values } = results[speech.output];
    output = { dtype: type as Tensor['dtype'], dims, data: values as Tensor['data'] };
  } catch (cause) {
    throw new CoppiceError('COPPICE_BACKEND_RUN', `The runtime could not run the model: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  return splitBatch(output, [outputFrames(frames, speech)], speech.outputAxes)[0];
}

/** The decoder alone. */
export function decodeText(logProbs: LogProbs, { speech, decoder }: Recipe): string {
  const best = decoder.type === 'greedy' ? greedyDecode(logProbs, speech.blank) : beamSearch(logProbs, { blank: speech.blank, width: decoder.width })[0];
  return createTokenizer(speech).decode(best.labels);
}
