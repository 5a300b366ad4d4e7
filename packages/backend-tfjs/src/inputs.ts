import type { NamedTensors } from '@coppice/core';
import { CoppiceError, dataTypeOf, elementCount, graphOf, newTensorData, type DataType, type Model, type Tensor, type ValueInfoProto } from '@coppice/graph';

/** An input that a model asks for. */
export interface ExpectedInput {
  readonly name: string;
  readonly dtype: DataType;
  /** Sizes, names of open dimensions, `'?'` for unnamed ones; undefined when the file leaves the rank open. */
  readonly dims: readonly (number | string)[] | undefined;
}

/**
 * The inputs without a default, as the file declares them.
 * @throws CoppiceError `COPPICE_UNSUPPORTED_TYPE` for one that is not a tensor
 */
export function expectedInputs(model: Model): readonly ExpectedInput[] {
  const defaults = new Set(graphOf(model).initializer.map(({ name }) => name));
  return graphOf(model).input.filter(({ name }) => !defaults.has(name)).map(expectedInput);
}

function expectedInput({ name, type }: ValueInfoProto): ExpectedInput {
  const outer = type?.value;
  // An optional tensor may be given as the tensor itself.
  const declared = outer?.case === 'optionalType' ? outer.value.elemType?.value : outer;
  if (declared?.case !== 'tensorType') {
    throw new CoppiceError('COPPICE_UNSUPPORTED_TYPE', `Input '${name}' is a ${declared?.case?.replace('Type', '') ?? 'value without a type'}; only tensors are taken here. Change the model so that its inputs are tensors.`);
  }
  // Some converters write −1 for an open dimension.
  const dims = declared.value.shape?.dim.map(({ value }) => (value.case !== 'dimValue' ? value.value || '?' : value.value < 0n ? '?' : Number(value.value)));
  return { name, dtype: dataTypeOf(declared.value.elemType), dims };
}

/**
 * Checks the tensors for a run: none missing, none unknown, types and sizes as declared.
 * @throws CoppiceError `COPPICE_INPUT_MISMATCH`, listing what the model expects
 */
export function checkInputs(expected: readonly ExpectedInput[], given: NamedTensors): void {
  const faults: string[] = [];
  for (const input of expected) {
    const fault = Object.hasOwn(given, input.name) ? faultAgainst(input, given[input.name]) : 'is missing';
    if (fault !== undefined) faults.push(`input '${input.name}' ${fault}`);
  }
  const known = new Set(expected.map(({ name }) => name));
  for (const name of Object.keys(given)) if (!known.has(name)) faults.push(`there is no input '${name}'`);
  if (faults.length === 0) return;
  const list = expected.map(printInput).join(', ') || 'no inputs';
  throw new CoppiceError('COPPICE_INPUT_MISMATCH', `The tensors do not fit the model: ${faults.join('; ')}. It expects ${list}.`);
}

function faultAgainst({ dtype, dims }: ExpectedInput, tensor: Tensor): string | undefined {
  if (tensor.dtype !== dtype) return `is ${tensor.dtype} instead of ${dtype}`;
  const fits = dims === undefined || (dims.length === tensor.dims.length && dims.every((size, k) => typeof size === 'string' || size === tensor.dims[k]));
  return fits ? faultOf(tensor) : `has dimensions [${tensor.dims.join(', ')}] instead of [${dims.join(', ')}]`;
}

/** What is wrong with a tensor in itself. */
function faultOf({ dtype, dims, data }: Tensor): string | undefined {
  const ArrayType = dtype === 'string' ? Array : (newTensorData(dtype, 0).constructor as Uint8ArrayConstructor);
  if (!(data instanceof ArrayType)) return `is ${dtype}, whose elements belong in a ${ArrayType.name}, and holds a ${data.constructor.name}`;
  const count = elementCount(dims.map(BigInt));
  return data.length === count ? undefined : `has dimensions [${dims.join(', ')}], so ${count} elements, and holds ${data.length}`;
}

/** `x float32[batch, 1, 40]`, as messages name an input. */
const printInput = ({ name, dtype, dims }: ExpectedInput): string => `${name} ${dtype}${dims ? `[${dims.join(', ')}]` : ' of any rank'}`;
