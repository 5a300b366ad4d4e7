import { CoppiceError, elementCount, newTensorData, type DataType, type Tensor } from '@coppice/graph';
import type { Tensor as RuntimeTensor } from 'onnxruntime-web';

/**
 * Element types that both builds of ONNX Runtime 1.30 carry across their JavaScript interface. The 4-bit types are in
 * its typings but not here: WebAssembly cannot return them and the native addon ends the process when it tries.
 */
const carried = [
  'float32', 'float64', 'float16', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64', 'bool', 'string',
] as const satisfies readonly DataType[];

/** Whether tensors of this type can be passed to the runtime and come back. */
export const isCarried = (dtype: string): dtype is (typeof carried)[number] => (carried as readonly string[]).includes(dtype);

/**
 * Says what is wrong with a tensor in itself, whatever model it is meant for: a type that the runtime does not carry, an
 * array of another kind than the type asks for, or a length that does not match the dimensions. Undefined when all is well.
 */
export function faultOf({ dtype, dims, data }: Tensor): string | undefined {
  if (!isCarried(dtype)) return `has the type ${dtype}, which ONNX Runtime does not take from JavaScript`;
  const ArrayType = dtype === 'string' ? Array : (newTensorData(dtype, 0).constructor as Uint8ArrayConstructor);
  if (!(data instanceof ArrayType)) return `is ${dtype}, whose elements belong in a ${ArrayType.name}, and holds a ${data.constructor.name}`;
  const count = elementCount(dims.map(BigInt));
  return data.length === count ? undefined : `has dimensions [${dims.join(', ')}], so ${count} elements, and holds ${data.length}`;
}

/** A tensor as the runtime reads it. The elements are not copied; the runtime only reads them. */
export function toRuntime({ dtype, dims, data }: Tensor): RuntimeTensor {
  // A record instead of the runtime's class: that turns float16 into a Float16Array where there is one (Node 24), and the
  // native addon of 1.30 reads such an array as empty.
  return { type: dtype, dims, data, location: 'cpu' } as unknown as RuntimeTensor;
}

/**
 * A result of the runtime, float16 as its bits. The elements are not copied: both builds hand out a new array for each
 * result of each run, also where a result is an input unchanged (`session.test.ts` holds them to it).
 * @throws CoppiceError `COPPICE_UNSUPPORTED_TYPE`
 */
export function fromRuntime(name: string, { type, dims, data }: RuntimeTensor): Tensor {
  if (!isCarried(type)) {
    throw new CoppiceError('COPPICE_UNSUPPORTED_TYPE', `Output '${name}' is ${type}, which ONNX Runtime cannot return to JavaScript. Add a Cast before it, or leave it out.`);
  }
  const bits = type === 'float16' ? new Uint16Array((data as Uint16Array).buffer, (data as Uint16Array).byteOffset, data.length) : data;
  return { dtype: type, dims: [...dims], data: bits as Tensor['data'] };
}
