import { dataTypeOf, elementBits, readTensor, tensorBytes, toTensorProto, type Model, type Payload, type TensorProto } from '@coppice/graph';
import type { Units } from '../analysis/units.ts';
import { compress, type AxisKept } from './compress.ts';
import type { Kept } from './kept.ts';

/** Contents of a tensor after a cut, made when they are asked for. */
export function cutPayload(model: Model, tensor: TensorProto, dimsAfter: readonly number[], cuts: readonly AxisKept[]): Payload {
  const dtype = dataTypeOf(tensor.dataType);
  const elementBytes = elementBits(dtype) / 8;
  if (elementBytes < 1) {
    // Several elements share a byte: they are cut one a byte and packed again.
    const bytes = (): Uint8Array => {
      const whole = readTensor(model, tensor).data as Uint8Array | Int8Array;
      const left = compress(new Uint8Array(whole.buffer, whole.byteOffset, whole.byteLength), tensor.dims.map(Number), 1, cuts);
      return toTensorProto('', { dtype, dims: dimsAfter, data: left }).rawData;
    };
    return { byteLength: Math.ceil(dimsAfter.reduce((p, n) => p * n, elementBytes)), bytes };
  }
  return {
    byteLength: dimsAfter.reduce((p, n) => p * n, elementBytes),
    bytes: () => compress(tensorBytes(model, tensor), tensor.dims.map(Number), elementBytes, cuts),
  };
}

/** What stays of each axis of a value that loses something. */
export function axisCuts(units: Units, value: number, kept: Kept): AxisKept[] {
  const { table } = units.elements;
  return table.axesOf(value).flatMap((axis, position): AxisKept[] => {
    if (!kept.isCut(axis)) return [];
    const spec = table.laneSpecs.get(axis);
    const lanes = spec?.lanes ?? 1;
    return [{ axis: position, indices: Array.from({ length: lanes }, (_, lane) => kept.indices(axis, lane)), by: spec?.by, block: spec?.block }];
  });
}
