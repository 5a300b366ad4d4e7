import { flattenModel, type Backend, type CompileOptions, type NamedTensors, type Program } from '@coppice/core';
import { CoppiceError, dataTypes, toFloat32, type Model, type Tensor } from '@coppice/graph';
import { exposing, observe, type Batches } from './exposed.ts';
import { withWeights } from './weights.ts';

/** What `recalibrateNorms` takes. */
export interface RecalibrateOptions {
  readonly backend: Backend;
  readonly compile?: CompileOptions;
  /** The calibration batches, asked for anew for each norm. */
  readonly data: () => Batches;
  /** Norms done, of all. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** New statistics of batch norms. */
export interface RecalibratedNorms {
  /** Running means and variances by initializer, float32 [channel]; for `withWeights`. */
  readonly weights: NamedTensors;
  /** Names of the norms that have new statistics, in the order of the graph. */
  readonly norms: readonly string[];
  /** Sentences about what was left as it was. */
  readonly notes: readonly string[];
}

/** A batch norm whose statistics can be replaced. */
interface Norm {
  readonly name: string;
  /** Id of the value that it normalises. */
  readonly input: number;
  readonly mean: string;
  readonly variance: string;
}

/**
 * Measures the running mean and variance of every batch norm anew: a cut changes what the norms behind it see. The statistics of a norm
 * are those of its input over all positions of all batches together, in float64, the variance with divisor n (as in inference on all of
 * them as one batch). Norms are done one after another in the order of the graph, each seeing what the recalibrated ones before it give:
 * that takes one pass over the data for each norm, but is exact and the same again when repeated, which a moving average or one pass with
 * the statistics of each batch is not. He, Sainath et al. 2018 (AMC) and Li et al. 2020 (EagleEye, 3.3) show how much it gives back.
 * @throws CoppiceError `COPPICE_INPUT_INVALID` when there is no batch or a norm sees a value that is not finite; what the backend throws
 */
export async function recalibrateNorms(model: Model, { backend, compile, data, onProgress }: RecalibrateOptions): Promise<RecalibratedNorms> {
  const { norms, notes } = findNorms(flattenModel(model));
  const weights: Record<string, Tensor> = {};
  for (const [k, { name, input, mean, variance }] of norms.entries()) {
    const program = flattenModel(withWeights(model, weights));
    const statistics = new ChannelStatistics();
    const value = program.values[input].name;
    const shown = program.inputs.includes(input) ? [] : [input];
    await observe(exposing(program, shown), { backend, compile, batches: data(), purpose: 'the statistics of batch norms' }, (values) => statistics.add(values[value]));
    if (!statistics.finite) throw new CoppiceError('COPPICE_INPUT_INVALID', `The batch norm '${name}' reads values that are not finite. Look for a broken recording in the calibration data, or for broken weights before that norm.`);
    weights[mean] = tensorOf(statistics.mean);
    weights[variance] = tensorOf(statistics.variance);
    onProgress?.(k + 1, norms.length);
  }
  return { weights, norms: norms.map(({ name }) => name), notes };
}

const tensorOf = (numbers: Float64Array): Tensor => ({ dtype: 'float32', dims: [numbers.length], data: Float32Array.from(numbers) });

function findNorms(program: Program): { norms: Norm[]; notes: string[] } {
  const steps = program.steps.filter(({ node }) => node.op === 'BatchNormalization' && node.domain === '');
  const readers = new Map<number, number>();
  for (const { inputs } of program.steps) for (const id of new Set(inputs)) readers.set(id, (readers.get(id) ?? 0) + 1);
  const norms: Norm[] = [];
  const notes: string[] = [];
  for (const step of steps) {
    const name = step.node.name || step.node.outputs[0];
    const obstacle = obstacleOf(program, step, readers);
    if (obstacle) notes.push(`The batch norm '${name}' keeps its statistics: ${obstacle}.`);
    else norms.push({ name, input: step.inputs[0], mean: program.values[step.inputs[3]].name, variance: program.values[step.inputs[4]].name });
  }
  if (steps.length === 0) notes.push('The model has no batch norms (perhaps they were folded into the layers before them), so there are no statistics to measure.');
  return { norms, notes };
}

function obstacleOf({ values }: Program, { node, inputs, scope }: Program['steps'][number], readers: ReadonlyMap<number, number>): string | undefined {
  const statistics = inputs.slice(3, 5).map((id) => values[id]);
  if (scope.parent !== undefined) return 'it is inside the body of a Loop, Scan or If';
  if (node.attributes.training_mode === 1) return 'it uses those of each batch anyway';
  if (node.legacy.spatial === false) return 'it has one for each element, not for each channel';
  if (statistics.some(({ tensor, scope: { graph } }) => !tensor || !graph.initializer.includes(tensor))) return 'they are not initializers';
  if ([...statistics, values[inputs[0]]].some(({ elementType }) => elementType !== dataTypes.float32)) return 'it does not compute in float32';
  if (statistics[0] === statistics[1] || statistics.some(({ id }) => readers.get(id) !== 1)) return 'something else reads them too';
  return undefined;
}

/** Mean and variance of each channel over batches. Chan, Golub & LeVeque 1983, equation 1.5. */
class ChannelStatistics {
  mean = new Float64Array();
  #squares = new Float64Array();
  #count = 0;

  /** With divisor n. */
  get variance(): Float64Array {
    return this.#squares.map((sum) => sum / this.#count);
  }

  get finite(): boolean {
    return this.#count > 0 && this.mean.every(Number.isFinite) && this.#squares.every(Number.isFinite);
  }

  /** @param shown [batch, channel, …] */
  add(shown: Tensor): void {
    const [batch, channels, ...space] = shown.dims;
    const positions = space.reduce((product, n) => product * n, 1);
    const count = batch * positions;
    if (count === 0) return;
    if (this.#count === 0) [this.mean, this.#squares] = [new Float64Array(channels), new Float64Array(channels)];
    const elements = toFloat32(shown);
    const total = this.#count + count;
    for (let c = 0; c < channels; c++) {
      let sum = 0;
      for (let n = 0; n < batch; n++) for (let p = 0, at = (n * channels + c) * positions; p < positions; p++) sum += elements[at + p];
      const mean = sum / count;
      let squares = 0;
      for (let n = 0; n < batch; n++) for (let p = 0, at = (n * channels + c) * positions; p < positions; p++) squares += (elements[at + p] - mean) ** 2;
      const apart = mean - this.mean[c];
      this.mean[c] += (apart * count) / total;
      this.#squares[c] += squares + (apart * apart * this.#count * count) / total;
    }
    this.#count = total;
  }
}
