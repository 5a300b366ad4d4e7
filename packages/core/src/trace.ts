import { CoppiceError, dataTypes, graphOf, inlineFunctions, upgradeModel, type Constant, type Model } from '@coppice/graph';
import type { Backend, NamedTensors } from './backend.ts';
import { candidateSizes, tensorsOfRuns, type RunSizes, type SizeOptions } from './input-sizes.ts';
import { makeInputs } from './input-values.ts';
import { describeInputs, sizeKey, type InputSpec } from './inputs.ts';
import { flattenModel, type Program } from './program.ts';
import { statedConstants } from './run-facts.ts';
import { withStandIns } from './stand-ins.ts';
import { sameConstant } from './tensor-numbers.ts';
import { isRunFailure, Tracer, type TwoFacts, type TwoInputs } from './tracer.ts';

export interface TraceOptions extends SizeOptions {
  /** Of the default inputs. Default 0. */
  readonly seed?: number | string;
}

/** One of the two runs that a trace is made of. */
export interface TraceRun {
  /** What was fed. */
  readonly inputs: NamedTensors;
  /** By value id; undefined where the value was not reached or has no shape. */
  readonly shapes: readonly (readonly number[] | undefined)[];
}

/** What two runs with different sizes and different values told about a model. */
export interface Trace {
  /** The model with its functions inlined, flattened. */
  readonly program: Program;
  readonly runs: readonly [TraceRun, TraceRun];
  /** Small contents by value id: those the file states, and computed ones that depend on no data and were the same in both runs (for models of many weights, none computed from weights). */
  readonly constants: ReadonlyMap<number, Constant>;
  /** What could not be traced and why, and what limits the conclusions. For the report. */
  readonly notes: readonly string[];
  /** Sizes of the open dimensions of the inputs in each run, by name or `input:axis`. */
  readonly sizes: readonly [RunSizes, RunSizes];
}

/**
 * Runs a model twice, with different sizes wherever its inputs leave them open and with different values, and records the shape of
 * every value and the contents of those that depend on no data. Both branches of each If are run; of Loop and Scan the first
 * iteration counts, and an axis that changes between iterations differs between the runs.
 * @throws CoppiceError `COPPICE_TRACE_FAILED` when no inputs work, with the runtime's words; `COPPICE_INPUT_MISMATCH` and
 * `COPPICE_BACKEND_MISSING` from the backend; as `inlineFunctions`, `flattenModel`, `upgradeModel` and `describeInputs`
 */
export async function traceModel(model: Model, backend: Backend, options: TraceOptions = {}): Promise<Trace> {
  const program = flattenModel(inlineFunctions(model));
  const specs = describeInputs(program.model);
  checkNames(specs, options);
  const runnable = upgradeModel(program.model);
  const light = withStandIns(runnable);
  if (light !== runnable) {
    try {
      return await traceWith(new Tracer(program, light, backend, 'unweighted'), specs, options);
    } catch (error) {
      // Some kernels take their weights from the file only.
      if (!(error instanceof CoppiceError) || !['COPPICE_TRACE_FAILED', 'COPPICE_BACKEND_REFUSED'].includes(error.code)) throw error;
    }
  }
  return traceWith(new Tracer(program, runnable, backend, 'all'), specs, options);
}

async function traceWith(tracer: Tracer, specs: readonly InputSpec[], options: TraceOptions): Promise<Trace> {
  const { program } = tracer;
  try {
    const { sizes, inputs, facts, opened } = await bestAttempt(tracer, specs, options);
    const [first, second] = opened ? facts : await tracer.openBodies(inputs, facts);
    return {
      program, sizes,
      runs: [{ inputs: inputs[0], shapes: first.shapes }, { inputs: inputs[1], shapes: varied([first, second]) }],
      constants: constantsOf(program, [first, second]),
      notes: [...tracer.notes, ...equalSizes(sizes)],
    };
  } finally {
    await tracer.dispose();
  }
}

/** Sizes and inputs of both runs, and what they told; without the bodies of control flow where `opened` is false. */
interface Attempt {
  readonly sizes: readonly [RunSizes, RunSizes];
  readonly inputs: TwoInputs;
  readonly facts: TwoFacts;
  readonly opened: boolean;
}

/** So many more sizes are looked at after the first ones that work, if those were too short to show everything. */
const furtherLooks = 2;

async function bestAttempt(tracer: Tracer, specs: readonly InputSpec[], options: TraceOptions): Promise<Attempt> {
  const given = tensorsOfRuns(options.inputs);
  const inputsOf = (r: 0 | 1, sizes: RunSizes): NamedTensors => {
    const made = makeInputs(specs.filter(({ name }) => !given[r][name]), sizes, `${options.seed ?? 0}/${r}`);
    return { ...made, ...given[r] };
  };
  let best: { attempt: Attempt; defects: number } | undefined;
  let failure: unknown;
  let tried = 0;
  let looks = 0;
  for (const sizes of candidateSizes(specs, options)) {
    if (best && (looks++ === furtherLooks || fixesMore(sizes, best.attempt.sizes))) break;
    const inputs = [inputsOf(0, sizes[0]), inputsOf(1, sizes[1])] as const;
    tried++;
    try {
      const attempt = { sizes, inputs, ...(await tracer.attempt(inputs)) };
      const defects = countDefects(tracer.program, attempt.facts);
      if (!best || defects < best.defects) best = { attempt, defects };
      if (defects === 0) break;
    } catch (error) {
      failure ??= error;
      // Once a run has failed, a runtime may be beyond use; the first failure says more than that.
      if (!isRunFailure(error) && failure === error) throw error;
      if (!isRunFailure(error)) break;
    }
  }
  if (!best) throw traceFailed(failure, specs, tried);
  return best.attempt;
}

