import { CoppiceError, dataTypeOf, type DataType, type Tensor, type ValueInfoProto } from '@coppice/graph';
import type { NamedTensors } from './backend.ts';

/** An input that a model asks for. */
export interface ExpectedInput {
  readonly name: string;
  readonly dtype: DataType;
  /** Sizes, names of open dimensions, `'?'` for unnamed ones; undefined when the file leaves the rank open. */
  readonly dims: readonly (number | string)[] | undefined;
}

/**
 * A graph input as the file declares it.
 * @param refuse the error for one that is not a tensor but of this kind, e.g. `sequence`
 */
export function expectedInput({ name, type }: ValueInfoProto, refuse: (kind: string) => CoppiceError): ExpectedInput {
  const outer = type?.value;
  // An optional tensor may be given as the tensor itself.
  const declared = outer?.case === 'optionalType' ? outer.value.elemType?.value : outer;
  if (declared?.case !== 'tensorType') throw refuse(declared?.case?.replace('Type', '') ?? 'value without a type');
  // Some converters write −1 for an open dimension; runtimes take it so.
  const dims = declared.value.shape?.dim.map(({ value }) => (value.case !== 'dimValue' ? value.value || '?' : value.value < 0n ? '?' : Number(value.value)));
  return { name, dtype: dataTypeOf(declared.value.elemType), dims };
}

/** What a backend adds to `checkInputs`. */
export interface InputRules {
  /** The end of a sentence that begins with the input, for a tensor that is wrong in itself. */
  readonly faultOf: (tensor: Tensor) => string | undefined;
  /** The fault of giving a name that is not among the inputs, where there is more to say than that. */
  readonly strange?: (name: string) => string | undefined;
}

/**
 * Checks the tensors for a run before a runtime sees them: none missing, none unknown, types and sizes as declared.
 * @throws CoppiceError `COPPICE_INPUT_MISMATCH`, listing what the model expects
 */
export function checkInputs(expected: readonly ExpectedInput[], given: NamedTensors, { faultOf, strange }: InputRules): void {
  const faults: string[] = [];
  for (const input of expected) {
    const fault = Object.hasOwn(given, input.name) ? faultAgainst(input, given[input.name], faultOf) : 'is missing';
    if (fault !== undefined) faults.push(`input '${input.name}' ${fault}`);
  }
  const known = new Set(expected.map(({ name }) => name));
  for (const name of Object.keys(given)) if (!known.has(name)) faults.push(strange?.(name) ?? `there is no input '${name}'`);
  if (faults.length === 0) return;
  const list = expected.map(printInput).join(', ') || 'no inputs';
  throw new CoppiceError('COPPICE_INPUT_MISMATCH', `The tensors do not fit the model: ${faults.join('; ')}. It expects ${list}.`);
}

function faultAgainst({ dtype, dims }: ExpectedInput, tensor: Tensor, faultOf: InputRules['faultOf']): string | undefined {
  if (tensor.dtype !== dtype) return `is ${tensor.dtype} instead of ${dtype}`;
  const fits = dims === undefined || (dims.length === tensor.dims.length && dims.every((size, k) => typeof size === 'string' || size === tensor.dims[k]));
  return fits ? faultOf(tensor) : `has dimensions [${tensor.dims.join(', ')}] instead of [${dims.join(', ')}]`;
}

/** `x float32[batch, 1, 40]`, as messages name an input. */
const printInput = ({ name, dtype, dims }: ExpectedInput): string => `${name} ${dtype}${dims ? `[${dims.join(', ')}]` : ' of any rank'}`;
