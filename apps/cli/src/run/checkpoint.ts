import type { NamedTensors } from '@coppice/core';
import { CoppiceError } from '@coppice/graph';
import type { TrainingState } from '@coppice/recovery';
import { existsSync } from 'node:fs';
import { fingerprint, type RunDirectory } from './run-directory.ts';
import { readTensors, writeTensors } from './tensor-file.ts';

/** What the JSON part of a checkpoint holds; it is written last and names the tensors, so it is the moment from which a checkpoint counts. */
interface Head {
  readonly step: number;
  readonly best?: { readonly step: number; readonly score: number };
  readonly history: TrainingState['history'];
  readonly tensors: string;
}

/** Keeps states of one training in a run directory. */
export class Checkpoints {
  readonly #run: RunDirectory;
  readonly #name: string;

  constructor(run: RunDirectory, name: string) {
    this.#run = run;
    this.#name = name;
  }

  /** Replaces the last checkpoint. */
  save({ step, carried, best, history }: TrainingState): void {
    const head: Head = { step, history, ...(best && { best: { step: best.step, score: best.score } }), tensors: `${this.#name}-${step}.onnx` };
    const old = this.#head();
    writeTensors(this.#run.file('checkpoints', head.tensors), { ...prefixed('carried/', carried), ...(best && prefixed('best/', best.weights)) });
    this.#run.writeJson(head, 'checkpoints', `${this.#name}.json`);
    if (old && old.tensors !== head.tensors) this.#run.remove('checkpoints', old.tensors);
  }

  /**
   * The last checkpoint; undefined where there is none.
   * @throws CoppiceError `COPPICE_RUN_INVALID` for a damaged one
   */
  load(): TrainingState | undefined {
    const head = this.#head();
    if (!head) return undefined;
    const path = this.#run.file('checkpoints', head.tensors);
    if (!existsSync(path)) throw new CoppiceError('COPPICE_RUN_INVALID', `The checkpoint ${path} is gone. Delete ${this.#name}.json beside it to train from the start.`);
    const tensors = this.#read(path);
    return { step: head.step, history: head.history, carried: unprefixed('carried/', tensors), best: head.best && { ...head.best, weights: unprefixed('best/', tensors) } };
  }

  /** Removes what is of no more use once training is done. */
  clear(): void {
    const head = this.#head();
    if (head) this.#run.remove('checkpoints', head.tensors);
    this.#run.remove('checkpoints', `${this.#name}.json`);
  }

  #read(path: string): NamedTensors {
    try {
      return readTensors(path);
    } catch (cause) {
      throw new CoppiceError('COPPICE_RUN_INVALID', `The checkpoint ${path} is damaged: ${(cause as Error).message} Delete ${this.#name}.json beside it to train from the start.`, { cause });
    }
  }

  #head(): Head | undefined {
    const head = this.#run.readJson('checkpoints', `${this.#name}.json`) as Partial<Head> | null | undefined;
    if (head === undefined) return undefined;
    if (typeof head?.tensors === 'string' && typeof head.step === 'number' && Array.isArray(head.history)) return head as Head;
    throw new CoppiceError('COPPICE_RUN_INVALID', `${this.#run.file('checkpoints', `${this.#name}.json`)} is not a checkpoint. Delete it to train from the start.`);
  }
}

const prefixed = (prefix: string, tensors: NamedTensors): NamedTensors => Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [prefix + name, tensor]));

const unprefixed = (prefix: string, tensors: NamedTensors): NamedTensors =>
  Object.fromEntries(Object.entries(tensors).flatMap(([name, tensor]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [])));

/** A name for a training by what it depends on. */
export const checkpointName = (stage: string, settings: unknown): string => `${stage}-${fingerprint(settings)}`;
