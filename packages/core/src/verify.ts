import { CoppiceError, dataTypeOf, elementBits, graphOf, toFloat32, type DataType, type Model, type Tensor } from '@coppice/graph';
import type { Units } from './analysis/units.ts';
import type { Backend, NamedTensors } from './backend.ts';
import { kindsOf } from './input-sizes.ts';
import { makeInputs } from './input-values.ts';
import { describeInputs } from './inputs.ts';
import { axisCuts } from './surgery/axis-cuts.ts';
import { compress } from './surgery/compress.ts';
import { cutModel } from './surgery/cut.ts';
import { Kept } from './surgery/kept.ts';
import { maskModel } from './surgery/mask.ts';
import type { Trace } from './trace.ts';

/** How the largest difference of one output compares with what its type allows. */
export interface OutputDifference {
  readonly output: string;
  readonly dtype: DataType;
  /** Largest |slim − masked|. */
  readonly absolute: number;
  /** The same over the largest |masked| (plus 0.01). */
  readonly relative: number;
  readonly tolerance: number;
  readonly finite: boolean;
}

export interface Verdict {
  readonly equal: boolean;
  /** `exact`: the same function up to rounding. `to a norm`: norms run on the kept width (`--norm shrink`), so the slim model differs there by design. */
  readonly kind: 'exact' | 'to a norm';
  readonly runs: number;
  readonly worst: OutputDifference;
  readonly differences: readonly OutputDifference[];
}

export interface VerifyOptions {
  /** Inputs to compare on, whole (not narrowed). Default: those of the trace. */
  readonly inputs?: readonly NamedTensors[];
  /** Overrides the tolerance that follows from the element types. */
  readonly tolerance?: number;
}

/** What counts as small in an output: probabilities near zero are still computed from values near one. */
const SMALL = 0.01;

/** Relative tolerance by element type: rounding over some hundred layers, and the steps of quantised arithmetic. */
const TOLERANCE: Partial<Record<DataType, number>> = { float32: 1e-4, float16: 1e-2, bfloat16: 5e-2, float64: 1e-9 };
const DYNAMIC = new Set(['DynamicQuantizeLSTM', 'DynamicQuantizeLinear', 'DynamicQuantizeMatMul', 'QuantizeLinear']);

/** Sums of up to so many terms round within the usual tolerance. */
const SHORT_SUM = 1024;

/**
 * The tolerance for a model: that of its coarsest arithmetic. Quantisation to 8 bits may fall on the other side of a rounding, and a norm
 * over channels and time together sums many thousand terms, one by one in some runtimes, so that the order of the terms shows.
 */
export function toleranceOf(units: Units): number {
  const { program } = units.analysed;
  let tolerance = TOLERANCE.float32!;
  for (const { elementType, tainted } of program.values) if (tainted && elementType) tolerance = Math.max(tolerance, TOLERANCE[dataTypeOf(elementType)] ?? 0);
  if (program.steps.some(({ node }) => DYNAMIC.has(node.op))) tolerance = Math.max(tolerance, 5e-2);
  return tolerance * Math.max(1, Math.sqrt(longestNorm(units) / SHORT_SUM));
}

/** The largest number of elements that one norm over a prunable axis takes its statistics of, in the larger run. */
function longestNorm({ analysed }: Units): number {
  let longest = 0;
  for (const { region, inputs } of analysed.steps) {
    if (!region) continue;
    for (const run of analysed.trace.runs) {
      const shape = run.shapes[inputs[0]];
      if (shape) longest = Math.max(longest, region.axes.reduce((p, a) => p * shape[a], 1));
    }
  }
  return longest;
}

/**
 * Runs the masked original and the slim model on the same inputs and compares all outputs. Where norms run on the kept width, the same
 * cut with exact norms is compared with the masked original, and the slim model with that cut, norms aside.
 * NaN, infinities and outputs of another shape are differences.
 * @throws CoppiceError `COPPICE_BACKEND_REFUSED`, `COPPICE_BACKEND_RUN`
 */
