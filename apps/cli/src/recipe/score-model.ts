import { gradientsOf, trainableParameters } from '@coppice/autodiff';
import { scoreUnits, type Backend, type NamedTensors, type Scorer, type Units } from '@coppice/core';
import { ctcLossGraph, type SpeechDescription } from '@coppice/speech';
import type { TrainingData } from '../speech/training-data.ts';

export interface ScoreRequest {
  readonly units: Units;
  readonly scorer: Scorer;
  readonly description: SpeechDescription;
  /** Inputs and labels. */
  readonly batches: readonly NamedTensors[];
  readonly backend: Backend;
  readonly threads: number;
  readonly seed: number;
  readonly onProgress?: (text: string) => void;
  readonly onNote?: (note: string) => void;
}

/** Scores the units of a recogniser with whatever the scorer needs: weights, activations on speech, gradients of CTC, or the measured loss. */
export function scoreRecogniser({ units, scorer, description: { output, outputAxes, blank, input }, batches, backend, threads, seed, onProgress, onNote }: ScoreRequest): Promise<Float64Array> {
  const loss = ctcLossGraph({ output, axes: outputAxes, blank });
  const { trace } = units.analysed;
  const needs = new Set(scorer.needs);
  return scoreUnits(units, scorer, {
    seed, backend, onNote, loss,
    data: needs.has('activations') ? batches.map((batch) => ({ [input]: batch[input] })) : batches,
    ...(needs.has('gradients') && { gradients: gradientsOf(trace, { loss, parameters: trainableParameters(trace), data: batches, backend, compile: { threads } }) }),
    onProgress: ({ done, total }) => onProgress?.(`scoring with ${scorer.name}: ${done}${total === undefined ? '' : ` of ${total}`}`),
  });
}

/** The first batches of training, which scorers and reconstruction look at. */
export const calibrationBatches = (data: TrainingData, count: number): Promise<NamedTensors[]> =>
  Promise.all(Array.from({ length: Math.min(count, data.stepsPerEpoch) }, (_, k) => data.batch(k + 1)));
