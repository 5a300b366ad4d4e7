import { CoppiceError } from '@coppice/graph';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { FileEntry } from './manifest.ts';
import type { BundleFile } from './target.ts';

export interface FolderOptions {
  /** Replace a bundle that is there. Default false. */
  readonly force?: boolean;
}

/**
 * Makes sure, before anything is computed, that a bundle can be written to a folder: nothing is there, or a bundle that may be replaced.
 * A folder with anything else is never replaced.
 * @throws CoppiceError `COPPICE_FILE_EXISTS`, `COPPICE_FILE_WRITE`
 */
export function checkBundleFolder(folder: string, { force = false }: FolderOptions = {}): void {
  const target = resolve(folder);
  if (!existsSync(dirname(target))) throw new CoppiceError('COPPICE_FILE_WRITE', `${folder} cannot be written: there is no folder ${dirname(target)}. Create it first.`);
  if (!existsSync(target)) return;
  if (!isBundle(target)) throw new CoppiceError('COPPICE_FILE_EXISTS', `${folder} exists already and is no bundle, so it is left alone, also with --force. Choose another folder.`);
  if (!force) throw new CoppiceError('COPPICE_FILE_EXISTS', `${folder} has a bundle already. Choose another folder, or replace it with --force.`);
}

/** Whether a folder was written by us: it has our manifest, or bundles of ours and nothing else. */
function isBundle(folder: string): boolean {
  try {
    return statSync(folder).isDirectory() && (JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as { format?: unknown }).format === 'coppice-bundle';
  } catch {
    return false;
  }
}

/** A folder that is being written. */
export interface BundleWriter {
  /** Where it is until it is finished. */
  readonly folder: string;
  /**
   * Writes a file.
   * @throws CoppiceError `COPPICE_FILE_WRITE` also for a path that leaves the folder, or is there already
   */
  write(file: BundleFile): FileEntry;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Writes a folder that appears complete or not at all: into a sibling with a temporary name, which takes its place in the end. When
 * something fails, or the process is asked to end, nothing is left behind and what was there before stays.
 * @throws CoppiceError `COPPICE_FILE_EXISTS`, `COPPICE_FILE_WRITE`, and what `work` throws
 */
export async function writeBundleFolder<T>(folder: string, options: FolderOptions, work: (writer: BundleWriter) => Promise<T>): Promise<T> {
  checkBundleFolder(folder, options);
  const target = resolve(folder);
  const mark = `${process.pid}.${Date.now().toString(36)}.tmp`;
  const temporary = join(dirname(target), `.${basename(target)}.${mark}`);
  const remove = (): void => rmSync(temporary, { recursive: true, force: true });
  const stop = (signal: NodeJS.Signals): void => {
    remove();
    for (const each of SIGNALS) process.off(each, stop);
    process.kill(process.pid, signal);
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    mkdirSync(temporary);
    const result = await work({ folder: temporary, write: (file) => writeFile(temporary, file) });
    replace(temporary, target, options, mark);
    return result;
  } catch (cause) {
    remove();
    if (cause instanceof CoppiceError || !isSystemError(cause)) throw cause;
    throw new CoppiceError('COPPICE_FILE_WRITE', `${folder} could not be written: ${cause.message}. Nothing was left behind.`, { cause });
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
  }
}

/** Nothing waits in here, so no signal comes in between. */
function replace(temporary: string, target: string, options: FolderOptions, mark: string): void {
  checkBundleFolder(target, options);
  if (!existsSync(target)) return renameSync(temporary, target);
  const old = join(dirname(target), `.${basename(target)}.old.${mark}`);
  renameSync(target, old);
  try {
    renameSync(temporary, target);
  } catch (error) {
    renameSync(old, target);
    throw error;
  }
  rmSync(old, { recursive: true, force: true });
}

function writeFile(folder: string, { path, bytes }: BundleFile): FileEntry {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.@+-]*(\/[A-Za-z0-9_][A-Za-z0-9_.@+-]*)*$/.test(path)) throw new CoppiceError('COPPICE_FILE_WRITE', `${JSON.stringify(path)} is no path for a file of a bundle: letters, digits and . _ - @ + only, relative, nothing hidden.`);
  const full = join(folder, path);
  mkdirSync(dirname(full), { recursive: true });
  const hash = createHash('sha256');
  let length = 0;
  const file = openSync(full, 'wx');
  try {
    for (const piece of piecesOf(bytes)) {
      for (let at = 0; at < piece.length; ) at += writeSync(file, piece, at);
      hash.update(piece);
      length += piece.length;
    }
  } finally {
    closeSync(file);
  }
  return { path, bytes: length, sha256: hash.digest('hex') };
}

const piecesOf = (bytes: BundleFile['bytes']): Iterable<Uint8Array> => (typeof bytes === 'string' ? [Buffer.from(bytes)] : bytes instanceof Uint8Array ? [bytes] : bytes);

const isSystemError = (error: unknown): error is NodeJS.ErrnoException => error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
