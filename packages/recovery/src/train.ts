import type { TrainingStep } from '@coppice/autodiff';
import type { Backend, CompileOptions, Executable, NamedTensors } from '@coppice/core';
import { CoppiceError, type Tensor } from '@coppice/graph';
import type { Schedule } from './schedule.ts';

/** What training has come to: enough to go on from there as if it had never stopped. */
export interface TrainingState {
  /** Steps done. */
  readonly step: number;
  /** Carried tensors: weights, running statistics, memory of the optimiser. */
  readonly carried: NamedTensors;
  /** The weights that did best on held-out data so far. */
  readonly best?: { readonly step: number; readonly score: number; readonly weights: NamedTensors };
  readonly history: readonly TrainingRecord[];
}

/** A stretch of training: up to an evaluation, to the end, or, as the last one of a state, to where it is. */
export interface TrainingRecord {
  readonly step: number;
  /** Mean loss since the record before. */
  readonly loss: number;
  /** What `evaluate` gave; lower is better. */
  readonly score?: number;
}

/** How far training is. */
export interface TrainingProgress {
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  readonly score?: number;
}

/** What `train` takes. */
export interface TrainOptions {
  readonly backend: Backend;
  readonly compile?: CompileOptions;
  readonly steps: number;
  readonly schedule: Schedule;
  /** The batch of a step, steps counting from 1: inputs of the model and labels. The same step must give the same batch. */
  readonly batch: (step: number) => NamedTensors | Promise<NamedTensors>;
  /** Held-out error of some weights, lower is better; asked every `evaluateEvery` steps and after the last. */
  readonly evaluate?: (weights: NamedTensors, step: number) => Promise<number>;
  readonly evaluateEvery?: number;
  /**
   * How far above the lowest score a later one may lie and its weights still be taken: what chance makes of a score, given that score.
   * Later weights were trained longer, and at a lower rate. Default: not at all.
   */
  readonly noise?: (lowest: number) => number;
  /** Stops after so many evaluations in a row without a lower score. Default: never. */
  readonly patience?: number;
  /** Where to go on. Default: from the weights of the model. */
  readonly from?: TrainingState;
  /** Called with a state that can be kept, every `saveEvery` steps and at the end, whatever ends it. */
  readonly save?: (state: TrainingState) => void | Promise<void>;
  readonly saveEvery?: number;
  readonly onProgress?: (progress: TrainingProgress) => void;
  readonly signal?: AbortSignal;
}

/** What came out of training. */
export interface Trained {
  /** The best weights on held-out data as far as `noise` allows to tell, or the last ones where nothing was evaluated. */
  readonly weights: NamedTensors;
  readonly state: TrainingState;
  /** Why it ended before the last step. */
  readonly stopped?: 'patience' | 'signal' | undefined;
}

/**
 * Runs a training step again and again. Weights live in the tensors that go out of one step and into the next one, so the last good
 * ones are never overwritten: when something is no longer finite, training stops with them. Going on from the state after any step gives
 * the same bytes as never having stopped. An evaluation that gives NaN counts as no better than any other.
 * @throws CoppiceError `COPPICE_LOSS_NOT_FINITE` names the step; its `cause` is the `TrainingState` before it
 */
