import { CoppiceError, dataTypes, toFloat32 } from '@coppice/graph';
import type { Units } from '../analysis/units.ts';
import type { Gradients } from '../scorer.ts';
import { gather } from './gather.ts';
import { countOf, type ScoreOptions } from './options.ts';
import { NOTHING, type Scoring } from './session.ts';
import type { WeightPart } from './sites.ts';
import { placeOf, readWeights } from './slices.ts';

const FLOATS: ReadonlySet<number> = new Set([dataTypes.float32, dataTypes.float16, dataTypes.float64, dataTypes.bfloat16]);

/**
 * Hands over the gradients of each batch beside the weights. An initializer without a gradient has zeros: integers (quantised weights,
 * tables of indices), which have none, and what the caller left out. Both are noted once.
 * @throws CoppiceError `COPPICE_SCORER_INVALID` when no gradients were given; `COPPICE_INPUT_INVALID` when there is no batch, and for
 * gradients of another model, of another shape, or that are not finite
 */
export async function addGradients(units: Units, session: Scoring, parts: readonly WeightPart[], { gradients, onProgress, onNote }: ScoreOptions): Promise<void> {
  const { name } = session.scorer;
  if (!gradients) throw new CoppiceError('COPPICE_SCORER_INVALID', `The scorer '${name}' needs gradients, and none were given. Give those of some batches of labelled data ('gradientsOf' of @coppice/autodiff computes them), or choose a scorer that needs weights or activations.`);
  const { values } = units.analysed.program;
  const byValue = Map.groupBy(parts, ({ value }) => value);
  const total = countOf(gradients);
  const lacking = new Set<number>();
  let done = 0;
  for await (const batch of gradients) {
    for (const [value, slices] of byValue) {
      const gradient = gradientOf(units, value, batch, session);
      if (!gradient) lacking.add(value);
      addSlices(units, session, value, slices, gradient);
    }
    if (done === 0 && byValue.size > 0 && lacking.size === byValue.size) {
      throw new CoppiceError('COPPICE_INPUT_INVALID', `The scorer '${name}' was given gradients of ${[...batch.keys()].slice(0, 3).map((key) => `'${key}'`).join(', ') || 'nothing'}, and the units have floating-point weights in none of these. Differentiate the model that the units are of.`);
    }
    await session.endBatch();
    onProgress?.({ stage: 'gradients', done: ++done, total });
  }
  session.assertBatches('gradients');
  // Nobody would differentiate with respect to running statistics.
  const missed = [...lacking].filter((value) => !byValue.get(value)!.every(isStatistic));
  const [integers, others] = [true, false].map((integer) => missed.filter((value) => FLOATS.has(values[value].elementType) !== integer).map((value) => `'${values[value].name}'`));
  const list = (names: readonly string[]) => (names.length > 4 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', '));
  if (integers.length > 0) onNote?.(`Scorer '${name}': integers have no gradient, so those of ${list(integers)} count as zero. Fold quantised weights to floating point first.`);
  if (others.length > 0) onNote?.(`Scorer '${name}': no gradients were given for ${list(others)}, so they count as zero.`);
}

const isStatistic = ({ use }: WeightPart): boolean => use?.operator === 'BatchNormalization' && (use.operand === 'input_mean' || use.operand === 'input_var');

/** The checked gradient of an initializer in one batch; undefined where it has none. */
function gradientOf(units: Units, value: number, batch: Gradients, { scorer, batches }: Scoring): Float32Array | undefined {
  const { name, tensor, elementType } = units.analysed.program.values[value];
  const given = FLOATS.has(elementType) ? batch.get(name) : undefined;
  if (!given) return undefined;
  const dims = tensor!.dims.map(Number);
  const refuse = (fault: string, next: string) =>
    new CoppiceError('COPPICE_INPUT_INVALID', `The gradient of '${name}' that the scorer '${scorer.name}' was given for batch ${batches} ${fault}. ${next}`);
  if (given.dims.length !== dims.length || given.dims.some((size, a) => size !== dims[a])) throw refuse(`has dimensions [${given.dims.join(', ')}] instead of [${dims.join(', ')}]`, 'Differentiate the model that the units are of.');
  const data = toFloat32(given);
  if (!data.every(Number.isFinite)) throw refuse('is infinite or not a number', 'Look at the loss of that batch: labels may not fit their frames.');
  return data;
}

function addSlices(units: Units, session: Scoring, value: number, slices: readonly WeightPart[], gradient: Float32Array | undefined): void {
  const dims = units.analysed.program.values[value].tensor!.dims.map(Number);
  const beside = gradient ?? new Float32Array(dims.reduce((p, n) => p * n, 1));
  const weights = session.needs('weights') ? readWeights(units, value).data : undefined;
  for (const part of slices) {
    session.add({ ...placeOf(units, part), weights: weights ? gather(weights, dims, [part]) : NOTHING, gradients: gather(beside, dims, [part]) }, gradient !== undefined);
  }
}