/** Whether sizes leave something equal in both runs that the other ones vary. */
const fixesMore = (sizes: Attempt['sizes'], than: Attempt['sizes']): boolean =>
  Object.keys(sizes[0]).some((key) => sizes[0][key] === sizes[1][key] && than[0][key] !== than[1][key]);

/** Signs that a run was too short: empty values, axes of one in one run only, results of a single step. */
function countDefects({ model, values, outputs }: Program, [first, second]: TwoFacts): number {
  let defects = 0;
  for (const { id, tainted, elementType } of values) {
    const [a, b] = [first.shapes[id], second.shapes[id]];
    if (!tainted || !isFloatType(elementType) || !a || !b) continue;
    if (a.includes(0) || b.includes(0)) defects++;
    else if (a.some((size, axis) => size !== b[axis] && (size === 1 || b[axis] === 1))) defects++;
  }
  outputs.forEach((id, k) => {
    const type = graphOf(model).output[k].type?.value;
    const declared = type?.case === 'tensorType' ? type.value.shape?.dim : undefined;
    if (declared?.some(({ value }, axis) => value.case !== 'dimValue' && first.shapes[id]?.[axis] === 1 && second.shapes[id]?.[axis] === 1)) defects++;
  });
  return defects;
}

const isFloatType = (elementType: number): boolean => elementType === dataTypes.float32 || elementType === dataTypes.float16 || elementType === dataTypes.float64 || elementType === dataTypes.bfloat16;

/** The shapes of the second run, changed where a shape changed between the iterations of a Loop but not between the runs. */
const varied = ([first, second]: TwoFacts): (readonly number[] | undefined)[] =>
  second.shapes.map((shape, id) => shape?.map((size, axis) => {
    const others = [first.otherSizes.get(id)?.[axis], second.otherSizes.get(id)?.[axis]];
    return size === first.shapes[id]?.[axis] ? (others.find((other) => other !== undefined && other !== size) ?? size) : size;
  }));

function constantsOf(program: Program, [first, second]: TwoFacts): Map<number, Constant> {
  const constants = statedConstants(program);
  for (const [id, constant] of first.contents) {
    const again = second.contents.get(id);
    if (again && sameConstant(constant, again)) constants.set(id, constant);
  }
  return constants;
}

function equalSizes([first, second]: readonly [RunSizes, RunSizes]): string[] {
  const equal = Object.keys(first).filter((key) => first[key] === second[key]);
  return equal.length === 0 ? [] : [`Both runs had the same size for ${equal.map((key) => `'${key}' (${first[key]})`).join(', ')}: what depends on it looks fixed, and the slim model may be right for that size only.`];
}

function checkNames(specs: readonly InputSpec[], { dims = {}, inputs }: TraceOptions): void {
  const names = new Set(specs.map(({ name }) => name));
  const sizes = new Set(specs.flatMap((spec) => (spec.dims ?? []).flatMap((_, axis) => [sizeKey(spec, axis), `${spec.name}:${axis}`])));
  const unknown = [
    ...tensorsOfRuns(inputs).flatMap(Object.keys).filter((name) => !names.has(name)).map((name) => `input '${name}'`),
    ...Object.keys(dims).filter((key) => !sizes.has(key)).map((key) => `dimension '${key}'`),
  ];
  if (unknown.length === 0) return;
  throw new CoppiceError('COPPICE_INPUT_MISMATCH', `The model has no ${[...new Set(unknown)].join(' and no ')}. Its inputs are ${specs.map(printSpec).join(', ') || 'none'}.`);
}

/** `audio float32[batch, 1, ?]`. */
const printSpec = ({ name, dtype, dims }: InputSpec): string => `${name} ${dtype}${dims ? `[${dims.map((dim) => dim ?? '?').join(', ')}]` : ' of unknown rank'}`;

function traceFailed(cause: unknown, specs: readonly InputSpec[], tried: number): CoppiceError {
  const open = specs.flatMap((spec) => (spec.dims ?? []).flatMap((dim, axis) => (typeof dim === 'number' ? [] : [sizeKey(spec, axis)])));
  const advice = open.length > 0 ? `Say which sizes it takes, --dim ${open.at(-1)}=n, or` : 'Give';
  const words = cause instanceof Error ? cause.message : String(cause);
  return new CoppiceError('COPPICE_TRACE_FAILED', `The model did not run with any of ${tried} default input${tried === 1 ? '' : 's'} (${specs.map(printSpec).join(', ')}). The first failure: ${words} ${advice} ${open.length > 0 ? 'give ' : ''}tensors that it takes, --input ${specs[0]?.name ?? 'name'}=file.npy.`, { cause });
}
