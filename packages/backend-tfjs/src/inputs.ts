import { expectedInput, type ExpectedInput } from '@coppice/core';
import { CoppiceError, elementCount, graphOf, newTensorData, type Model, type Tensor } from '@coppice/graph';

/**
 * The inputs without a default, as the file declares them.
 * @throws CoppiceError `COPPICE_UNSUPPORTED_TYPE` for one that is not a tensor
 */
export function expectedInputs(model: Model): readonly ExpectedInput[] {
  const defaults = new Set(graphOf(model).initializer.map(({ name }) => name));
  return graphOf(model).input.filter(({ name }) => !defaults.has(name)).map((value) => expectedInput(value, (kind) =>
    new CoppiceError('COPPICE_UNSUPPORTED_TYPE', `Input '${value.name}' is a ${kind}; only tensors are taken here. Change the model so that its inputs are tensors.`)));
}

/** What is wrong with a tensor in itself. */
export function faultOf({ dtype, dims, data }: Tensor): string | undefined {
  const ArrayType = dtype === 'string' ? Array : (newTensorData(dtype, 0).constructor as Uint8ArrayConstructor);
  if (!(data instanceof ArrayType)) return `is ${dtype}, whose elements belong in a ${ArrayType.name}, and holds a ${data.constructor.name}`;
  const count = elementCount(dims.map(BigInt));
  return data.length === count ? undefined : `has dimensions [${dims.join(', ')}], so ${count} elements, and holds ${data.length}`;
}
