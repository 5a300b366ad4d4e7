import type { Backend, CompileOptions, Executable, NamedTensors } from '@coppice/core';
import { CoppiceError, graphOf, type Model } from '@coppice/graph';
import { inputsFrom } from './exposed.ts';

/** What `teach` takes. */
export interface TeachOptions {
  /** The model to learn from: the unpruned one. */
  readonly teacher: Model;
  readonly backend: Backend;
  readonly compile?: CompileOptions;
  /** Its outputs to learn. Default: all. */
  readonly outputs?: readonly string[];
  /** The batch of a step, steps counting from 1, without the teacher's labels. */
  readonly batch: (step: number) => NamedTensors | Promise<NamedTensors>;
  /** Keeps what the teacher said, for batches that come again. Default: nothing is kept. */
  readonly remember?: {
    /** The same for steps whose batches have the same inputs, bit by bit; undefined for a batch that is not to be kept. */
    readonly key: (step: number) => string | undefined;
    /** What may be kept at most; what was not used for longest goes first. */
    readonly bytes: number;
  };
}

/** A source of batches in which a teacher has written its labels. Belongs to whoever made it: `dispose` frees the teacher. */
export interface Taught {
  /** The batch of a step with the label `teacher_<output>` for each output of the teacher. */
  readonly batch: (step: number) => Promise<NamedTensors>;
  dispose(): Promise<void>;
}

/** The label that holds an output of the teacher. */
export const teacherLabel = (output: string): string => `teacher_${output}`;

/**
 * Knowledge distillation, the teacher's side: each batch is run through the unpruned model, and its outputs go along as labels for a loss
 * that compares them with the student's. Bucilă et al. 2006; Hinton et al. 2015.
 * @throws CoppiceError `COPPICE_LOSS_INVALID` for an output that the teacher does not have; `batch` throws it when the label is there
 * already; what the backend throws
 */
export async function teach({ teacher, backend, compile, outputs, batch, remember }: TeachOptions): Promise<Taught> {
  const own = graphOf(teacher).output.map(({ name }) => name);
  const names = outputs ?? own;
  const unknown = names.filter((name) => !own.includes(name));
  if (unknown.length > 0) throw new CoppiceError('COPPICE_LOSS_INVALID', `The teacher has no output ${unknown.map((name) => `'${name}'`).join(', ')}; its outputs are ${own.join(', ')}.`);
  const executable = await backend.compile(teacher, compile);
  const memory = new Memory(remember?.bytes ?? 0);
  return {
    async batch(step) {
      const given = await batch(step);
      const taken = names.map(teacherLabel).find((label) => given[label]);
      if (taken) throw new CoppiceError('COPPICE_LOSS_INVALID', `The batch of step ${step} has a tensor '${taken}' already. The teacher writes it: leave it out of the batch.`);
      const key = remember?.key(step);
      const said = (key === undefined ? undefined : memory.get(key)) ?? (await ask(executable, teacher, given, names));
      if (key !== undefined) memory.set(key, said);
      return { ...given, ...said };
    },
    dispose: () => executable.dispose(),
  };
}

async function ask(executable: Executable, teacher: Model, batch: NamedTensors, names: readonly string[]): Promise<NamedTensors> {
  const results = await executable.run(inputsFrom(teacher, batch), names);
  return Object.fromEntries(names.map((name) => [teacherLabel(name), results[name]]));
}

/** Least recently used goes first. A Map lists its keys in the order in which they were set. */
class Memory {
  readonly #capacity: number;
  readonly #kept = new Map<string, NamedTensors>();
  #bytes = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get(key: string): NamedTensors | undefined {
    return this.#kept.get(key);
  }

  set(key: string, tensors: NamedTensors): void {
    const old = this.#kept.get(key);
    if (old) this.#bytes -= sizeOf(old);
    this.#kept.delete(key);
    const bytes = sizeOf(tensors);
    if (bytes > this.#capacity) return;
    this.#kept.set(key, tensors);
    this.#bytes += bytes;
    for (const [oldest, list] of this.#kept) {
      if (this.#bytes <= this.#capacity) break;
      this.#kept.delete(oldest);
      this.#bytes -= sizeOf(list);
    }
  }
}

const sizeOf = (tensors: NamedTensors): number =>
  Object.values(tensors).reduce((sum, { data }) => sum + ('byteLength' in data ? data.byteLength : data.reduce((chars, text) => chars + 2 * text.length, 0)), 0);
