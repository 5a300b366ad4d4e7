import { adam, trainingStep } from '@coppice/autodiff';
import { createRandom, traceModel, type Backend, type Loss, type NamedTensors } from '@coppice/core';
import type { Model } from '@coppice/graph';
import { oneCycle, teach, train, withWeights } from '@coppice/recovery';
import { batchOf, type Classifier, type Clip } from './classifier.ts';

/** How a classifier is trained. Plain data. */
export interface TuneSettings {
  readonly steps: number;
  readonly batchSize: number;
  /** Highest learning rate of one cycle. */
  readonly peak: number;
  readonly seed: number;
}

export interface TuneRequest {
  /** What is trained. */
  readonly student: Classifier;
  readonly loss: Loss;
  /** Initializers that are trained; all of them where nothing is said. */
  readonly parameters: (trace: Awaited<ReturnType<typeof traceModel>>) => readonly string[];
  /** Writes its own logits into each batch, as the label `teacher_<output>`. */
  readonly teacher?: Model;
  readonly clips: readonly Clip[];
  /** Further labels of some clips. */
  readonly labels?: (clips: readonly Clip[]) => NamedTensors;
  /** Error of a model on held-out clips; the best one is kept. */
  readonly heldOut: (model: Model) => Promise<number>;
  readonly settings: TuneSettings;
  readonly backend: Backend;
  readonly threads: number;
  readonly onProgress?: (step: number, loss: number, heldOut: number | undefined) => void;
}

/** Trains a classifier: Adam, one cycle, gradients at most of length 1. Of the weights at the start and after each quarter those are taken that do best on held-out clips. */
export async function tune({ student, loss, parameters, teacher, clips, labels, heldOut, settings, backend, threads, onProgress }: TuneRequest): Promise<Model> {
  const { steps, batchSize, peak, seed } = settings;
  const compile = { optimise: 'all', threads } as const;
  const trace = await traceModel(student.model, backend);
  const step = trainingStep(trace, { loss, parameters: parameters(trace), optimizer: adam(), clipNorm: 1 });
  const drawn = drawClips(clips, batchSize, seed);
  const batch = (number: number): NamedTensors => ({ ...batchOf(student, drawn(number)), ...labels?.(drawn(number)) });
  const taught = teacher && (await teach({ teacher, backend, compile, outputs: [student.output], batch }));
  try {
    const before = await heldOut(student.model);
    const { weights, state } = await train(step, {
      backend, compile, steps, schedule: oneCycle({ peak, steps }), batch: taught?.batch ?? batch,
      evaluate: (now) => heldOut(withWeights(trace.program.model, now)), evaluateEvery: Math.ceil(steps / 4),
      onProgress: ({ step: done, loss: value, score }) => onProgress?.(done, value, score),
    });
    return state.best!.score < before ? withWeights(trace.program.model, weights) : student.model;
  } finally {
    await taught?.dispose();
  }
}

/** The clips of each step, steps counting from 1: all in random order, again and again; what does not fill a batch waits for the next round. */
export function drawClips(clips: readonly Clip[], batchSize: number, seed: number): (step: number) => Clip[] {
  const perEpoch = Math.max(1, Math.floor(clips.length / batchSize));
  return (step) => {
    const epoch = Math.floor((step - 1) / perEpoch);
    const order = createRandom(`clips/${seed}/${epoch}`).shuffle(clips);
    const first = ((step - 1) % perEpoch) * batchSize;
    return order.slice(first, first + batchSize);
  };
}
