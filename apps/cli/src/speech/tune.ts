import { adam, trainableParameters, trainingStep } from '@coppice/autodiff';
import { traceModel, type Backend, type Loss, type NamedTensors } from '@coppice/core';
import { CoppiceError, type Model } from '@coppice/graph';
import { oneCycle, teach, train, withWeights, type TrainingRecord, type TrainingState } from '@coppice/recovery';
import { combineLosses, ctcLossGraph, distillationLoss, type Example, type SpeechDescription } from '@coppice/speech';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { evaluateRecogniser } from './evaluate.ts';
import type { Recogniser } from './recogniser.ts';
import type { AugmentName, TrainingData } from './training-data.ts';

/** How a model is trained or fine-tuned. Plain data. */
export interface TuneSettings {
  readonly steps: number;
  /** Highest learning rate of the one-cycle schedule. */
  readonly peak: number;
  readonly batchSize: number;
  readonly weightDecay: number;
  readonly clipNorm: number;
  /** Share of the loss that is distance from the unpruned model instead of CTC, 0 to 1; per output frame. */
  readonly distillation: number;
  readonly augment: AugmentName;
  /** Factors that the speed of a recording is drawn from; `[1]` leaves all as they are. */
  readonly speeds: readonly number[];
  /** Held-out utterances are recognised every so many steps, and the best weights kept. */
  readonly evaluateEvery: number;
  /** Stop after so many of these without a better one; 0: never. */
  readonly patience: number;
}

export interface TuneRequest {
  readonly recogniser: Recogniser;
  /** The unpruned model, for distillation. */
  readonly teacher?: Model;
  readonly data: TrainingData;
  readonly heldOut: readonly Example[];
  readonly settings: TuneSettings;
  readonly backend: Backend;
  readonly threads: number;
  /** Where to go on. */
  readonly from?: TrainingState;
  readonly save?: (state: TrainingState) => void;
  readonly saveEvery?: number;
  /** Keeps what was good before a loss that is not finite, with the best model so far, or else the last one; its words go into the error. */
  readonly keepBroken?: (state: TrainingState, best: { readonly model: Model; readonly step: number }) => string;
  readonly onProgress?: (progress: { readonly step: number; readonly steps: number; readonly loss: number; readonly bestErrorRate?: number }) => void;
  readonly signal?: AbortSignal;
}

export interface Tuned {
  readonly model: Model;
  readonly history: readonly TrainingRecord[];
  /** Steps done. */
  readonly steps: number;
  /** The step whose weights these are. */
  readonly bestStep: number;
  readonly stopped?: 'patience' | 'signal';
}

/**
 * Trains all weights of a recogniser with CTC, and with distillation from the unpruned model where that is asked for. The weights that do
 * best on held-out utterances are kept: by error rate, and by the loss where error rates are equal. Of several that
 * differ by no more than chance the last ones are taken: they were trained longest, and at the lowest rate.
 * @throws CoppiceError `COPPICE_LOSS_NOT_FINITE`, and what `trainingStep` and the backend throw
 */
export async function tuneRecogniser({ recogniser, teacher, data, heldOut, settings, backend, threads, from, save, saveEvery, keepBroken, onProgress, signal }: TuneRequest): Promise<Tuned> {
  const { model, description } = recogniser;
  const { steps, peak, clipNorm, weightDecay, evaluateEvery, patience } = settings;
  const compile = { optimise: 'all', threads } as const;
  const trace = await traceModel(model, backend);
  const step = trainingStep(trace, { loss: lossOf(settings, description, teacher ? data.meanFrames : 0), parameters: trainableParameters(trace), optimizer: adam({ weightDecay }), clipNorm });
  const taught = teacher && settings.distillation > 0 ? await teach({ teacher, backend, compile, outputs: [description.output], batch: data.batch }) : undefined;
  let best = from?.history.reduce<number | undefined>((lowest, { score }) => (score === undefined ? lowest : Math.min(lowest ?? Infinity, score)), undefined);
  const words = heldOut.reduce((sum, { transcript }) => sum + transcript.split(' ').length, 0);
  const evaluate = async (weights: NamedTensors): Promise<number> => {
    const { errors, lossPerLabel } = await evaluateRecogniser({ model: withWeights(trace.program.model, weights), description }, heldOut, { backend, threads });
    // The loss only decides between equal error rates.
    const score = errors.rate + 1e-6 * Math.min(1000, lossPerLabel);
    best = Math.min(best ?? Infinity, score);
    return score;
  };
  // A runtime that computes in this thread leaves no room for signals by itself.
  const batch = (number: number) => nextTurn().then(() => (taught?.batch ?? data.batch)(number));
  try {
    const { weights, state, stopped } = await train(step, {
      backend, compile, steps, schedule: oneCycle({ peak, steps }), batch, evaluate: heldOut.length > 0 ? evaluate : undefined, evaluateEvery,
      noise: (lowest) => chanceDifference(lowest, words), patience: patience > 0 ? patience : undefined, from, save, saveEvery, signal,
      onProgress: ({ step: done, loss }) => onProgress?.({ step: done, steps, loss, bestErrorRate: best }),
    });
    return { model: withWeights(trace.program.model, weights), history: state.history, steps: state.step, bestStep: state.best?.step ?? state.step, stopped };
  } catch (error) {
    if (!(error instanceof CoppiceError) || error.code !== 'COPPICE_LOSS_NOT_FINITE' || !keepBroken) throw error;
    const state = error.cause as TrainingState;
    const { step: number, weights } = state.best ?? { step: state.step, weights: Object.fromEntries(step.weights.map((name) => [name, state.carried[name]])) };
    throw new CoppiceError(error.code, `${error.message} ${keepBroken(state, { model: withWeights(trace.program.model, weights), step: number })}`, { cause: state });
  } finally {
    await taught?.dispose();
  }
}

/** By how much two equally good models differ in their error rates over so many words, as if words were independent; two errors at least. */
const chanceDifference = (rate: number, words: number): number => Math.max(2, Math.sqrt(2 * rate * (1 - Math.min(1, rate)) * words)) / Math.max(1, words);

function lossOf({ distillation }: TuneSettings, { output, outputAxes, blank }: SpeechDescription, meanFrames: number): Loss {
  const ctc = ctcLossGraph({ output, axes: outputAxes, blank });
  if (distillation === 0 || meanFrames === 0) return ctc;
  // CTC is a sum over the frames of an utterance, distillation a mean.
  return combineLosses([{ loss: ctc, weight: 1 - distillation }, { loss: distillationLoss({ output, axes: outputAxes, teacher: `teacher_${output}` }), weight: distillation * meanFrames }]);
}
