import { create } from '@bufbuild/protobuf';
import { CoppiceError } from './errors.ts';
import { externalRange, isExternal } from './external-data.ts';
import { TensorProtoSchema, type TensorProto } from './gen/onnx_pb.js';
import type { Model } from './model.ts';
import { packBits, unpackBits } from './packed-bits.ts';
import { dataTypeOf, dataTypes, elementBits, elementCount, type DataType, type Tensor, type TensorData } from './tensor.ts';

type NumericData = Exclude<TensorData, readonly string[]>;
type NumericConstructor = { new (length: number): NumericData; new (buffer: ArrayBufferLike, byteOffset: number, length: number): NumericData; readonly BYTES_PER_ELEMENT: number };

/** The array type that holds each element type in memory. */
const arrayTypes: Readonly<Record<Exclude<DataType, 'string'>, NumericConstructor>> = {
  float32: Float32Array, complex64: Float32Array, float64: Float64Array, complex128: Float64Array,
  int8: Int8Array, int16: Int16Array, int32: Int32Array, int64: BigInt64Array, int4: Int8Array, int2: Int8Array,
  uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, uint64: BigUint64Array, uint4: Uint8Array, uint2: Uint8Array,
  bool: Uint8Array, float16: Uint16Array, bfloat16: Uint16Array, float8e4m3fn: Uint8Array, float8e4m3fnuz: Uint8Array,
  float8e5m2: Uint8Array, float8e5m2fnuz: Uint8Array, float8e8m0: Uint8Array, float4e2m1: Uint8Array, float6e2m3: Uint8Array, float6e3m2: Uint8Array,
};

type TypedField = 'floatData' | 'doubleData' | 'int32Data' | 'int64Data' | 'uint64Data';

/** The field beside `raw_data` that a type's elements may be in. ONNX specification, TensorProto. */
const typedField = (dtype: DataType): TypedField => {
  switch (dtype) {
    case 'float32': case 'complex64': return 'floatData';
    case 'float64': case 'complex128': return 'doubleData';
    case 'int64': return 'int64Data';
    case 'uint32': case 'uint64': return 'uint64Data';
    default: return 'int32Data';
  }
};

/** The tensor as error messages name it. */
const labelOf = (tensor: TensorProto): string => (tensor.name ? `Tensor '${tensor.name}'` : 'A tensor without a name');

const invalid = (tensor: TensorProto, what: string): CoppiceError =>
  new CoppiceError('COPPICE_MODEL_INVALID', `${labelOf(tensor)} (${dataTypeOf(tensor.dataType)}, dimensions [${tensor.dims.join(', ')}]) ${what}. Export the model again, or check that the file is complete.`);

/** Elements in memory as bytes, without a copy. */
const bytesOf = (data: NumericData): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/**
 * Bytes of a tensor in the layout of `raw_data`, from its type and dimensions alone.
 * @throws CoppiceError `COPPICE_UNSUPPORTED_TYPE` for strings and unknown types, `COPPICE_MODEL_INVALID` for absurd dimensions
 */
export function tensorByteLength(_model: Model, tensor: TensorProto): number {
  const bits = elementCount(tensor.dims, labelOf(tensor)) * elementBits(dataTypeOf(tensor.dataType));
  if (!Number.isSafeInteger(bits)) throw invalid(tensor, 'is larger than any file can hold');
  return Math.ceil(bits / 8);
}

/** Entries that a typed field needs: of 2- and 4-bit types one holds a packed byte, of complex numbers half an element. */
const entriesOf = (dtype: DataType, count: number): number => {
  const bits = elementBits(dtype);
  if (bits === 2 || bits === 4) return Math.ceil((count * bits) / 8);
  return dtype.startsWith('complex') ? count * 2 : count;
};

/**
 * Bytes in the layout of `raw_data` that the message or the payload of a tensor really holds; what is external is not counted.
 * Equal to `tensorByteLength` for a sound tensor.
 */
export function storedByteLength(model: Model, tensor: TensorProto): number {
  const payload = model.payloads?.get(tensor);
  if (payload) return payload.byteLength;
  if (tensor.rawData.byteLength > 0) return tensor.rawData.byteLength;
  const dtype = dataTypeOf(tensor.dataType);
  const entries = tensor[typedField(dtype)].length;
  if (entries === entriesOf(dtype, elementCount(tensor.dims))) return tensorByteLength(model, tensor);
  return Math.ceil((entries * elementBits(dtype)) / 8);
}

/** Elements of the typed fields in the layout of `raw_data`. */
function bytesOfTypedField(tensor: TensorProto): Uint8Array {
  const dtype = dataTypeOf(tensor.dataType) as Exclude<DataType, 'string'>;
  const field = typedField(dtype);
  const values: readonly (number | bigint)[] = tensor[field];
  const bits = elementBits(dtype);
  const entries = entriesOf(dtype, elementCount(tensor.dims));
  if (values.length !== entries) {
    throw invalid(tensor, values.length === 0 ? 'holds no data' : `holds ${values.length} values in ${field} where ${entries} belong`);
  }
  if (bits === 6) return packBits(values as readonly number[], bits);
  const ArrayType = bits < 8 ? Uint8Array : arrayTypes[dtype];
  const data = new ArrayType(entries);
  // int32 values wrap into narrower unsigned types, which is what storing bits in int32_data means.
  if (field === 'uint64Data' && dtype === 'uint32') for (let k = 0; k < entries; k++) data[k] = Number(values[k]);
  else (data as { set(values: readonly (number | bigint)[]): void }).set(values);
  return bytesOf(data);
}

