import { CoppiceError, elementCount, fromFloat32, newTensorData, type DataType, type Tensor } from '@coppice/graph';
import type { NamedTensors } from './backend.ts';
import { kindsOf, type RunSizes } from './input-sizes.ts';
import { isFloat, isInteger, isLength, sizeKey, type InputSpec } from './inputs.ts';
import { createRandom, type Random } from './random.ts';

const SAMPLE_RATE = /^(sr|fs|(sample|sampling)_?rate(_hz)?)$/i;
const MASK = /mask/i;

/**
 * Values for the inputs: floats standard normal; masks true but for the end of their last axis; lengths as long as the input they
 * belong to, the first item full; sampling rates 16000; other integers random rows of the table they look up, or 0 and 1.
 * Each input has its own stream of random numbers, so adding one leaves the others as they are.
 * @param sizes for every open dimension of `specs`, by `sizeKey`
 * @throws CoppiceError `COPPICE_TRACE_FAILED` for an input of unknown rank or of strings
 */
export function makeInputs(specs: readonly InputSpec[], sizes: RunSizes, seed: number | string): NamedTensors {
  return Object.fromEntries(specs.map((spec) => {
    if (spec.dims === undefined || !(isInteger(spec.dtype) || isFloat(spec.dtype) || spec.dtype === 'bool')) {
      const why = spec.dims === undefined ? 'the file does not say how many axes it has' : `it holds ${spec.dtype} values`;
      throw new CoppiceError('COPPICE_TRACE_FAILED', `No default can be made for the input '${spec.name}': ${why}. Give one with --input ${spec.name}=file.npy.`);
    }
    const dims = sizedDims(spec, sizes);
    const data = fill(spec, dims, createRandom(`${seed}/${spec.name}`), specs, sizes);
    return [spec.name, { dtype: spec.dtype, dims, data } satisfies Tensor];
  }));
}

const sizedDims = (spec: InputSpec, sizes: RunSizes): number[] =>
  (spec.dims ?? []).map((dim, axis) => sizes[`${spec.name}:${axis}`] ?? (typeof dim === 'number' ? dim : sizes[sizeKey(spec, axis)]));

function fill(spec: InputSpec, dims: readonly number[], random: Random, specs: readonly InputSpec[], sizes: RunSizes): Tensor['data'] {
  const { name, dtype, vocabulary } = spec;
  const count = elementCount(dims);
  if (isFloat(dtype)) {
    // Lengths in floats are fractions of the longest item.
    const values = isLength(spec) ? shrinking(count, 1, (share) => share) : Float32Array.from({ length: count }, () => random.normal());
    return fromFloat32(Float32Array.from(values), dtype);
  }
  if (dtype === 'bool' || (MASK.test(name) && dims.length > 0)) return converted(dtype, mask(dims));
  if (SAMPLE_RATE.test(name)) return converted(dtype, Array.from({ length: count }, () => 16000));
  if (isLength(spec)) return converted(dtype, shrinking(count, lengthFor(spec, specs, sizes), Math.round));
  return converted(dtype, Array.from({ length: count }, () => random.integer(Math.max(vocabulary ?? 2, 1))));
}

function converted(dtype: DataType, values: ArrayLike<number>): Tensor['data'] {
  const data = newTensorData(dtype, values.length);
  const convert = dtype === 'int64' || dtype === 'uint64' ? BigInt : Number;
  for (let k = 0; k < values.length; k++) data[k] = convert(values[k]);
  return data;
}

/** 1 but for the last positions of the last axis: a quarter of them, at most 3. */
function mask(dims: readonly number[]): Uint8Array {
  const width = dims.at(-1) ?? 1;
  const kept = width - Math.min(3, Math.floor(width / 4));
  return Uint8Array.from({ length: elementCount(dims) }, (_, k) => (k % width < kept ? 1 : 0));
}

/** The longest first, each next one a tenth shorter, none shorter than half. */
const shrinking = (count: number, longest: number, round: (length: number) => number): number[] =>
  Array.from({ length: count }, (_, k) => round(longest * Math.max(1 - k / 10, 0.5)));

/** The length that a length input belongs to: that of the input whose name begins most alike, else of the first one with a length. */
function lengthFor(spec: InputSpec, specs: readonly InputSpec[], sizes: RunSizes): number {
  const kinds = kindsOf(specs);
  const candidates = specs.flatMap((other) => {
    if (isLength(other)) return [];
    const axis = (other.dims ?? []).findLastIndex((dim, k) => typeof dim !== 'number' && kinds.get(sizeKey(other, k)) !== 'batch');
    return axis < 0 ? [] : [{ likeness: commonPrefix(other.name, spec.name), length: sizedDims(other, sizes)[axis] }];
  });
  const best = candidates.reduce<{ likeness: number; length: number } | undefined>((a, b) => (a && a.likeness >= b.likeness ? a : b), undefined);
  // Everything is fixed: the longest axis of the first input is time as likely as any.
  return best?.length ?? Math.max(1, ...(specs.find((other) => !isLength(other))?.dims?.filter((dim) => typeof dim === 'number') ?? []));
}

function commonPrefix(a: string, b: string): number {
  let length = 0;
  while (length < Math.min(a.length, b.length) && a[length].toLowerCase() === b[length].toLowerCase()) length++;
  return length;
}
