import { create, isMessage } from '@bufbuild/protobuf';
import { CoppiceError } from './errors.ts';
import {
  AttributeProtoSchema, AttributeProto_AttributeType as A, GraphProtoSchema, SparseTensorProtoSchema, TensorProtoSchema, TypeProtoSchema,
  type AttributeProto, type GraphProto, type NodeProto, type SparseTensorProto, type TensorProto, type TypeProto,
} from './gen/onnx_pb.js';
import type { Tensor } from './tensor.ts';
import { toTensorProto } from './tensors.ts';

/** The value of an attribute: integers and floats as numbers, strings decoded from UTF-8. */
export type AttributeContents =
  | number | readonly number[] | string | readonly string[] | TensorProto | readonly TensorProto[] | GraphProto | readonly GraphProto[]
  | SparseTensorProto | readonly SparseTensorProto[] | TypeProto | readonly TypeProto[];

/** Numbers that become FLOAT or FLOATS whatever they are; made by `float`. */
export interface Floats {
  readonly float: number | readonly number[];
}

/** Marks numbers as floats: `{ alpha: float(1) }` is FLOAT where `{ axis: 1 }` is INT. */
export const float = (value: number | readonly number[]): Floats => ({ float: value });

/** What `makeAttribute` takes: a value, a bigint for INT, a tensor in memory, or numbers marked as floats. */
export type AttributeInput = AttributeContents | bigint | readonly bigint[] | Tensor | Floats;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * An attribute from a plain value. Numbers become INT or INTS when they are whole and FLOAT or FLOATS otherwise, an empty
 * list INTS; wrap in `float` where a whole number may stand for a float.
 */
export function makeAttribute(name: string, value: AttributeInput): AttributeProto {
  return create(AttributeProtoSchema, { name, ...(Array.isArray(value) ? listFields(value) : singleFields(value as Exclude<AttributeInput, readonly unknown[]>)) });
}

type Fields = Partial<Omit<AttributeProto, '$typeName' | '$unknown'>>;

function singleFields(value: Exclude<AttributeInput, readonly unknown[]>): Fields {
  if (typeof value === 'bigint') return { type: A.INT, i: value };
  if (typeof value === 'number') return Number.isInteger(value) ? { type: A.INT, i: BigInt(value) } : { type: A.FLOAT, f: value };
  if (typeof value === 'string') return { type: A.STRING, s: encoder.encode(value) };
  if ('float' in value) return typeof value.float === 'number' ? { type: A.FLOAT, f: value.float } : { type: A.FLOATS, floats: [...value.float] };
  if (isMessage(value, TensorProtoSchema)) return { type: A.TENSOR, t: value };
  if (isMessage(value, GraphProtoSchema)) return { type: A.GRAPH, g: value };
  if (isMessage(value, SparseTensorProtoSchema)) return { type: A.SPARSE_TENSOR, sparseTensor: value };
  if (isMessage(value, TypeProtoSchema)) return { type: A.TYPE_PROTO, tp: value };
  return { type: A.TENSOR, t: toTensorProto('', value as Tensor) };
}

function listFields(list: readonly unknown[]): Fields {
  const [first] = list;
  if (typeof first === 'string') return { type: A.STRINGS, strings: (list as readonly string[]).map((text) => encoder.encode(text)) };
  if (isMessage(first, TensorProtoSchema)) return { type: A.TENSORS, tensors: [...list] as TensorProto[] };
  if (isMessage(first, GraphProtoSchema)) return { type: A.GRAPHS, graphs: [...list] as GraphProto[] };
  if (isMessage(first, SparseTensorProtoSchema)) return { type: A.SPARSE_TENSORS, sparseTensors: [...list] as SparseTensorProto[] };
  if (isMessage(first, TypeProtoSchema)) return { type: A.TYPE_PROTOS, typeProtos: [...list] as TypeProto[] };
  if (list.every((item) => typeof item === 'bigint' || Number.isInteger(item))) return { type: A.INTS, ints: (list as readonly (number | bigint)[]).map(BigInt) };
  return { type: A.FLOATS, floats: [...list] as number[] };
}

/**
 * The value of an attribute by its type; the type is guessed from the fields where a file of 2017 does not state it.
 * @throws CoppiceError `COPPICE_MODEL_INVALID` for an integer beyond ±2⁵³ (read `i` or `ints` where those are expected, such
 * as the open ends of Slice before opset 10), and for an attribute that has no value or stands for a function's argument
 */
export function attributeValue(attribute: AttributeProto): AttributeContents {
  switch (typeOf(attribute)) {
    case A.FLOAT: return attribute.f;
    case A.INT: return toNumber(attribute.i, attribute);
    case A.STRING: return decoder.decode(attribute.s);
    case A.TENSOR: return present(attribute.t, attribute);
    case A.GRAPH: return present(attribute.g, attribute);
    case A.SPARSE_TENSOR: return present(attribute.sparseTensor, attribute);
    case A.TYPE_PROTO: return present(attribute.tp, attribute);
    case A.FLOATS: return attribute.floats;
    case A.INTS: return attribute.ints.map((i) => toNumber(i, attribute));
    case A.STRINGS: return attribute.strings.map((text) => decoder.decode(text));
    case A.TENSORS: return attribute.tensors;
    case A.GRAPHS: return attribute.graphs;
    case A.SPARSE_TENSORS: return attribute.sparseTensors;
    case A.TYPE_PROTOS: return attribute.typeProtos;
    default: return present<AttributeContents>(undefined, attribute);
  }
}

/** The attribute of a node with this name. */
export const attributeOf = (node: NodeProto, name: string): AttributeProto | undefined => node.attribute.find((attribute) => attribute.name === name);

function typeOf(attribute: AttributeProto): A {
  if (attribute.type !== A.UNDEFINED) return attribute.type;
  const has = (field: string): boolean => Object.hasOwn(attribute, field);
  if (has('f')) return A.FLOAT;
  if (has('i')) return A.INT;
  if (has('s')) return A.STRING;
  if (attribute.t) return A.TENSOR;
  if (attribute.g) return A.GRAPH;
  if (attribute.floats.length > 0) return A.FLOATS;
  if (attribute.ints.length > 0) return A.INTS;
  if (attribute.strings.length > 0) return A.STRINGS;
  if (attribute.tensors.length > 0) return A.TENSORS;
  if (attribute.graphs.length > 0) return A.GRAPHS;
  return A.UNDEFINED;
}

function present<T>(value: T | undefined, attribute: AttributeProto): T {
  if (value !== undefined) return value;
  throw new CoppiceError('COPPICE_MODEL_INVALID', attribute.refAttrName
    ? `The attribute '${attribute.name}' stands for the argument '${attribute.refAttrName}' of a function. Inline the function before reading it.`
    : `The attribute '${attribute.name}' has no value. Export the model again.`);
}

function toNumber(integer: bigint, attribute: AttributeProto): number {
  const number = Number(integer);
  if (Number.isSafeInteger(number)) return number;
  throw new CoppiceError('COPPICE_MODEL_INVALID', `The attribute '${attribute.name}' is ${integer}, too large for an exact number in JavaScript. No attribute of a speech model should be; if this one is right, report it.`);
}
