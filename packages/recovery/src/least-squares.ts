import { gather, scatter, type Backend, type CompileOptions, type NamedTensors, type Part, type Units } from '@coppice/core';
import { graphOf, readTensor, toFloat32, type Tensor } from '@coppice/graph';
import { exposing, observe, type Batches } from './exposed.ts';
import { explain, Gram } from './gram.ts';
import { findConsumers, type ConsumerPlace, type LinearConsumer } from './linear-consumers.ts';

/** What `reconstruct` takes. */
export interface ReconstructOptions {
  readonly backend: Backend;
  readonly compile?: CompileOptions;
  /** Calibration batches, read once; labels in them are not looked at. */
  readonly data: Batches;
  /**
   * What is rebuilt from what. `unit`: a removed unit from kept ones, alike for all indices that they have in one place. `index`: each
   * index from all indices of kept units (a channel's mel band also from other bands), where a place has several for a unit; never worse
   * on the calibration data, but with as many coefficients more it needs more of them, and time and memory. Default `unit`.
   */
  readonly from?: 'unit' | 'index';
  /** λ of the ridge over the mean square of what is shown of the kept units. Default 1e-4. */
  readonly ridge?: number;
  /** Batches done. */
  readonly onProgress?: (batches: number) => void;
}

/** A consumer whose weights were adapted. */
export interface ReconstructedConsumer extends ConsumerPlace {
  /** Removed units that it read. */
  readonly units: number;
  /** The share of the energy of what it read from them that the kept ones cannot give: 0 = all is rebuilt, 1 = nothing. */
  readonly unexplained: number;
}

/** A consumer whose weights stayed, or stayed in part. */
export interface UnchangedConsumer extends ConsumerPlace {
  /** Removed units that it read. */
  readonly units: number;
  readonly why: string;
}

/** Weights of the unpruned model with which its cut does more of what the whole did. */
export interface Reconstruction {
  /** New contents of initializers of `units.analysed.program.model`, for `unitsWithWeights`. */
  readonly weights: NamedTensors;
  readonly consumers: readonly ReconstructedConsumer[];
  readonly unchanged: readonly UnchangedConsumer[];
}

/** A unit, or one index of it: where it is shown, and where the weights lie that it meets there. */
interface Feature {
  readonly unit: number;
  readonly shown: readonly Part[];
  readonly slices: readonly Part[];
}

/** Features that are interchangeable for a consumer. */
interface Fit {
  readonly kept: readonly Feature[];
  readonly removed: readonly Feature[];
  /** The products of what it reads of them, kept before removed; of all consumers that read the same. */
  readonly products: Products;
}

interface Products {
  readonly value: number;
  readonly parts: readonly (readonly Part[])[];
  readonly gram: Gram;
}

/**
 * Closed-form reconstruction of the consumers of removed units, from activations alone. For the removed units r and the kept units k that
 * a consumer reads at one place of the original model, A = argmin ‖X_r − X_k A‖² + λ‖A‖², and W[k] += Σ_r A[k, r] · W[r]. A sample is a
 * position: batch, time, space, or another index of the same unit (a channel's mel bands, flattened). Products are not centred and no
 * intercept is fitted, so that the padding of convolutions stays as good as it was and no bias is needed. Cut the model
 * with the new weights: `cutModel(unitsWithWeights(units, weights), removed)`.
 *
 * For MatMul and Gemm that is the least-squares optimum of their output on the data; a convolution gets one A for all of its taps, a
 * recurrent matrix one for each direction, from the states that the layer gave out. Elements that are not units (frozen ones) rebuild
 * nothing. Batches are read once; memory: one batch, and 8·n² bytes for each place where n units are read. He et al. 2017 (channel
 * pruning), equation 3; Luo et al. 2017 (ThiNet), equation 7.
 * @param removed ids of units
 * @throws CoppiceError `COPPICE_INPUT_INVALID` when there is no batch; what the backend throws
 */
