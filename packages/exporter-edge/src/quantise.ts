import type { Backend } from '@coppice/core';
import { CoppiceError, type Model } from '@coppice/graph';
import { chooseQuantization, finishModel, quantize, toFloat16, type CalibrationOptions, type CalibrationRuns, type FinishStep, type OperatorChoice, type QuantizedOperator } from '@coppice/quantize';

/** What a user asks of the model's numbers. */
export const quantiseChoices = ['none', 'int8', 'int8-dynamic', 'weight-int8', 'weight-int4', 'float16', 'auto'] as const;
export type QuantiseChoice = (typeof quantiseChoices)[number];

export interface PrepareOptions {
  readonly choice: QuantiseChoice;
  /** Runs the model, and says how long it takes: best what it will run on. */
  readonly backend: Backend;
  /** Representative inputs, for the ranges of activations. */
  readonly runs?: CalibrationRuns;
  /** How ranges come of what was seen. Default `min-max`. */
  readonly calibration?: CalibrationOptions;
  /** For `auto`: what must not get worse, smaller being better, e.g. the error rate on recordings that are not the test. */
  readonly metric?: (model: Model) => Promise<number>;
  readonly onProgress?: (text: string) => void;
}

export interface PreparedModel {
  readonly model: Model;
  /** For the manifest. */
  readonly quantisation: string;
  readonly steps: readonly FinishStep[];
  /** What became of each operator, where something was asked for; with `auto` what was measured of it. */
  readonly table?: readonly (QuantizedOperator | OperatorChoice)[];
}

/**
 * Finishes a model for export (batch norms, constants and identities folded, each step proved by running it), and quantises it if asked:
 * `int8` all that can be, with ranges measured beforehand (`int8-dynamic`: in each run), `weight-int8` and `weight-int4` weights alone, `float16` half the bytes, `auto` operator
 * by operator what is faster or smaller and costs no accuracy.
 * @throws CoppiceError `COPPICE_ARGUMENT_INVALID` without runs, and what `finishModel` and `quantize` throw
 */
export async function prepareForExport(model: Model, { choice, backend, runs, calibration, metric, onProgress }: PrepareOptions): Promise<PreparedModel> {
  const finished = await finishModel(model, backend);
  if (choice === 'none') return { ...finished, quantisation: 'none' };
  if (choice === 'float16') return { ...finished, model: toFloat16(finished.model), quantisation: 'float16' };
  if (choice === 'int8-dynamic' || choice === 'weight-int8' || choice === 'weight-int4') return quantised(finished, await quantize(finished.model, backend, noRuns, { mode: choice }));
  if (runs === undefined) throw new CoppiceError('COPPICE_ARGUMENT_INVALID', 'Quantising needs sound to measure the ranges of activations on. Name a corpus with --dataset, or recordings with --audio.');
  if (choice === 'int8') return quantised(finished, await quantize(finished.model, backend, runs, { mode: 'int8-static', ...(calibration && { calibration }) }));
  return quantised(finished, await chooseQuantization(finished.model, backend, runs, { ...(calibration && { calibration }), metric, onProgress: (done, of, { node }) => onProgress?.(`${done} of ${of}: ${node}`) }));
}

/** Where no ranges are measured beforehand. */
async function* noRuns(): AsyncGenerator<never, undefined> {
  yield* [];
  return undefined;
}

const quantised = ({ steps }: Pick<PreparedModel, 'steps'>, { model, table }: Required<Pick<PreparedModel, 'model' | 'table'>>): PreparedModel => ({ model, steps, quantisation: wordsFor(table), table });

/** E.g. `int8-static 4, weight-int8 2, float 1`: how many operators with weights have which form. */
function wordsFor(table: readonly QuantizedOperator[]): string {
  const forms = new Map<string, number>();
  for (const { form, bytesBefore } of table) if (bytesBefore > 0) forms.set(form, (forms.get(form) ?? 0) + 1);
  if ([...forms.keys()].every((form) => form === 'float')) return 'none';
  return [...forms].sort(([a], [b]) => Number(a === 'float') - Number(b === 'float')).map(([form, count]) => `${form} ${count}`).join(', ');
}