export async function verifyCut(units: Units, removed: readonly number[], slim: Model, backend: Backend, options: VerifyOptions = {}): Promise<Verdict> {
  const tolerance = options.tolerance ?? toleranceOf(units);
  const kept = new Kept(units, removed);
  const inputs = options.inputs ?? units.analysed.trace.runs.map((run) => run.inputs);
  const expected = await runAll(maskModel(units, removed), backend, inputs);
  const narrowed = inputs.map((input, k) => expected[k] && narrowInputs(units, kept, input));
  const names = graphOf(units.analysed.program.model).output.map(({ name }) => name);
  const whole = expected.map((results) => results && Object.fromEntries(names.map((name) => [name, narrow(units, kept, name, results[name], 'output')])));
  const got = await runAll(slim, backend, narrowed, true);
  const differences = units.options.norm === 'shrink'
    ? [...largestDifferences(names, await runAll(exactCut(units, removed), backend, narrowed, true), whole, tolerance), ...largestDifferences(names, got, await runAll(cutModel(units, removed), backend, narrowed, true), tolerance)]
    : largestDifferences(names, got, whole, tolerance);
  return {
    equal: differences.every((d) => d.finite && d.relative <= d.tolerance),
    kind: units.options.norm === 'shrink' ? 'to a norm' : 'exact',
    runs: expected.filter(Boolean).length,
    worst: differences.toSorted((x, y) => Number(x.finite) - Number(y.finite) || y.relative - x.relative)[0],
    differences,
  };
}

/** The same cut with norms that run at the full width. A model whose norms shrank is right when this one is, and it is what cutting gives. */
const exactCut = (units: Units, removed: readonly number[]): Model => cutModel({ ...units, options: { ...units.options, norm: 'exact' } }, removed);

/**
 * Runs a model on several inputs; one session at a time, because a session holds the weights once more.
 * Unless all inputs must work, those that the model refuses (a batch of one, perhaps) give undefined; at least one has to be taken.
 */
async function runAll(model: Model, backend: Backend, inputs: readonly (NamedTensors | undefined)[], all = false): Promise<(NamedTensors | undefined)[]> {
  const executable = await backend.compile(model, { optimise: 'none' });
  try {
    const results: (NamedTensors | undefined)[] = [];
    let refusal: unknown;
    for (const input of inputs) results.push(input && (await executable.run(input).catch((error: unknown) => {
      if (all) throw error;
      refusal = error;
      return undefined;
    })));
    if (results.every((r) => r === undefined)) throw refusal;
    return results;
  } finally {
    await executable.dispose();
  }
}

function largestDifferences(names: readonly string[], got: readonly (NamedTensors | undefined)[], expected: readonly (NamedTensors | undefined)[], tolerance: number): OutputDifference[] {
  return names.map((name) => {
    const each = expected.flatMap((results, k) => (results ? [compareTensors(name, got[k]?.[name], results[name], tolerance)] : []));
    return each.reduce((worst, d) => (worst.finite && (!d.finite || d.relative > worst.relative) ? d : worst));
  });
}

/**
 * Inputs to compare on: fresh random ones in the sizes of both tracing runs, and with a batch of one, which a trace leaves out
 * and a deployed model mostly sees.
 * @param seeds one set of inputs each, in turn for each of the sizes
 */
export function verificationInputs(trace: Trace, seeds: readonly (number | string)[] = ['verify']): NamedTensors[] {
  const specs = describeInputs(trace.program.model);
  const batches = [...kindsOf(specs)].flatMap(([key, kind]) => (kind === 'batch' ? [key] : []));
  const single = { ...trace.sizes[0], ...Object.fromEntries(batches.map((key) => [key, 1])) };
  const sizes = [...trace.sizes, ...(batches.length > 0 ? [single] : [])];
  return seeds.flatMap((seed) => sizes.map((size, k) => makeInputs(specs, size, `${seed}/${k}`)));
}

/**
 * Runs the model as it was read and the one that was prepared for analysis (Ifs decided, weights computed) on the same inputs.
 * Inputs that the original itself refuses are left out.
 * @returns the largest difference of each output; empty when nothing was prepared
 */
export async function verifyPreparation(original: Model, trace: Trace, backend: Backend, inputs: readonly NamedTensors[], tolerance = TOLERANCE.float32!): Promise<OutputDifference[]> {
  if (original.proto === trace.program.model.proto) return [];
  const expected = await runAll(original, backend, inputs);
  const got = await runAll(trace.program.model, backend, inputs.map((input, k) => expected[k] && input), true);
  return largestDifferences(graphOf(original).output.map(({ name }) => name), got, expected, tolerance);
}

