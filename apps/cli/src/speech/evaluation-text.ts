import { compareSystems, type Comparison } from '@coppice/speech';
import { formatShare } from '../human-numbers.ts';
import type { Terminal } from '../terminal.ts';
import { tableLines } from '../text-table.ts';
import type { Evaluation } from './evaluate.ts';

/** A model that was evaluated. */
export interface EvaluatedModel {
  readonly name: string;
  readonly evaluation: Pick<Evaluation, 'errors' | 'interval'> & Partial<Evaluation>;
}

/** What programs read of an evaluation. */
export const evaluationReport = ({ errors: { utterances, ...errors }, interval, heard, lossPerLabel }: Evaluation) => ({ ...errors, utterances: utterances.length, interval, lossPerLabel, heard });

/** Short names of what is counted. */
export const rateName = { word: 'WER', character: 'CER', phone: 'PER' } as const;

/** A table of error rates, and how the models after the first one differ from it. */
export function printEvaluation(models: readonly EvaluatedModel[], { split, terminal: { print, paint } }: { readonly split: string; readonly terminal: Terminal }): void {
  const { errors: { unit, normaliser, utterances, length } } = models[0].evaluation;
  const [head, ...lines] = tableLines({
    columns: [{ title: 'model', atMost: 44 }, { title: rateName[unit], align: 'right' }, { title: '95 % interval', align: 'right' }, { title: 'substituted', align: 'right' }, { title: 'deleted', align: 'right' }, { title: 'inserted', align: 'right' }],
    rows: models.map(({ name, evaluation: { errors, interval } }) => [name, formatShare(errors.rate), `${formatShare(interval.low)} – ${formatShare(interval.high)}`, String(errors.substitutions), String(errors.deletions), String(errors.insertions)]),
  });
  print(paint('bold', head));
  for (const line of lines) print(line);
  for (const { name, evaluation } of models.slice(1)) print(differenceText(models[0].evaluation, evaluation, name));
  print(paint('dim', `${utterances.length} utterances of '${split}', ${length} ${unit}s, normaliser ${normaliser}`));
}

type Compared = EvaluatedModel['evaluation'];

/** How a model differs from the first one on the same utterances. */
export const compareEvaluations = (first: Compared, second: Compared): Comparison => compareSystems(first.errors.utterances, second.errors.utterances);

/** One sentence about that. */
export function differenceText(first: Compared, second: Compared, name: string): string {
  const { difference, interval, pValue } = compareEvaluations(first, second);
  const points = (value: number): string => `${value >= 0 ? '+' : '−'}${Math.abs(100 * value).toFixed(2)}`;
  return `${name}: ${points(difference)} points (${points(interval.low)} … ${points(interval.high)}), ${pValue < 0.05 ? 'a significant difference' : 'no significant difference'} (p ${pValue < 0.001 ? '< 0.001' : `= ${pValue.toFixed(3)}`}, paired)`;
}
