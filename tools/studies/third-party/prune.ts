import { gradientsOf, trainableParameters } from '@coppice/autodiff';
import { assertEqual, costOf, createRandom, cutModel, findUnits, planCut, scoreUnits, traceModel, verifyCut, type Backend, type Cost, type NamedTensors, type Scorer } from '@coppice/core';
import type { Model, Tensor } from '@coppice/graph';
import { reconstruct, unitsWithWeights } from '@coppice/recovery';
import { crossEntropyLoss } from '@coppice/speech';
import { batchesOf, classify, decisions, type Classifier, type Clip } from './classifier.ts';

export interface PruneRequest {
  readonly classifier: Classifier;
  readonly scorer: Scorer;
  /** Share of the multiply–accumulates to keep. */
  readonly keep: number;
  /** Recordings; nobody says what is in them. */
  readonly clips: readonly Clip[];
  readonly backend: Backend;
  readonly threads: number;
}

/** A classifier after a cut, as it is and with its consumers rebuilt. */
export interface Pruned {
  readonly cut: Model;
  readonly rebuilt: Model;
  readonly before: Cost;
  readonly after: Cost;
}

/**
 * Scores, cuts, proves the cut equal to the masked original, and rebuilds by least squares, all from recordings alone. A scorer that
 * needs gradients gets those of the cross-entropy with the unpruned model's own decisions: of a distance from itself they would be zero.
 * @throws CoppiceError `COPPICE_VERIFY_FAILED` when the cut is not equal to the masked model, and what the stages throw
 */
export async function pruneClassifier({ classifier, scorer, keep, clips, backend, threads }: PruneRequest): Promise<Pruned> {
  const data = batchesOf(classifier, clips, 16);
  const units = findUnits(await traceModel(classifier.model, backend));
  const needs = new Set<string>(scorer.needs);
  const gradients = needs.has('gradients') ? await gradientsOfDecisions(classifier, { units, clips, data, backend, threads }) : undefined;
  const scores = await scoreUnits(units, scorer, { backend, data, gradients });
  const plan = planCut(units, scores, { macs: keep, ranking: 'uniform', comparable: scorer.comparable });
  const cut = cutModel(units, plan.removed);
  assertEqual(await verifyCut(units, plan.removed, cut, backend));
  const { weights } = await reconstruct(units, plan.removed, { backend, compile: { threads }, data });
  return { cut, rebuilt: cutModel(unitsWithWeights(units, weights), plan.removed), before: costOf(units), after: plan.after };
}

interface Decided { readonly units: ReturnType<typeof findUnits>; readonly clips: readonly Clip[]; readonly data: readonly NamedTensors[]; readonly backend: Backend; readonly threads: number }

async function gradientsOfDecisions(classifier: Classifier, { units, clips, data, backend, threads }: Decided): Promise<AsyncIterable<ReadonlyMap<string, Tensor>>> {
  const { trace } = units.analysed;
  const decided = decisions(await classify(classifier, clips, backend, threads));
  let done = 0;
  const labelled = data.map((batch): NamedTensors => {
    const [count] = batch[classifier.input].dims;
    return { ...batch, labels: classLabels(decided.slice(done, (done += count))) };
  });
  return gradientsOf(trace, { loss: crossEntropyLoss({ output: classifier.output, kind: 'logits' }), parameters: trainableParameters(trace), data: labelled, backend, compile: { threads } });
}

/** Classes as the label tensor of `crossEntropyLoss`. */
export const classLabels = (classes: readonly number[]): Tensor => ({ dtype: 'int64', dims: [classes.length], data: BigInt64Array.from(classes, BigInt) });

/** Some clips, the same for the same seed. */
export const someOf = (clips: readonly Clip[], count: number, seed: number): Clip[] => createRandom(`calibration/${seed}`).shuffle(clips).slice(0, count);
