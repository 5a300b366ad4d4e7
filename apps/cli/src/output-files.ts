import { CoppiceError } from '@coppice/graph';
import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Makes sure, before anything is computed, that files can be written: each has a folder, none exists unless it may be replaced,
 * and none is an input.
 * @throws CoppiceError `COPPICE_FILE_EXISTS`, `COPPICE_FILE_WRITE`, `COPPICE_ARGUMENT_INVALID`
 */
export function checkOutputs(outputs: readonly string[], { force = false, inputs = [] }: { readonly force?: boolean; readonly inputs?: readonly string[] } = {}): void {
  const taken = new Map(inputs.map((path) => [resolve(path), 'it is read']));
  for (const path of outputs) {
    const clash = taken.get(resolve(path));
    if (clash) throw new CoppiceError('COPPICE_ARGUMENT_INVALID', `${path} cannot be written: ${clash} by the same command. Choose another name.`);
    taken.set(resolve(path), 'another output is written there');
    if (!existsSync(dirname(path))) throw new CoppiceError('COPPICE_FILE_WRITE', `${path} cannot be written: there is no folder ${dirname(path)}. Create it first.`);
    if (!existsSync(path)) continue;
    if (!statSync(path).isFile()) throw new CoppiceError('COPPICE_FILE_WRITE', `${path} is not a plain file and cannot be replaced. Choose another name.`);
    if (!force) throw new CoppiceError('COPPICE_FILE_EXISTS', `${path} exists already. Choose another name, or replace it with --force.`);
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Writes files that belong together while the signals that end a process wait: either all of them are there, or none.
 * Everything before needs no such care, because nothing is written.
 * @param write synchronous
 */
export async function uninterrupted<T>(write: () => T): Promise<T> {
  let interrupted: NodeJS.Signals | undefined;
  const wait = (signal: NodeJS.Signals): void => {
    interrupted = signal;
  };
  for (const signal of SIGNALS) process.on(signal, wait);
  try {
    const result = write();
    // Signals that came meanwhile are delivered in the next turn of the event loop.
    await new Promise((done) => setImmediate(done));
    return result;
  } finally {
    for (const signal of SIGNALS) process.off(signal, wait);
    if (interrupted) process.kill(process.pid, interrupted);
  }
}
