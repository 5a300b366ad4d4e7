import { everyTensor, externalRange, isExternal, type Model } from '@coppice/graph';
import { folderData } from '@coppice/graph/node';
import type { FileIdentity } from '@coppice/core';
import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/** The files of a model: the `.onnx` file, then its external data files in the order in which the model first names them. */
export function filesOf(model: Model, path: string): string[] {
  const locations = new Set([...everyTensor(model.proto)].filter(isExternal).map((tensor) => externalRange(tensor).location));
  if (locations.size === 0) return [path];
  const folder = folderData(dirname(path));
  return [path, ...[...locations].map((location) => folder.pathOf(location))];
}

/** Name, hash and size of a model from its files, in the order of `filesOf`. */
export function identifyFiles(paths: readonly string[]): FileIdentity {
  const hash = createHash('sha256');
  const bytes = paths.reduce((sum, path) => sum + addFile(hash, path), 0);
  return { name: basename(paths[0]), sha256: hash.digest('hex'), bytes };
}

function addFile(hash: Hash, path: string): number {
  const file = openSync(path, 'r');
  const chunk = new Uint8Array(1 << 22);
  try {
    for (let total = 0; ; ) {
      const count = readSync(file, chunk, 0, chunk.length, total);
      if (count === 0) return total;
      hash.update(chunk.subarray(0, count));
      total += count;
    }
  } finally {
    closeSync(file);
  }
}
