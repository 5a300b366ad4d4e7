import { describeInputs, type InputSpec, type NamedTensors } from '@coppice/core';
import { CoppiceError, elementCount, fromFloat32, newTensorData, toFloat32, type DataType, type Model, type Tensor } from '@coppice/graph';
import { readFileSync } from 'node:fs';
import { decodeNpy } from './npy.ts';

/** `name=file.npy`; without a name where a model has one input only. */
export interface NamedFile {
  readonly name?: string;
  readonly path: string;
}

/** Tensors for the inputs of a model from `.npy` files, converted to the element types it declares. */
export function readInputs(model: Model, files: readonly NamedFile[]): NamedTensors {
  const inputs: Record<string, Tensor> = {};
  for (const file of files) {
    const { name, tensor } = readInput(model, file);
    if (inputs[name]) throw new CoppiceError('COPPICE_ARGUMENT_INVALID', `Two files were given for input '${name}'. Give one.`);
    inputs[name] = tensor;
  }
  return inputs;
}

/**
 * Batches of calibration data: the first file of each input makes the first batch, and so on. Inputs without files get `defaults`.
 * @throws CoppiceError `COPPICE_INPUT_INVALID` when inputs have different numbers of files
 */
export function readBatches(model: Model, files: readonly NamedFile[], defaults: NamedTensors): NamedTensors[] {
  const byName = Map.groupBy(files.map((file) => readInput(model, file)), ({ name }) => name);
  const counts = [...byName].map(([name, list]) => `${list.length} for '${name}'`);
  const [count = 0, ...others] = [...byName.values()].map((list) => list.length);
  if (others.some((other) => other !== count)) throw new CoppiceError('COPPICE_INPUT_INVALID', `The inputs have different numbers of data files: ${counts.join(', ')}. Give as many for each.`);
  return Array.from({ length: count }, (_, k) => ({ ...defaults, ...Object.fromEntries([...byName].map(([name, list]) => [name, list[k].tensor])) }));
}

function readInput(model: Model, { name, path }: NamedFile): { name: string; tensor: Tensor } {
  const specs = describeInputs(model);
  const floats = specs.filter(({ dtype }) => dtype.includes('float'));
  const spec = name === undefined ? (specs.length === 1 ? specs[0] : floats.length === 1 ? floats[0] : undefined) : specs.find((candidate) => candidate.name === name);
  const list = specs.map((candidate) => `'${candidate.name}'`).join(', ') || 'none';
  if (!spec) {
    throw new CoppiceError('COPPICE_INPUT_MISMATCH', name === undefined
      ? `It is not clear which input ${path} is for. Write name=${path}; the inputs are ${list}.`
      : `The model has no input '${name}'. Its inputs are ${list}.`);
  }
  return { name: spec.name, tensor: fitTensor(decodeNpy(readBytes(path), path), spec, path) };
}

function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new CoppiceError('COPPICE_FILE_NOT_FOUND', `${path} cannot be read: ${(cause as Error).message}.`, { cause });
  }
}

/** A tensor as a model declares it: NumPy's usual float64 and int64 become the declared type, and a missing batch axis is added. */
function fitTensor(tensor: Tensor, { name, dtype, dims }: InputSpec, path: string): Tensor {
  const fitted = dims && tensor.dims.length === dims.length - 1 ? { ...tensor, dims: [1, ...tensor.dims] } : tensor;
  const fits = !dims || (dims.length === fitted.dims.length && dims.every((size, axis) => typeof size !== 'number' || size === fitted.dims[axis]));
  if (!fits) throw new CoppiceError('COPPICE_INPUT_INVALID', `${path} is ${tensor.dtype}[${tensor.dims.join(', ')}], and input '${name}' takes ${dtype}[${dims.map((size) => size ?? '?').join(', ')}].`);
  const converted = convert(fitted, dtype);
  if (!converted) throw new CoppiceError('COPPICE_INPUT_INVALID', `${path} holds ${tensor.dtype} values, and input '${name}' takes ${dtype}. Convert it with array.astype.`);
  return converted;
}

const isFloat = (dtype: DataType): boolean => /float/.test(dtype);
const isInteger = (dtype: DataType): boolean => /^(u?int\d|bool)/.test(dtype);

/** Between kinds of floats, and between kinds of integers where every value fits. */
function convert(tensor: Tensor, dtype: DataType): Tensor | undefined {
  if (tensor.dtype === dtype) return tensor;
  if (isFloat(tensor.dtype) && dtype === 'float64') return { ...tensor, dtype, data: Float64Array.from(toFloat32(tensor)) };
  if (isFloat(tensor.dtype) && isFloat(dtype)) return { ...tensor, dtype, data: fromFloat32(toFloat32(tensor), dtype) };
  if (!isInteger(tensor.dtype) || !isInteger(dtype)) return undefined;
  const data = newTensorData(dtype, elementCount(tensor.dims));
  const values = tensor.data as ArrayLike<number | bigint>;
  for (let k = 0; k < data.length; k++) {
    data[k] = dtype === 'int64' || dtype === 'uint64' ? BigInt(values[k]) : Number(values[k]);
    if (Number(data[k]) !== Number(values[k])) return undefined;
  }
  return { ...tensor, dtype, data };
}