export async function train(step: TrainingStep, options: TrainOptions): Promise<Trained> {
  const { backend, compile, steps, schedule, batch, evaluate, evaluateEvery = steps, noise, patience = Infinity, save, saveEvery = Infinity, onProgress, signal } = options;
  let state: TrainingState = options.from ?? { step: 0, carried: step.initial, history: [] };
  const ended = (): Trained['stopped'] => (signal?.aborted ? 'signal' : evaluationsSinceLowest(state) >= patience ? 'patience' : undefined);
  const isDue = (number: number): boolean => number === steps || number % evaluateEvery === 0;
  let stopped = ended();
  const executable = await backend.compile(step.model, compile);
  try {
    while (state.step < steps && stopped === undefined) {
      const number = state.step + 1;
      const { loss, norm, carried } = await runStep(step, executable, state.carried, await batch(number), { number, rate: schedule(number) });
      const broken = !Number.isFinite(loss) ? `the loss is ${loss}` : !Number.isFinite(norm) ? 'a gradient is not finite' : step.weights.find((name) => !isFinite(carried[name])) && 'the step made a weight that is not finite';
      if (broken) throw notFinite(number, broken, state);
      state = { ...state, step: number, carried, history: withLoss(state.history, number, loss, isDue) };
      const score = isDue(number) ? await evaluate?.(weightsOf(step, carried), number) : undefined;
      if (score !== undefined) state = withScore(state, score, weightsOf(step, carried), noise);
      onProgress?.({ step: number, steps, loss, score });
      stopped = ended();
      if (number % saveEvery === 0 || number === steps || stopped !== undefined) await save?.(state);
    }
  } finally {
    await executable.dispose();
  }
  return { weights: state.best?.weights ?? weightsOf(step, state.carried), state, stopped: state.step < steps ? stopped : undefined };
}

async function runStep(step: TrainingStep, executable: Executable, carried: NamedTensors, batch: NamedTensors, { number, rate }: { readonly number: number; readonly rate: number }) {
  const scalar = (value: number): Tensor => ({ dtype: 'float32', dims: [], data: Float32Array.of(value) });
  const { loss, gradientNorm } = step.outputs;
  const results = await executable.run({ ...batch, ...carried, [step.inputs.learningRate]: scalar(rate), [step.inputs.step]: scalar(number) }, [loss, gradientNorm, ...step.carried.values()]);
  const numberIn = (output: string): number => (results[output].data as Float32Array)[0];
  return { loss: numberIn(loss), norm: numberIn(gradientNorm), carried: Object.fromEntries([...step.carried].map(([name, next]) => [name, results[next]])) };
}

/** Takes a loss into the mean of the record that is still open, or opens one. A mean that is kept step by step goes on alike after a stop. */
function withLoss(history: readonly TrainingRecord[], number: number, loss: number, isDue: (step: number) => boolean): TrainingRecord[] {
  const last = history.at(-1);
  const open = last && last.score === undefined && !isDue(last.step) ? last : undefined;
  const closed = open ? history.slice(0, -1) : history;
  const count = number - (closed.at(-1)?.step ?? 0);
  return [...closed, { step: number, loss: open ? open.loss + (loss - open.loss) / count : loss }];
}

function withScore(state: TrainingState, score: number, weights: NamedTensors, noise: TrainOptions['noise']): TrainingState {
  const { step, best, history } = state;
  const lowest = lowestScore(history);
  const better = lowest === undefined ? !Number.isNaN(score) : score < lowest || (noise !== undefined && score <= lowest + noise(lowest));
  return { ...state, best: better ? { step, score, weights } : best, history: [...history.slice(0, -1), { ...history.at(-1)!, score }] };
}

const lowestScore = (history: readonly TrainingRecord[]): number | undefined =>
  history.reduce<number | undefined>((lowest, { score }) => (score === undefined || Number.isNaN(score) ? lowest : Math.min(lowest ?? Infinity, score)), undefined);

const weightsOf = (step: TrainingStep, carried: NamedTensors): NamedTensors => Object.fromEntries(step.weights.map((name) => [name, carried[name]]));

/** Evaluations after the first one that gave the lowest score. */
function evaluationsSinceLowest({ history }: TrainingState): number {
  const lowest = lowestScore(history);
  const first = history.findIndex(({ score }) => score !== undefined && score === lowest);
  return history.slice(first + 1).filter(({ score }) => score !== undefined).length;
}

/** Whatever is finite is zero less itself. */
function isFinite({ data }: Tensor): boolean {
  const elements = data as Float32Array;
  let sum = 0;
  for (let k = 0; k < elements.length; k++) sum += elements[k] - elements[k];
  return sum === 0;
}

const notFinite = (number: number, what: string, state: TrainingState): CoppiceError =>
  new CoppiceError('COPPICE_LOSS_NOT_FINITE', `In step ${number}, ${what}. The weights of step ${number - 1} are kept. Lower the learning rate, clip gradients, or look for a broken recording in that batch.`, { cause: state });
