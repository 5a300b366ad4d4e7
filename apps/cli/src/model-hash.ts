import { everyTensor, externalRange, isExternal, type Model } from '@coppice/graph';
import { folderData } from '@coppice/graph/node';
import type { FileIdentity } from '@coppice/core';
import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Name, hash and size of a model's files: the `.onnx` file, then its external data files in the order in which the model first names them. */
export function identifyModel(model: Model, path: string): FileIdentity {
  const hash = createHash('sha256');
  let bytes = addFile(hash, path);
  const locations = new Set([...everyTensor(model.proto)].filter(isExternal).map((tensor) => externalRange(tensor).location));
  if (locations.size > 0) {
    const folder = folderData(dirname(path));
    for (const location of locations) bytes += addFile(hash, folder.pathOf(location));
  }
  return { name: basename(path), sha256: hash.digest('hex'), bytes };
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