export async function reconstruct(units: Units, removed: Iterable<number>, { backend, compile, data, from = 'unit', ridge = 1e-4, onProgress }: ReconstructOptions): Promise<Reconstruction> {
  const gone = new Set(removed);
  const { program } = units.analysed;
  const { linear, others } = findConsumers(units);
  const goneOf = (list: Iterable<number>): number => [...list].filter((id) => gone.has(id)).length;
  const unchanged: UnchangedConsumer[] = others.map(({ units: list, ...place }) => ({ ...place, units: goneOf(list) })).filter((place) => place.units > 0);
  const shared = new Map<string, Products>();
  const planned = linear.map((consumer) => ({ consumer, fits: fitsOf(consumer, gone, from, shared) })).filter(({ fits }) => fits.length > 0);

  const seen = Map.groupBy(shared.values(), ({ value }) => value);
  const observed = exposing(program, [...seen.keys()].filter((id) => !program.inputs.includes(id)));
  await observe(observed, { backend, compile, batches: data, purpose: 'the reconstruction' }, (values, batch) => {
    for (const [id, list] of seen) {
      const shown = values[program.values[id].name];
      const elements = toFloat32(shown);
      for (const { parts, gram } of list) gram.add(parts.map((places) => gather(elements, shown.dims, places)));
    }
    onProgress?.(batch + 1);
  });

  const explained = new Map([...shared.values()].map((products) => [products, explain(products.gram, ridge)]));
  const weights: Record<string, Tensor> = {};
  const consumers: ReconstructedConsumer[] = [];
  for (const { consumer: { node, operator, operand, initializer }, fits } of planned) {
    const place = { node, operator, operand, initializer };
    const found = fits.map((fit) => ({ fit, ...explained.get(fit.products)! }));
    const good = found.filter(({ fit, coefficients }) => fit.kept.length > 0 && coefficients.every(Number.isFinite));
    const count = (list: readonly { fit: Fit }[]): number => new Set(list.flatMap(({ fit }) => fit.removed.map(({ unit }) => unit))).size;
    if (count(good) < count(found)) unchanged.push({ ...place, units: count(found) - count(good), why: 'no unit in the same place is kept, or what it reads is not finite' });
    if (good.length === 0) continue;
    weights[initializer] ??= copyOf(units, initializer);
    for (const { fit, coefficients } of good) fold(weights[initializer], fit, coefficients);
    const energy = good.reduce((sum, e) => sum + e.energy, 0);
    consumers.push({ ...place, units: count(good), unexplained: energy > 0 ? good.reduce((sum, e) => sum + e.unexplained * e.energy, 0) / energy : 0 });
  }
  return { weights, consumers, unchanged };
}

/** Features can stand for one another where they have the same form, in the value that is read and in the weights that read it. */
function fitsOf(consumer: LinearConsumer, gone: ReadonlySet<number>, from: 'unit' | 'index', shared: Map<string, Products>): Fit[] {
  const { value } = consumer;
  const classes = Map.groupBy(featuresOf(consumer, from), ({ shown, slices }) => `${formOf(shown)} ${formOf(slices)}`);
  return [...classes.values()].flatMap((members) => {
    const [kept, removed] = [false, true].map((away) => members.filter(({ unit }) => gone.has(unit) === away));
    if (removed.length === 0) return [];
    const parts = [...kept, ...removed].map(({ shown }) => shown);
    const key = `${value} ${kept.length} ${JSON.stringify(parts.map((places) => places.map(({ axis, indices, within }) => [axis, indices, [...(within ?? [])]])))}`;
    return [{ kept, removed, products: shared.get(key) ?? shared.set(key, { value, parts, gram: new Gram(parts.length, kept.length) }).get(key)! }];
  });
}

function featuresOf({ shown, slices }: LinearConsumer, from: 'unit' | 'index'): Feature[] {
  const features = [...slices].flatMap(([unit, parts]): Feature[] => (shown.has(unit) ? [{ unit, shown: shown.get(unit)!, slices: parts }] : [])).sort((a, b) => a.unit - b.unit);
  if (from === 'unit') return features;
  return features.flatMap((feature) => {
    const count = feature.shown[0].indices.length;
    if ([...feature.shown, ...feature.slices].some(({ indices }) => indices.length !== count)) return [feature];
    const only = (parts: readonly Part[], k: number): Part[] => parts.map((part) => ({ ...part, indices: [part.indices[k]] }));
    return Array.from({ length: count }, (_, k) => ({ unit: feature.unit, shown: only(feature.shown, k), slices: only(feature.slices, k) }));
  });
}

const formOf = (parts: readonly Part[]): string => JSON.stringify(parts.map(({ axis, indices, within }) => [axis, indices.length, [...(within ?? [])].sort(([a], [b]) => a - b)]));

function copyOf({ analysed: { program } }: Units, initializer: string): Tensor {
  const tensor = readTensor(program.model, graphOf(program.model).initializer.find(({ name }) => name === initializer)!);
  return { ...tensor, data: Float32Array.from(tensor.data as Float32Array) };
}

/**
 * W[k] += Σ_r A[k, r] · W[r], in place.
 * @param coefficients A [kept, removed]
 */
function fold({ dims, data }: Tensor, { kept, removed }: Fit, coefficients: Float64Array): void {
  const matrix = data as Float32Array;
  const leaving = removed.map(({ slices }) => gather(matrix, dims, slices));
  kept.forEach(({ slices }, k) => {
    const sums = Float64Array.from(gather(matrix, dims, slices));
    leaving.forEach((slice, r) => {
      const share = coefficients[k * removed.length + r];
      for (let e = 0; e < sums.length; e++) sums[e] += share * slice[e];
    });
    scatter(sums, matrix, dims, slices);
  });
}
