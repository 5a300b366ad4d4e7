import { closeSync, fstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { join, relative, isAbsolute, win32 } from 'node:path';
import { CoppiceError } from '../errors.ts';
import type { ExternalData } from '../model.ts';

/** External data in the folder of a model. */
export interface FolderData extends ExternalData {
  /**
   * Absolute path of a file of the folder, symbolic links resolved.
   * @throws CoppiceError `COPPICE_EXTERNAL_DATA_MISSING`, `COPPICE_EXTERNAL_DATA_PATH`
   */
  pathOf(location: string): string;
}

/** Whether external data come from a folder, so that their files have paths. */
export const isFolderData = (data: ExternalData | undefined): data is FolderData => data !== undefined && 'pathOf' in data;

/**
 * External data read from a folder, range by range as they are asked for. A model file is not trusted: a location that is
 * absolute, climbs with `..` or leaves the folder through a symbolic link is refused, and so is what is not a plain file.
 * @param folder an existing folder, usually that of the `.onnx` file
 */
export function folderData(folder: string): FolderData {
  const root = realpathSync(folder);

  const pathOf = (location: string): string => {
    const refuse = (why: string): CoppiceError => new CoppiceError('COPPICE_EXTERNAL_DATA_PATH',
      `The model names the external data file '${location}', which ${why}. External data must lie in the folder of the model, ${root}; copy the file there and correct its name in the model.`);
    if (isAbsolute(location) || win32.isAbsolute(location) || /^[a-z]:/i.test(location)) throw refuse('is an absolute path');
    if (location.split(/[\\/]/).includes('..')) throw refuse("climbs out of folders with '..'");
    if (location.includes('\0')) throw refuse('is not a file name');
    const path = realPath(join(root, location), location);
    const inside = relative(root, path);
    if (inside === '' || inside.split(/[\\/]/)[0] === '..' || isAbsolute(inside)) throw refuse(`leads out of the folder, to ${path}`);
    // Opening a pipe would wait for ever.
    if (!statSync(path).isFile()) throw refuse('is not a plain file');
    return path;
  };

  return {
    pathOf,
    size: (location) => statSync(pathOf(location)).size,
    read(location, offset, length) {
      const file = openSync(pathOf(location), 'r');
      try {
        const size = fstatSync(file).size;
        const end = length === undefined ? size : offset + length;
        if (offset > size || end > size) {
          throw new CoppiceError('COPPICE_EXTERNAL_DATA_MISSING', `The bytes ${offset} to ${Math.max(offset, end)} of '${location}' were asked for, and it has only ${size}. The file is incomplete or belongs to another model; copy or download it again.`);
        }
        return readRange(file, offset, end - offset, location);
      } finally {
        closeSync(file);
      }
    },
  };
}

function realPath(path: string, location: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    throw new CoppiceError('COPPICE_EXTERNAL_DATA_MISSING', `The model keeps weights in '${location}', and ${path} cannot be read. Copy the file beside the model, under that name.`, { cause });
  }
}

/** One read call takes at most 2 GB. */
const readAtOnce = 2 ** 30;

/**
 * A range of an open file, in memory of its own.
 * @throws CoppiceError `COPPICE_EXTERNAL_DATA_MISSING` when the file ends before the range does
 */
export function readRange(file: number, offset: number, length: number, name: string): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const read = readSync(file, bytes, done, Math.min(readAtOnce, length - done), offset + done);
    if (read === 0) throw new CoppiceError('COPPICE_EXTERNAL_DATA_MISSING', `The file '${name}' became shorter while it was read. Wait until it is complete and try again.`);
    done += read;
  }
  return bytes;
}
