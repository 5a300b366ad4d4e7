import { CoppiceError, dataTypeOf, graphOf, type DataType, type Model, type ValueInfoProto } from '@coppice/graph';
import { vocabularyOf } from './vocabulary.ts';

/** A size that the file fixes, the name of one that it leaves open, or undefined where it is open without a name. */
export type Dimension = number | string | undefined;

/** An input that a model asks for, as the file declares it. */
export interface InputSpec {
  readonly name: string;
  readonly dtype: DataType;
  /** Undefined when the file leaves even the number of axes open. */
  readonly dims: readonly Dimension[] | undefined;
  /** The number of rows of the smallest table that this input looks up: its elements must stay below. */
  readonly vocabulary?: number;
}

/** Names that several axes carry without meaning the same size. */
const nameless = new Set(['', '?', 'None', 'none', '-1', 'unk__', 'unknown', 'dynamic']);

/**
 * The inputs of a model without a default, in the order of the file.
 * @throws CoppiceError `COPPICE_UNSUPPORTED_TYPE` for an input that is not a tensor
 */
export function describeInputs(model: Model): InputSpec[] {
  const graph = graphOf(model);
  const defaults = new Set([...graph.initializer.map(({ name }) => name), ...graph.sparseInitializer.map(({ values }) => values?.name)]);
  return graph.input.filter(({ name }) => !defaults.has(name)).map((info) => {
    const spec = describeInput(info);
    const vocabulary = isInteger(spec.dtype) ? vocabularyOf(graph, info.name) : undefined;
    return vocabulary === undefined ? spec : { ...spec, vocabulary };
  });
}

function describeInput({ name, type }: ValueInfoProto): InputSpec {
  const declared = type?.value.case === 'optionalType' ? type.value.value.elemType?.value : type?.value;
  if (declared?.case !== 'tensorType') {
    throw new CoppiceError('COPPICE_UNSUPPORTED_TYPE', `Input '${name}' is not a tensor but a ${declared?.case?.replace('Type', '') ?? 'value without a type'}. Change the model so that all its inputs are tensors.`);
  }
  const dims = declared.value.shape?.dim.map(({ value }): Dimension => {
    if (value.case === 'dimValue') return value.value < 0n ? undefined : Number(value.value);
    return value.case === 'dimParam' && !nameless.has(value.value) ? value.value : undefined;
  });
  return { name, dtype: dataTypeOf(declared.value.elemType), dims };
}

/** The name of an open dimension: its symbol, which has one size everywhere, or `input:axis` where the file gives none. */
export const sizeKey = ({ name, dims }: InputSpec, axis: number): string => {
  const dim = dims?.[axis];
  return typeof dim === 'string' ? dim : `${name}:${axis}`;
};

/** Whether elements are whole numbers. */
export const isInteger = (dtype: DataType): boolean => /^u?int\d/.test(dtype);
/** Whether elements are real numbers that a run can be given. */
export const isFloat = (dtype: DataType): boolean => /^(b?float\d+)$/.test(dtype);

const LENGTH = /(^|_)(len|lens|length|lengths|seqlen|seq_len|num_frames|n_frames)(_|$)|(length|lengths|_len|_lens)$/i;
/** Whether an input says how much of another one counts. */
export const isLength = ({ name, dtype, dims }: InputSpec): boolean => (isInteger(dtype) || isFloat(dtype)) && (dims?.length ?? 2) <= 1 && LENGTH.test(name);
