import { closeSync, existsSync, fsyncSync, linkSync, lstatSync, openSync, readdirSync, realpathSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CoppiceError } from '../errors.ts';
import { externalRange, isExternal } from '../external-data.ts';
import { everyTensor } from '../message-tree.ts';
import type { Model } from '../model.ts';
import { encodeChunks } from '../write.ts';
import { layOutExternal, type ExternalFile } from './external-layout.ts';
import { isFolderData } from './folder-data.ts';
import { readModel } from './read-model.ts';

export interface WriteOptions {
  /** Replace an existing file. Default false. */
  readonly force?: boolean;
}

/**
 * Writes a model to a file, one tensor in memory at a time. What was external stays external, in new files called
 * `<name>.data`, `<name>.2.data`, …, always under names not in use: neither the file that the model was read from nor any
 * other is ever overwritten, and a model that is replaced stays whole until the new one takes its place in one step.
 * Then the data files that only the replaced model used are removed, unless this model still reads from them.
 * @returns the paths written, the model first
 * @throws CoppiceError `COPPICE_FILE_EXISTS`, `COPPICE_FILE_WRITE`, `COPPICE_MODEL_TOO_LARGE`, and what reading the tensors
 * may throw; in every case nothing is left behind
 */
export function writeModel(model: Model, path: string, { force = false }: WriteOptions = {}): readonly string[] {
  const target = targetOf(path, force);
  const folder = dirname(target);
  const layout = layOutExternal(model);
  const names = freeNames(folder, basename(target), layout.files.length);
  const stale = force ? staleFiles(model, target) : [];
  const jobs = layout.files.map((file, k) => ({ final: join(folder, names[k]), chunks: (): Iterable<Uint8Array> => paddedChunks(file) }));
  const mark = `${process.pid}.${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}.tmp`;
  const temporary = (final: string): string => join(folder, `.${basename(final)}.${mark}`);
  const created: string[] = [];
  try {
    for (const { final, chunks } of [...jobs, { final: target, chunks: () => encodeChunks(model, { external: layout.placement(names) }) }]) {
      created.push(temporary(final));
      writeChunks(temporary(final), chunks());
    }
    for (const { final } of jobs) {
      publish(temporary(final), final);
      created.push(final);
    }
    // This rename is the moment from which the new model exists.
    if (force) renameSync(temporary(target), target);
    else publish(temporary(target), target);
  } catch (cause) {
    for (const file of created) rmSync(file, { force: true });
    if (cause instanceof CoppiceError) throw cause;
    const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST';
    if (exists) throw existing(path, cause);
    throw new CoppiceError('COPPICE_FILE_WRITE', `${path} could not be written: ${cause instanceof Error ? cause.message : String(cause)}. Nothing was changed.`, { cause });
  }
  syncFolder(folder);
  for (const file of stale) rmSync(file, { force: true });
  return [target, ...jobs.map(({ final }) => final)];
}

const existing = (path: string, cause?: unknown): CoppiceError =>
  new CoppiceError('COPPICE_FILE_EXISTS', `${path} exists already. Choose another name, or replace it with --force.`, { cause });

/** The file to write, symbolic links followed. */
function targetOf(path: string, force: boolean): string {
  const folder = dirname(path);
  if (!existsSync(folder)) throw new CoppiceError('COPPICE_FILE_WRITE', `${path} cannot be written: there is no folder ${folder}. Create it first.`);
  const target = existsSync(path) ? realpathSync(path) : join(realpathSync(folder), basename(path));
  const status = lstatSync(target, { throwIfNoEntry: false });
  if (status && !status.isFile()) throw new CoppiceError('COPPICE_FILE_WRITE', `${path} is not a plain file and cannot be replaced by a model. Choose another name.`);
  if (status && !force) throw existing(path);
  return target;
}

/** Names for data files that no file of the folder has. */
function freeNames(folder: string, base: string, count: number): string[] {
  const taken = new Set(readdirSync(folder).map((name) => name.toLowerCase()));
  const names: string[] = [];
  for (let k = 1; names.length < count; k++) {
    const name = k === 1 ? `${base}.data` : `${base}.${k}.data`;
    if (!taken.has(name.toLowerCase())) names.push(name);
  }
  return names;
}

/** Data files with names of ours that the model to be replaced refers to, and that the model to be written does not read. */
function staleFiles(model: Model, target: string): string[] {
  const base = basename(target);
  const isOurs = (name: string): boolean => name.startsWith(`${base}.`) && /^(\d+\.)?data$/.test(name.slice(base.length + 1));
  const folder = dirname(target);
  const candidates = readdirSync(folder).filter(isOurs);
  if (candidates.length === 0 || !existsSync(target)) return [];
  // Files of an unknown source cannot be told apart from ours: keep everything.
  if (model.externalData && !isFolderData(model.externalData)) return [];
  const source = model.externalData;
  const inUse = new Set(source ? locationsOf(model).map((location) => source.pathOf(location)) : []);
  const old = oldLocations(target);
  return candidates.filter((name) => old.has(name)).map((name) => join(folder, name)).filter((file) => statSync(file).isFile() && !inUse.has(realpathSync(file)));
}

const locationsOf = (model: Model): string[] => [...new Set([...everyTensor(model.proto)].filter(isExternal).map((tensor) => externalRange(tensor).location))];

/** What a file that is about to be replaced refers to; nothing when it is no model. */
function oldLocations(path: string): Set<string> {
  try {
    return new Set(locationsOf(readModel(path, { check: false })));
  } catch {
    return new Set();
  }
}

/** Contents of a data file with zeros between the parts. */
function* paddedChunks({ parts }: ExternalFile): Generator<Uint8Array> {
  let end = 0;
  for (const { offset, byteLength, bytes } of parts) {
    if (offset > end) yield new Uint8Array(offset - end);
    yield bytes();
    end = offset + byteLength;
  }
}

/** Writes a new file and waits until it is on the disk. */
function writeChunks(path: string, chunks: Iterable<Uint8Array>): void {
  const file = openSync(path, 'wx');
  try {
    for (const chunk of chunks) for (let done = 0; done < chunk.byteLength; ) done += writeSync(file, chunk, done, Math.min(2 ** 30, chunk.byteLength - done));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Gives a finished file its name, unless someone else took it meanwhile. */
function publish(temporary: string, final: string): void {
  try {
    linkSync(temporary, final);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' || existsSync(final)) throw error;
    // File systems without hard links: rename would replace a file that appears just now, which is unlikely.
    renameSync(temporary, final);
    return;
  }
  rmSync(temporary);
}

/** Makes the new names last through a power failure, where the system can. */
function syncFolder(folder: string): void {
  try {
    const handle = openSync(folder, 'r');
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch {
    // Windows cannot open folders; its names are kept anyway.
  }
}
