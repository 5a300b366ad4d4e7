import { CoppiceError, type Model } from '@coppice/graph';
import type { Backend, Executable, NamedTensors } from './backend.ts';
import { openings, probedValue, probeModel, type Control, type Opening, type ProbedModel, type ProbeOptions } from './probes.ts';
import type { Program } from './program.ts';
import { readRun, type RunFacts } from './run-facts.ts';

export type TwoInputs = readonly [NamedTensors, NamedTensors];
export type TwoFacts = readonly [RunFacts, RunFacts];

interface Compiled {
  readonly probed: ProbedModel;
  readonly executable: Executable;
}

const isRefusal = (error: unknown): error is CoppiceError =>
  error instanceof CoppiceError && (error.code === 'COPPICE_BACKEND_REFUSED' || error.code === 'COPPICE_UNSUPPORTED_TYPE');

/** Whether an error says that the inputs did not work, so that others may. */
export const isRunFailure = (error: unknown): error is CoppiceError => error instanceof CoppiceError && error.code === 'COPPICE_BACKEND_RUN';

/** Runs the tracing models of one program; holds what is compiled until `dispose`. */
export class Tracer {
  readonly program: Program;
  readonly notes: string[] = [];
  readonly #backend: Backend;
  readonly #runnable: Model;
  readonly #contents: ProbeOptions['contents'];
  readonly #unmeasurable = new Set<number>();
  #open: Promise<Compiled | undefined> | undefined;
  #closed: Promise<Compiled> | undefined;

  /**
   * @param runnable the program's model, or one with the same values that runs more easily
   * @param contents which constants to read
   */
  constructor(program: Program, runnable: Model, backend: Backend, contents: ProbeOptions['contents']) {
    this.program = program;
    this.#backend = backend;
    this.#runnable = runnable;
    this.#contents = contents;
  }

  /**
   * Runs both sets of inputs, with all bodies opened if that works and without if not.
   * @throws CoppiceError `COPPICE_BACKEND_RUN` when the model does not take the inputs
   */
  async attempt(inputs: TwoInputs): Promise<{ facts: TwoFacts; opened: boolean }> {
    this.#open ??= this.#compile(() => 'all').catch((error: unknown) => {
      if (isRefusal(error)) return undefined;
      throw error;
    });
    const open = await this.#open;
    if (open) {
      try {
        return { facts: await this.#runBoth(open, inputs), opened: true };
      } catch (error) {
        if (!isRunFailure(error) || open.probed.controls.length === 0) throw error;
      }
    }
    this.#closed ??= this.#compileClosed();
    const closed = await this.#closed;
    return { facts: await this.#runBoth(closed, inputs), opened: closed.probed.controls.length === 0 };
  }

  /** Opens bodies one by one, as far as the model still runs with these inputs, and notes what stays closed and why. */
  async openBodies(inputs: TwoInputs, closedFacts: TwoFacts): Promise<TwoFacts> {
    const chosen = new Map<string, Opening>();
    const openingOf = (path: string): Opening => chosen.get(path) ?? 'closed';
    const waiting: Control[] = [...(await this.#closed)!.probed.controls];
    let facts = closedFacts;
    for (let control = waiting.shift(); control; control = waiting.shift()) {
      let reason: CoppiceError | undefined;
      for (const opening of openings[control.op]) {
        chosen.set(control.path, opening);
        if (opening === 'closed') break;
        try {
          const { result, controls } = await this.#tryOnce(openingOf, inputs);
          facts = result;
          waiting.push(...controls.filter(({ path }) => !chosen.has(path) && !waiting.some((w) => w.path === path)));
          break;
        } catch (error) {
          if (!isRefusal(error) && !isRunFailure(error)) throw error;
          reason ??= error;
        }
      }
      if (reason) this.notes.push(`${control.op} '${control.path}': ${left[chosen.get(control.path)!]} not traced. ${brief(reason.message)}`);
    }
    return facts;
  }

  async dispose(): Promise<void> {
    for (const compiled of await Promise.allSettled([this.#open, this.#closed])) {
      if (compiled.status === 'fulfilled') await compiled.value?.executable.dispose();
    }
  }

  async #tryOnce(openingOf: (path: string) => Opening, inputs: TwoInputs): Promise<{ result: TwoFacts; controls: readonly Control[] }> {
    const compiled = await this.#compile(openingOf);
    try {
      return { result: await this.#runBoth(compiled, inputs), controls: compiled.probed.controls };
    } finally {
      await compiled.executable.dispose();
    }
  }

  async #compileClosed(): Promise<Compiled> {
    try {
      return await this.#compile(() => 'closed');
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const compiled = await this.#compile(() => 'closed', 'none');
      this.notes.push(`Computed constants were not read: ${error.message}`);
      return compiled;
    }
  }

  /** Compiles a tracing model; values that the runtime cannot measure are left out one after another. */
  async #compile(openingOf: (path: string) => Opening, contents = this.#contents): Promise<Compiled> {
    for (;;) {
      const probed = probeModel(this.program, this.#runnable, { openingOf, contents, without: this.#unmeasurable });
      try {
        return { probed, executable: await this.#backend.compile(probed.model, { optimise: 'none' }) };
      } catch (error) {
        const culprit = isRefusal(error) ? probedValue(error.message) : undefined;
        if (culprit === undefined || this.#unmeasurable.has(culprit)) throw error;
        this.#unmeasurable.add(culprit);
        this.notes.push(`'${this.program.values[culprit].name}' has no shape that can be measured.`);
      }
    }
  }

  async #runBoth({ probed, executable }: Compiled, inputs: TwoInputs): Promise<TwoFacts> {
    const run = async (given: NamedTensors): Promise<RunFacts> => readRun(this.program, probed.probes, given, await executable.run(given));
    return [await run(inputs[0]), await run(inputs[1])];
  }
}

/** The advice at the end of a runtime's words does not fit a run that was only tried. */
const brief = (words: string): string => (words.length > 180 ? `${words.slice(0, 180)} …` : words);

/** What an opening leaves out. */
const left: Readonly<Record<Opening, string>> = {
  all: 'nothing was',
  then_branch: 'the else branch was',
  else_branch: 'the then branch was',
  shapes: 'constants in its body were',
  closed: 'its bodies were',
};