/**
 * A tensor's contents: little-endian, row-major, in the layout of `raw_data`. A view on the file where the file has that
 * layout; computed from a payload, read from external data, or converted from typed fields otherwise. Do not write to it.
 * @throws CoppiceError `COPPICE_UNSUPPORTED_TYPE` for strings, `COPPICE_MODEL_INVALID` when the length is wrong,
 * `COPPICE_EXTERNAL_DATA_MISSING`, `COPPICE_EXTERNAL_DATA_PATH`
 */
export function tensorBytes(model: Model, tensor: TensorProto): Uint8Array {
  const byteLength = tensorByteLength(model, tensor);
  const payload = model.payloads?.get(tensor);
  const bytes = payload ? payload.bytes() : isExternal(tensor) ? externalBytes(model, tensor, byteLength) : tensor.rawData;
  if (bytes.byteLength === byteLength && (byteLength > 0 || tensor[typedField(dataTypeOf(tensor.dataType))].length === 0)) return bytes;
  if (payload || isExternal(tensor) || bytes.byteLength > 0) throw invalid(tensor, `holds ${bytes.byteLength} bytes where ${byteLength} belong`);
  return bytesOfTypedField(tensor);
}

/** The part of the external file that belongs to a tensor. */
function externalBytes(model: Model, tensor: TensorProto, byteLength: number): Uint8Array {
  const { location, offset, length } = externalRange(tensor);
  if (length !== undefined && length !== byteLength) throw invalid(tensor, `has an external length of ${length} bytes where ${byteLength} belong`);
  if (model.externalData === undefined) {
    throw new CoppiceError('COPPICE_EXTERNAL_DATA_MISSING', `${labelOf(tensor)} is in the file '${location}' beside the model, and no access to it was given. Read the model from its folder, with readModel of @coppice/graph/node.`);
  }
  return model.externalData.read(location, offset, byteLength);
}

/**
 * A tensor with its elements in an array of the fitting type; a view on the file where type and alignment allow.
 * @throws CoppiceError as `tensorBytes`
 */
export function readTensor(model: Model, tensor: TensorProto): Tensor {
  const dtype = dataTypeOf(tensor.dataType);
  const dims = tensor.dims.map(Number);
  const count = elementCount(tensor.dims, labelOf(tensor));
  if (dtype === 'string') {
    if (tensor.stringData.length !== count) throw invalid(tensor, `holds ${tensor.stringData.length} strings where ${count} belong`);
    const decoder = new TextDecoder();
    return { dtype, dims, data: tensor.stringData.map((bytes) => decoder.decode(bytes)) };
  }
  const bytes = tensorBytes(model, tensor);
  const bits = elementBits(dtype);
  if (bits < 8) return { dtype, dims, data: unpackBits(bytes, count, bits, dtype.startsWith('int')) };
  return { dtype, dims, data: viewAs(arrayTypes[dtype], bytes) };
}

/** Bytes as elements: a view when they are aligned, a copy otherwise. */
function viewAs(ArrayType: NumericConstructor, bytes: Uint8Array): NumericData {
  const size = ArrayType.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new ArrayType(aligned.buffer, aligned.byteOffset, aligned.byteLength / size);
}

/**
 * A tensor as a message, its elements in `raw_data` (a view on the tensor's array), strings in `string_data`.
 * @throws CoppiceError `COPPICE_MODEL_INVALID` when the number of elements does not match the dimensions
 */
export function toTensorProto(name: string, { dtype, dims, data }: Tensor): TensorProto {
  const perElement = dtype.startsWith('complex') ? 2 : 1;
  const proto = create(TensorProtoSchema, { dims: dims.map(BigInt), dataType: dataTypes[dtype], ...(name && { name }) });
  if (data.length !== elementCount(dims, labelOf(proto)) * perElement) throw invalid(proto, `was given ${data.length} elements`);
  if (dtype === 'string') {
    const encoder = new TextEncoder();
    proto.stringData = (data as readonly string[]).map((text) => encoder.encode(text));
  } else {
    const bits = elementBits(dtype);
    proto.rawData = bits < 8 ? packBits(data as Uint8Array, bits) : bytesOf(data as NumericData);
  }
  return proto;
}

/**
 * An array of the type that `dtype` has in memory.
 * @throws CoppiceError `COPPICE_UNSUPPORTED_TYPE` for strings
 */
export function newTensorData(dtype: DataType, length: number): Exclude<TensorData, readonly string[]> {
  if (dtype === 'string') throw new CoppiceError('COPPICE_UNSUPPORTED_TYPE', 'Strings are held in a plain array, not in a typed one.');
  return new arrayTypes[dtype](length);
}
