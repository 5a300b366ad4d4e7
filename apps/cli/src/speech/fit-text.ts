import type { Terminal } from '../terminal.ts';
import type { Evaluation } from './evaluate.ts';
import { evaluationReport, printEvaluation } from './evaluation-text.ts';
import type { Tuned } from './tune.ts';

export interface FitText {
  /** The file that was written. */
  readonly out: string;
  /** The run directory. */
  readonly run: string;
  readonly tuned: Pick<Tuned, 'steps' | 'bestStep' | 'history'>;
  readonly evaluation?: Evaluation;
  /** Where it was evaluated. */
  readonly split: string;
  /** Said of the model first. */
  readonly about?: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

/** What came out of a training, for people or programs. */
export function printFit({ out, run, tuned: { steps, bestStep, history }, evaluation, split, about = '', json, terminal }: FitText): void {
  if (json) {
    terminal.print(JSON.stringify({ model: out, run, steps, bestStep, history, ...(evaluation && { test: evaluationReport(evaluation) }) }, undefined, 2));
    return;
  }
  terminal.print(`${out}  ${about}the weights of step ${bestStep} of ${steps}`);
  if (evaluation) printEvaluation([{ name: out, evaluation }], { split, terminal });
}