/**
 * Checks that the model prepared for analysis computes what the file does.
 * @throws CoppiceError `COPPICE_VERIFY_FAILED` when it does not
 */
export async function assertPreparation(original: Model, trace: Trace, backend: Backend, inputs: readonly NamedTensors[]): Promise<void> {
  const wrong = (await verifyPreparation(original, trace, backend, inputs)).find((d) => !(d.finite && d.relative <= d.tolerance));
  if (!wrong) return;
  throw new CoppiceError(
    'COPPICE_VERIFY_FAILED',
    `Preparing the model for analysis changed output '${wrong.output}' by ${wrong.relative.toExponential(1)} of its scale: a condition or weight that was the same in both tracing runs is not the same always. ` +
    'Nothing was written. Trace with the sizes that the model is meant for: --dim name=n.',
  );
}

/** What a slim model takes where the original takes `inputs`: released states lose the elements of removed units. */
export const narrowInputs = (units: Units, kept: Kept, inputs: NamedTensors): NamedTensors =>
  Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, narrow(units, kept, name, tensor, 'input')]));

function narrow(units: Units, kept: Kept, name: string, tensor: Tensor, side: 'input' | 'output'): Tensor {
  const { program } = units.analysed;
  const id = (side === 'input' ? program.inputs : program.outputs).find((v) => program.values[v].name === name);
  const cuts = id === undefined ? [] : axisCuts(units, id, kept);
  if (cuts.length === 0 || Array.isArray(tensor.data)) return tensor;
  const data = tensor.data as Exclude<Tensor['data'], readonly string[]>;
  const bytes = compress(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), tensor.dims, elementBits(tensor.dtype) / 8, cuts);
  const dims = tensor.dims.map((n, a) => cuts.find((c) => c.axis === a)?.indices[0].length ?? n);
  const ArrayType = data.constructor as new (buffer: ArrayBufferLike) => typeof data;
  return { dtype: tensor.dtype, dims, data: new ArrayType(bytes.buffer) };
}

/** The largest difference of two tensors; infinite where they cannot be compared. */
export function compareTensors(output: string, got: Tensor | undefined, expected: Tensor, tolerance: number): OutputDifference {
  const base = { output, dtype: expected.dtype, tolerance };
  if (!got || got.dims.length !== expected.dims.length || got.dims.some((n, a) => n !== expected.dims[a])) return { ...base, absolute: Infinity, relative: Infinity, finite: false };
  if (Array.isArray(expected.data)) {
    const same = expected.data.every((text, k) => text === (got.data as readonly string[])[k]);
    return { ...base, absolute: same ? 0 : Infinity, relative: same ? 0 : Infinity, finite: true };
  }
  const [a, b] = [numbers(got), numbers(expected)];
  let absolute = 0;
  let scale = 0;
  let finite = true;
  for (let k = 0; k < a.length; k++) {
    if (!Number.isFinite(a[k]) || !Number.isFinite(b[k])) {
      // Both infinite alike is what masked attention scores look like; NaN never is.
      if (a[k] === b[k]) continue;
      finite = false;
      continue;
    }
    absolute = Math.max(absolute, Math.abs(a[k] - b[k]));
    scale = Math.max(scale, Math.abs(b[k]));
  }
  return { ...base, absolute, relative: absolute / (scale + SMALL), finite };
}

function numbers(tensor: Tensor): ArrayLike<number> {
  if (tensor.dtype === 'float16' || tensor.dtype === 'bfloat16') return toFloat32(tensor);
  if (tensor.dtype === 'int64' || tensor.dtype === 'uint64') return Float64Array.from(tensor.data as BigInt64Array, Number);
  return tensor.data as ArrayLike<number>;
}

/** @throws CoppiceError `COPPICE_VERIFY_FAILED` when a verdict is negative */
export function assertEqual(verdict: Verdict): void {
  if (verdict.equal) return;
  const { output, relative, tolerance, finite } = verdict.worst;
  throw new CoppiceError(
    'COPPICE_VERIFY_FAILED',
    `The slim model is wrong: output '${output}' ${finite ? `differs from the masked original by ${relative.toExponential(1)} of its scale, over the tolerance ${tolerance}` : 'has another shape or values that are not finite'}. ` +
    'Nothing was written. This is a defect of Coppice: please report the model, or leave the groups concerned out with --skip.',
  );
}
