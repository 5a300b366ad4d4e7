import type { NamedTensors } from '@coppice/core';
import { CoppiceError, dataTypeOf, graphOf, type DataType, type Model, type ValueInfoProto } from '@coppice/graph';
import { faultOf, isCarried } from './tensors.ts';

/** An input that a model asks for. */
export interface ExpectedInput {
  readonly name: string;
  readonly dtype: DataType;
  /** Sizes, names of open dimensions, `'?'` for unnamed ones; undefined when the file leaves the rank open. */
  readonly dims: readonly (number | string)[] | undefined;
}

/**
 * The inputs without a default, as the file declares them.
 * (Read from the file because the runtime reports an open rank as a scalar.)
 * @throws CoppiceError `COPPICE_UNSUPPORTED_TYPE` when ONNX Runtime has no way to take one from JavaScript
 */
export function expectedInputs(model: Model): readonly ExpectedInput[] {
  const defaults = defaultsOf(model);
  return graphOf(model).input.filter(({ name }) => !defaults.has(name)).map(expectedInput);
}

/** Inputs whose value the file brings along. */
export function defaultsOf(model: Model): ReadonlySet<string> {
  const { initializer, sparseInitializer } = graphOf(model);
  return new Set([...initializer.map(({ name }) => name), ...sparseInitializer.map(({ values }) => values?.name ?? '')]);
}

function expectedInput({ name, type }: ValueInfoProto): ExpectedInput {
  const outer = type?.value;
  // An optional tensor may be given as the tensor itself.
  const declared = outer?.case === 'optionalType' ? outer.value.elemType?.value : outer;
  if (declared?.case !== 'tensorType') {
    const kind = declared?.case?.replace('Type', '') ?? 'value without a type';
    throw new CoppiceError('COPPICE_UNSUPPORTED_TYPE', `Input '${name}' is a ${kind}; ONNX Runtime takes only tensors from JavaScript. Change the model so that its inputs are tensors.`);
  }
  const dtype = dataTypeOf(declared.value.elemType);
  if (!isCarried(dtype)) {
    throw new CoppiceError('COPPICE_UNSUPPORTED_TYPE', `Input '${name}' is ${dtype}, which ONNX Runtime does not take from JavaScript. Give the model a float32 or integer input and a Cast behind it.`);
  }
  // Some converters write −1 for an open dimension; the runtime takes it so.
  const dims = declared.value.shape?.dim.map(({ value }) => (value.case !== 'dimValue' ? value.value || '?' : value.value < 0n ? '?' : Number(value.value)));
  return { name, dtype, dims };
}

/**
 * Checks the tensors for a run before the runtime sees them: none missing, none unknown, types and sizes as declared.
 * @throws CoppiceError `COPPICE_INPUT_MISMATCH`, listing what the model expects
 */
export function checkInputs(expected: readonly ExpectedInput[], defaults: ReadonlySet<string>, given: NamedTensors): void {
  const faults: string[] = [];
  for (const input of expected) {
    const fault = Object.hasOwn(given, input.name) ? faultAgainst(input, given) : 'is missing';
    if (fault !== undefined) faults.push(`input '${input.name}' ${fault}`);
  }
  const known = new Set(expected.map(({ name }) => name));
  for (const name of Object.keys(given)) {
    if (known.has(name)) continue;
    faults.push(defaults.has(name)
      ? `'${name}' has its value in the file, and ONNX Runtime's JavaScript interface cannot replace it; remove its initializer from the model to make it an input`
      : `there is no input '${name}'`);
  }
  if (faults.length === 0) return;
  const list = expected.map(printInput).join(', ') || 'no inputs';
  throw new CoppiceError('COPPICE_INPUT_MISMATCH', `The tensors do not fit the model: ${faults.join('; ')}. It expects ${list}.`);
}

function faultAgainst({ name, dtype, dims }: ExpectedInput, given: NamedTensors): string | undefined {
  const tensor = given[name];
  if (tensor.dtype !== dtype) return `is ${tensor.dtype} instead of ${dtype}`;
  const fits = dims === undefined || (dims.length === tensor.dims.length && dims.every((size, k) => typeof size === 'string' || size === tensor.dims[k]));
  return fits ? faultOf(tensor) : `has dimensions [${tensor.dims.join(', ')}] instead of [${dims.join(', ')}]`;
}

/** `x float32[batch, 1, 40]`, as messages name an input. */
const printInput = ({ name, dtype, dims }: ExpectedInput): string => `${name} ${dtype}${dims ? `[${dims.join(', ')}]` : ' of any rank'}`;
