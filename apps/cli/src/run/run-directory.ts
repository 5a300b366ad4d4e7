import { CoppiceError } from '@coppice/graph';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeText } from '../plan-document.ts';
import { removeLeftovers } from './leftovers.ts';

/**
 * Where a run keeps what it has done: one file for each finished stage, and checkpoints of the one at work. Each file appears complete
 * or not at all, so a process that is killed loses at most what came after its last checkpoint.
 */
export class RunDirectory {
  readonly path: string;

  /**
   * Opens a folder for a run, or makes it.
   * @param recipe everything that the results depend on, as JSON
   * @throws CoppiceError `COPPICE_RUN_INVALID` when the folder has a run of another recipe; `COPPICE_FILE_WRITE` when it cannot be made
   */
  constructor(path: string, recipe: unknown) {
    this.path = path;
    makeFolder(path);
    const file = join(path, 'recipe.json');
    const text = `${JSON.stringify(recipe, undefined, 2)}\n`;
    if (!existsSync(file)) writeText(file, text, false);
    else if (readFileSync(file, 'utf8') !== text) throw new CoppiceError('COPPICE_RUN_INVALID', `${path} has a run of another recipe (its recipe.json differs). Choose another folder with --run, or delete this one.`);
    removeLeftovers(path);
  }

  /** The path of a file of this run; folders before it are made. */
  file(...names: readonly string[]): string {
    makeFolder(join(this.path, ...names.slice(0, -1)));
    return join(this.path, ...names);
  }

  /**
   * What a stage gave, computed only if it was not finished before. Its result must be plain JSON; larger things are files that it names.
   * @throws CoppiceError `COPPICE_RUN_INVALID` for a damaged record
   */
  async stage<T>(name: string, run: () => Promise<T>): Promise<T> {
    const path = this.file('stages', `${name}.json`);
    const known = this.#read(path);
    if (known !== undefined) return known as T;
    const result = await run();
    writeText(path, `${JSON.stringify(result, undefined, 2)}\n`, true);
    // What was just computed and what a resumed run would read must not differ.
    return this.#read(path) as T;
  }

  /** Whether a stage is finished. */
  has(name: string): boolean {
    return existsSync(join(this.path, 'stages', `${name}.json`));
  }

  /** Writes a JSON document, complete or not at all. */
  writeJson(value: unknown, ...names: readonly string[]): void {
    writeText(this.file(...names), `${JSON.stringify(value)}\n`, true);
  }

  /** Reads a JSON document of this run; undefined where there is none. */
  readJson(...names: readonly string[]): unknown {
    return this.#read(join(this.path, ...names));
  }

  /** Removes files that are of no more use. */
  remove(...names: readonly string[]): void {
    rmSync(join(this.path, ...names), { force: true, recursive: true });
  }

  #read(path: string): unknown {
    if (!existsSync(path)) return undefined;
    try {
      return JSON.parse(readFileSync(path, 'utf8'));
    } catch (cause) {
      throw new CoppiceError('COPPICE_RUN_INVALID', `${path} is damaged: ${(cause as Error).message}. Delete it to compute that stage again.`, { cause });
    }
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    throw new CoppiceError('COPPICE_FILE_WRITE', `The folder ${path} cannot be made: ${(cause as Error).message}. Choose another with --run.`, { cause });
  }
}

/** A short name for some JSON: the first letters of its SHA-256. */
export const fingerprint = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 12);
