import type { CompileOptions, Executable, NamedTensors, ExpectedInput } from '@coppice/core';
import { CoppiceError, lowerLayouts, upgradeModel, type Model } from '@coppice/graph';
import type { InferenceSession } from 'onnxruntime-web';
import { checkGiven, defaultsOf, expectedInputs } from './inputs.ts';
import { refusal, runFailure } from './runtime-words.ts';
import { fromRuntime, isCarried, toRuntime } from './tensors.ts';

/** One of the two builds of ONNX Runtime, as far as they differ. */
export interface Build {
  readonly name: string;
  /** Creates a session; whatever it throws that is not a CoppiceError is taken as the runtime's refusal. */
  create(model: Model, options: CompileOptions): Promise<InferenceSession>;
  /** Does some work when all earlier work with the runtime has ended. */
  readonly inTurn: Turns;
}

/** Runs work one after another, in the order of the calls; a failure is the caller's and does not stop the next. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * A queue for one runtime. ONNX Runtime Web keeps its arguments on one stack across awaits, so two runs at once overwrite
 * each other's (132 of 200 failed); the native build computes synchronously and loses nothing by it.
 */
export function takingTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work);
    last = next.catch(() => undefined);
    return next;
  };
}

/** Log settings of sessions and runs: what is wrong is thrown, so only fatal errors are printed as well. */
export const quiet = { logSeverityLevel: 4 } as const;

/** The runtime's name for a level of optimisation. */
export const levelOf = (optimise: CompileOptions['optimise'] = 'all'): 'disabled' | 'all' => (optimise === 'none' ? 'disabled' : 'all');

/** Compiles a model on a build of the runtime. Errors as `Backend.compile`, and `COPPICE_UNSUPPORTED_TYPE`. */
export async function compileOn(build: Build, model: Model, options: CompileOptions = {}): Promise<Executable> {
  const ready = lowerLayouts(upgradeModel(model));
  const inputs = expectedInputs(ready);
  let session: InferenceSession;
  try {
    session = await build.inTurn(() => build.create(ready, options));
  } catch (error) {
    throw refusal(build.name, error);
  }
  const executable = new SessionExecutable(build, session, inputs, defaultsOf(ready));
  const strange = session.outputMetadata.find((output) => output.isTensor && !isCarried(output.type));
  if (strange?.isTensor) {
    await executable.dispose();
    throw new CoppiceError('COPPICE_UNSUPPORTED_TYPE', `${build.name}: output '${strange.name}' is ${strange.type}, which ONNX Runtime cannot return to JavaScript. Add a Cast before it.`);
  }
  return executable;
}

/** A session with checked inputs; results belong to the caller. */
class SessionExecutable implements Executable {
  readonly #build: Build;
  readonly #session: InferenceSession;
  readonly #inputs: readonly ExpectedInput[];
  readonly #defaults: ReadonlySet<string>;
  #disposed = false;

  constructor(build: Build, session: InferenceSession, inputs: readonly ExpectedInput[], defaults: ReadonlySet<string>) {
    this.#build = build;
    this.#session = session;
    this.#inputs = inputs;
    this.#defaults = defaults;
  }

  async run(inputs: NamedTensors, outputs: readonly string[] = this.#session.outputNames): Promise<NamedTensors> {
    if (this.#disposed) throw new CoppiceError('COPPICE_BACKEND_RUN', `${this.#build.name}: this executable was disposed. Compile the model again.`);
    checkGiven(this.#inputs, this.#defaults, inputs);
    this.#checkOutputs(outputs);
    if (outputs.length === 0) return {};
    const feeds = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, toRuntime(tensor)]));
    try {
      const results = await this.#build.inTurn(() => this.#session.run(feeds, [...outputs], { ...quiet }));
      return Object.fromEntries(outputs.map((name) => [name, fromRuntime(name, results[name] as Parameters<typeof fromRuntime>[1])]));
    } catch (error) {
      throw runFailure(this.#build.name, error);
    }
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    // A runtime that has crashed cannot release; there is nothing left to free, and nothing the caller could do.
    await this.#build.inTurn(() => this.#session.release()).catch(() => undefined);
  }

  #checkOutputs(wanted: readonly string[]): void {
    const names = this.#session.outputNames;
    const unknown = wanted.find((name) => !names.includes(name));
    if (unknown !== undefined) throw new CoppiceError('COPPICE_INPUT_MISMATCH', `The model has no output '${unknown}'. Its outputs are ${names.join(', ')}; to see an intermediate value, make it an output first.`);
    const list = this.#session.outputMetadata.find((output) => wanted.includes(output.name) && !output.isTensor);
    if (list) throw new CoppiceError('COPPICE_UNSUPPORTED_TYPE', `Output '${list.name}' is not a tensor but a sequence, map or optional, which ONNX Runtime cannot return to JavaScript. Ask for the other outputs only.`);
  }
}
