import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { checkModel } from '../check.ts';
import { CoppiceError } from '../errors.ts';
import type { Model } from '../model.ts';
import { decodeModel } from '../read.ts';
import { folderData, readRange } from './folder-data.ts';

export interface ReadOptions {
  /** Check the rules of the specification (`checkModel`). Default true. */
  readonly check?: boolean;
}

/**
 * Reads a model from an `.onnx` file; external data are read from its folder when they are asked for.
 * @throws CoppiceError `COPPICE_FILE_NOT_FOUND`, and those of `decodeModel` and `checkModel`, with the path in front
 */
export function readModel(path: string, { check = true }: ReadOptions = {}): Model {
  const bytes = readBytes(path);
  try {
    const model = decodeModel(bytes, folderData(dirname(path)));
    if (check) checkModel(model);
    return model;
  } catch (error) {
    if (error instanceof CoppiceError) throw new CoppiceError(error.code, `${path}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** A protobuf message, and so an `.onnx` file, cannot be longer. */
const longest = 2 ** 31 - 1;

function readBytes(path: string): Uint8Array {
  const file = openFile(path);
  try {
    const status = fstatSync(file);
    if (!status.isFile()) throw new CoppiceError('COPPICE_FILE_NOT_FOUND', `${path} is ${status.isDirectory() ? 'a folder' : 'not a plain file'}. Give the .onnx file itself.`);
    if (status.size > longest) throw new CoppiceError('COPPICE_MODEL_TOO_LARGE', `${path} has ${status.size} bytes, and an ONNX file at most ${longest}. If it is a model's external data, give the .onnx file beside it.`);
    return readRange(file, 0, status.size, path);
  } finally {
    closeSync(file);
  }
}

function openFile(path: string): number {
  try {
    // A pipe without a writer would block otherwise.
    return openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (cause) {
    const absent = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new CoppiceError('COPPICE_FILE_NOT_FOUND', absent ? `There is no file ${path}. Check the name and the folder.` : `${path} cannot be read: ${(cause as Error).message}.`, { cause });
  }
}
