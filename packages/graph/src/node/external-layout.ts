import { externalRange, isExternal } from '../external-data.ts';
import type { TensorProto } from '../gen/onnx_pb.js';
import { everyTensor } from '../message-tree.ts';
import type { Model } from '../model.ts';
import { tensorByteLength, tensorBytes } from '../tensors.ts';
import type { Placement } from '../write.ts';

/** One external data file to be written. */
export interface ExternalFile {
  /** What the model calls it now. */
  readonly source: string;
  /** In the order of their offsets, each range once. */
  readonly parts: readonly { readonly offset: number; readonly byteLength: number; readonly bytes: () => Uint8Array }[];
}

/** The external files of a model as they will be, and where each external tensor goes. */
export interface ExternalLayout {
  readonly files: readonly ExternalFile[];
  /** @param names new locations, one for each of `files` */
  placement(names: readonly string[]): Placement;
}

/** Where offsets were multiples of a page, so that files can be mapped into memory, they are again. */
const page = 4096;
const line = 64;

/**
 * Lays the external tensors of a model out anew, in as many files as before: same order, same alignment, sizes of today.
 * Tensors that shared a range of bytes go on sharing it unless one of them has got new contents.
 */
export function layOutExternal(model: Model): ExternalLayout {
  const byLocation = new Map<string, TensorProto[]>();
  for (const tensor of new Set(everyTensor(model.proto))) {
    if (!isExternal(tensor)) continue;
    const { location } = externalRange(tensor);
    const neighbours = byLocation.get(location);
    if (neighbours) neighbours.push(tensor);
    else byLocation.set(location, [tensor]);
  }
  const placed: { tensor: TensorProto; file: number; offset: number; length: number }[] = [];
  const files = [...byLocation].map(([source, tensors], file): ExternalFile => {
    const ordered = tensors.map((tensor) => ({ tensor, old: externalRange(tensor).offset })).sort((a, b) => a.old - b.old);
    const alignment = ordered.every(({ old }) => old % page === 0) ? page : line;
    const parts: { offset: number; byteLength: number; bytes: () => Uint8Array }[] = [];
    const shared = new Map<string, number>();
    let end = 0;
    for (const { tensor, old } of ordered) {
      const length = tensorByteLength(model, tensor);
      const range = model.payloads?.has(tensor) ? undefined : `${old}+${length}`;
      let offset = range === undefined ? undefined : shared.get(range);
      if (offset === undefined) {
        offset = Math.ceil(end / alignment) * alignment;
        end = offset + length;
        parts.push({ offset, byteLength: length, bytes: () => tensorBytes(model, tensor) });
        if (range !== undefined) shared.set(range, offset);
      }
      placed.push({ tensor, file, offset, length });
    }
    return { source, parts };
  });
  return {
    files,
    placement: (names) => new Map(placed.map(({ tensor, file, offset, length }) => [tensor, { location: names[file], offset, length }])),
  };
}
