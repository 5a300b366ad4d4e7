import { dataTypeOf, elementBits, tensorBytes, type Model, type Payload, type TensorProto } from '@coppice/graph';
import type { Units } from '../analysis/units.ts';
import { compress, type AxisKept } from './compress.ts';
import type { Kept } from './kept.ts';

/** Contents of a tensor after a cut, made when they are asked for. */
export function cutPayload(model: Model, tensor: TensorProto, dimsAfter: readonly number[], cuts: readonly AxisKept[]): Payload {
  const elementBytes = elementBits(dataTypeOf(tensor.dataType)) / 8;
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
