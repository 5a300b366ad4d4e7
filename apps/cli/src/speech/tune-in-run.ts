import { writeModel } from '@coppice/graph/node';
import { writeDescription } from '@coppice/speech';
import { join } from 'node:path';
import { paceOf } from '../pace.ts';
import { writeText } from '../plan-document.ts';
import { Checkpoints } from '../run/checkpoint.ts';
import { stoppable } from '../run/interrupt.ts';
import type { RunDirectory } from '../run/run-directory.ts';
import type { Terminal } from '../terminal.ts';
import { progressBar } from '../text-table.ts';
import { descriptionPath } from './recogniser.ts';
import { tuneRecogniser, type Tuned, type TuneRequest } from './tune.ts';

export interface TuneInRunRequest extends Omit<TuneRequest, 'from' | 'save' | 'saveEvery' | 'keepBroken' | 'onProgress' | 'signal'> {
  readonly run: RunDirectory;
  /** Of its checkpoints. */
  readonly name: string;
  /** What progress and notes start with. */
  readonly title?: string;
  readonly terminal: Terminal;
}

/**
 * Trains with checkpoints in a run directory: goes on from the last one, leaves one when the user stops it or when training breaks down.
 * The checkpoint stays when training is done, so that what follows can be repeated without it.
 * @throws Interrupted when the process was asked to end
 * @throws CoppiceError `COPPICE_LOSS_NOT_FINITE` says where the last good weights are, and what `tuneRecogniser` throws
 */
export async function tuneInRun({ run, name, title = '', terminal, ...request }: TuneInRunRequest): Promise<Tuned> {
  const { settings: { steps, evaluateEvery }, recogniser: { description } } = request;
  const checkpoints = new Checkpoints(run, name);
  const from = checkpoints.load();
  if (from && from.step < steps) terminal.log(`${title}going on after step ${from.step} of ${steps}`);
  const left = paceOf(steps);
  return stoppable(terminal, async ({ signal, interrupted }) => {
    const tuned = await tuneRecogniser({
      ...request, from, signal,
      save: (state) => checkpoints.save(state),
      saveEvery: Math.max(20, Math.min(evaluateEvery, Math.round(steps / 10))),
      keepBroken(state, { model, step }) {
        checkpoints.save(state);
        const path = run.file(`${name}-before-break.onnx`);
        writeModel(model, path, { force: true });
        writeText(descriptionPath(path), writeDescription(description), true);
        return `The checkpoint of step ${state.step} is in ${join(run.path, 'checkpoints')}, and ${path} is a model with the weights of step ${step}: \`coppice finetune\` goes on from it.`;
      },
      onProgress: ({ step, loss, bestErrorRate }) => terminal.progress(`${title}${progressBar(step, steps)} step ${step} of ${steps}, loss ${loss.toFixed(2)}${bestErrorRate === undefined ? '' : `, held-out errors ${(100 * bestErrorRate).toFixed(1)} %`}${left(step)}`),
    });
    if (signal.aborted) throw interrupted(`${title}stopped after step ${tuned.steps} of ${steps}; the same command goes on there`);
    return tuned;
  });
}
