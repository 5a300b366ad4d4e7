import { describeInputs, traceModel, type InputSpec, type NamedTensors, type Trace } from '@coppice/core';
import type { Model } from '@coppice/graph';
import { readModel } from '@coppice/graph/node';
import type { Context } from './context.ts';
import { readInputs } from './input-files.ts';
import { measureInTurns, type Timing } from './measure.ts';
import { filesOf, identifyFiles } from './model-hash.ts';
import { chosenBackend, type RunOptions } from './model-options.ts';

export interface BenchOptions extends RunOptions {
  readonly runs: number;
}

/** One model of a comparison. */
export interface BenchRow extends Timing {
  readonly path: string;
  readonly fileBytes: number;
  /** How many times faster than the first model. */
  readonly speed: number;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
}

export interface BenchReport {
  readonly backend: { readonly name: string; readonly version: string; readonly threads: number };
  readonly models: readonly BenchRow[];
}

/** Times models in turns on inputs of the same sizes: those that a trace of the first one finds to work, or `--dim` and `--input`. */
export async function benchModels(paths: readonly string[], options: BenchOptions, context: Context): Promise<BenchReport> {
  const { terminal } = context;
  const backend = chosenBackend(context, options);
  const contenders: { model: Model; inputs: NamedTensors }[] = [];
  let first: { trace: Trace; given: NamedTensors } | undefined;
  for (const path of paths) {
    terminal.progress(`running ${path} for its shapes`);
    const model = readModel(path);
    const specs = describeInputs(model);
    // A slim model may have narrower states, which tensors for the original do not fit.
    const given = first ? fitting(first.given, specs) : readInputs(model, options.input ?? []);
    const dims = first ? sharedSizes(first.trace, specs) : options.dim;
    const trace = await traceModel(model, backend, { inputs: given, dims });
    first ??= { trace, given };
    contenders.push({ model, inputs: trace.runs[0].inputs });
  }
  const timings = await measureInTurns(backend, contenders, { runs: options.runs, onRound: (round) => round % 10 === 0 && terminal.progress(`round ${round} of ${options.runs}`) });
  const { version } = await backend.info();
  return {
    backend: { name: backend.name, version, threads: options.threads ?? 1 },
    models: timings.map((timing, k) => ({
      path: paths[k], ...timing,
      fileBytes: identifyFiles(filesOf(contenders[k].model, paths[k])).bytes,
      speed: timings[0].medianMs / timing.medianMs,
      inputs: Object.fromEntries(Object.entries(contenders[k].inputs).map(([name, tensor]) => [name, tensor.dims])),
    })),
  };
}

const fitting = (given: NamedTensors, specs: readonly InputSpec[]): NamedTensors =>
  Object.fromEntries(Object.entries(given).filter(([name, tensor]) => specs.some((spec) => spec.name === name && (spec.dims ?? []).every((size, axis) => typeof size !== 'number' || size === tensor.dims[axis]))));

/** The sizes of a trace for the open dimensions that another model has too, by `input:axis`. */
function sharedSizes({ runs: [a, b] }: Trace, specs: readonly InputSpec[]): Record<string, readonly [number, number]> {
  return Object.fromEntries(specs.flatMap(({ name, dims = [] }) => dims.flatMap((dim, axis) => {
    const [first, second] = [a.inputs[name]?.dims[axis], b.inputs[name]?.dims[axis]];
    return typeof dim === 'number' || first === undefined || second === undefined ? [] : [[`${name}:${axis}`, [first, second]] as const];
  })));
}
