import { CoppiceError } from '@coppice/graph';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { checkOutputs } from './output-files.ts';
import { writeText } from './plan-document.ts';

/** A folder in which a command leaves several files; it is made when the first of them is written. */
export interface OutputFolder {
  /** As messages show it. */
  readonly path: string;
  /**
   * @returns the path of the file
   * @throws CoppiceError `COPPICE_FILE_EXISTS`, `COPPICE_FILE_WRITE`
   */
  write(name: string, text: string): string;
}

export interface OutputFolderOptions {
  /** Where relative paths start. */
  readonly base: string;
  /** What the user asked for. */
  readonly wanted?: string;
  /** Otherwise `runs/<usual>`, or the next free number. */
  readonly usual: string;
  /** Names of all files that will be written. */
  readonly files: readonly string[];
  readonly force?: boolean;
}

/**
 * Makes sure, before anything is computed, that a folder can take what will be written.
 * @throws CoppiceError `COPPICE_FILE_EXISTS`, `COPPICE_FILE_WRITE`
 */
export function openOutputFolder({ base, wanted, usual, files, force = false }: OutputFolderOptions): OutputFolder {
  let folder = resolve(base, wanted ?? join('runs', usual));
  if (wanted === undefined) for (let k = 2; existsSync(folder); k++) folder = resolve(base, join('runs', `${usual}-${k}`));
  if (existsSync(folder)) {
    if (!statSync(folder).isDirectory()) throw new CoppiceError('COPPICE_FILE_WRITE', `${folder} is a file, and ${files.join(', ')} should go into a folder of that name. Choose another with --out.`);
    checkOutputs(files.map((name) => join(folder, name)), { force });
  }
  const near = relative(process.cwd(), folder);
  const path = near.startsWith('..') || near === '' ? folder : near;
  return {
    path,
    write(name, text) {
      try {
        mkdirSync(folder, { recursive: true });
      } catch (cause) {
        throw new CoppiceError('COPPICE_FILE_WRITE', `The folder ${path} cannot be made: ${(cause as Error).message}. Choose another with --out.`, { cause });
      }
      writeText(join(folder, name), text, force);
      return join(path, name);
    },
  };
}
