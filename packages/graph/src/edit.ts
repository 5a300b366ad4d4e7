import { create, type Message } from '@bufbuild/protobuf';
import { makeAttribute, type AttributeInput } from './attribute-values.ts';
import { fromFloat32 } from './float-formats.ts';
import {
  GraphProtoSchema, ModelProtoSchema, NodeProtoSchema, StringStringEntryProtoSchema, TensorProto_DataLocation, ValueInfoProtoSchema,
  type FunctionProto, type GraphProto, type NodeProto, type TensorProto, type ValueInfoProto,
} from './gen/onnx_pb.js';
import type { Model } from './model.ts';
import { dataTypes, type DataType, type TensorData } from './tensor.ts';
import { newTensorData, toTensorProto } from './tensors.ts';

/**
 * A copy of a message with some fields replaced, everything else shared; `undefined` clears a field. Unknown fields stay.
 * A payload belongs to one message: give the copy of a tensor its own entry in `Model.payloads`.
 */
export function withFields<M extends Message>(message: M, patch: Partial<Omit<M, '$typeName'>>): M {
  // Generated messages keep their defaults in the prototype, which is how an absent field differs from an empty one.
  const copy = Object.assign(Object.create(Object.getPrototypeOf(message)) as M, message, patch);
  for (const field of Object.keys(patch) as (keyof M)[]) if (copy[field] === undefined) delete copy[field];
  return copy;
}

/** What `makeNode` takes. An empty name in `inputs` leaves an optional input out; an undefined attribute is left out. */
export interface NodeParts {
  readonly op: string;
  /** Left out for the operators of ONNX itself. */
  readonly domain?: string;
  readonly name?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, AttributeInput | undefined>>;
}

/** A node from its parts. */
export function makeNode({ op, domain, name, inputs, outputs, attributes = {} }: NodeParts): NodeProto {
  return create(NodeProtoSchema, {
    opType: op,
    ...(domain && { domain }),
    ...(name && { name }),
    input: [...inputs],
    output: [...outputs],
    attribute: Object.entries(attributes).flatMap(([key, value]) => (value === undefined ? [] : makeAttribute(key, value))),
  });
}

/** Elements as a person writes them; `makeInitializer` converts them to the element type. */
export type Values = TensorData | readonly number[] | readonly bigint[] | readonly boolean[];

/**
 * A named constant. A typed array of the fitting kind is used as it is (float16: its bits); numbers, also those in a
 * Float32Array given for another type, are converted, to nearest even for float16 and bfloat16.
 * @throws CoppiceError `COPPICE_MODEL_INVALID` when the number of elements does not match the dimensions
 */
export const makeInitializer = (name: string, dtype: DataType, dims: readonly number[], values: Values): TensorProto =>
  toTensorProto(name, { dtype, dims, data: toTensorData(dtype, values) });

/**
 * A tensor that says its contents are in another file. Give the copy a payload, and `writeModel` puts them there; it
 * chooses its own file names, and `location` only says which tensors go into one file together.
 */
export const asExternal = (tensor: TensorProto, location: string): TensorProto => withFields(tensor, {
  rawData: undefined,
  dataLocation: TensorProto_DataLocation.EXTERNAL,
  externalData: [create(StringStringEntryProtoSchema, { key: 'location', value: location })],
});

function toTensorData(dtype: DataType, values: Values): TensorData {
  if (dtype === 'string') return values as readonly string[];
  const data = newTensorData(dtype, 0);
  if (values.constructor === data.constructor) return values as TensorData;
  if (dtype === 'float16' || dtype === 'bfloat16') return fromFloat32(Float32Array.from(values as readonly number[]), dtype);
  const converted = newTensorData(dtype, values.length);
  const convert = dtype === 'int64' || dtype === 'uint64' ? BigInt : Number;
  for (let k = 0; k < values.length; k++) converted[k] = convert(values[k]);
  return converted;
}

/**
 * The declaration of a tensor value. A string names a dimension that is not fixed, e.g. `['batch', 40, 'frames']`;
 * without `dims` even the rank is open.
 */
export function makeValueInfo(name: string, dtype: DataType, dims?: readonly (number | string)[]): ValueInfoProto {
  const dim = dims?.map((size) => ({ value: typeof size === 'number' ? { case: 'dimValue' as const, value: BigInt(size) } : { case: 'dimParam' as const, value: size } }));
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: 'tensorType', value: { elemType: dataTypes[dtype], ...(dim && { shape: { dim } }) } } },
  });
}

/** What `makeGraph` takes. */
export interface GraphParts {
  readonly name?: string;
  readonly inputs: readonly ValueInfoProto[];
  readonly outputs: readonly ValueInfoProto[];
  /** In an order in which each can run after the ones before it. */
  readonly nodes: readonly NodeProto[];
  readonly initializers?: readonly TensorProto[];
  readonly valueInfos?: readonly ValueInfoProto[];
}

/** A graph from its parts: a model's, or the body of If, Loop and Scan. */
export function makeGraph({ name = 'graph', inputs, outputs, nodes, initializers = [], valueInfos = [] }: GraphParts): GraphProto {
  return create(GraphProtoSchema, { name, input: [...inputs], output: [...outputs], node: [...nodes], initializer: [...initializers], valueInfo: [...valueInfos] });
}

/** What `makeModel` takes. */
export interface ModelParts {
  /** Version of ONNX's own operators, or versions by domain (`''` is ONNX's). */
  readonly opset: number | Readonly<Record<string, number>>;
  /** Version of the file format; the oldest that goes with the opset when left out, so that old runtimes can read it. */
  readonly irVersion?: number;
  readonly graph: GraphParts | GraphProto;
  readonly functions?: readonly FunctionProto[];
  /** Free text entries of the model. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The first opset of each version of the file format from 3 on. ONNX, docs/Versioning.md. */
const firstOpsets = [1, 9, 10, 11, 12, 15, 19, 21, 23, 24, 25, 28];

/** A model from its parts. */
export function makeModel({ opset, irVersion, graph, functions = [], metadata = {} }: ModelParts): Model {
  const versions = typeof opset === 'number' ? { '': opset } : opset;
  const newest = versions[''] ?? 1;
  return {
    proto: create(ModelProtoSchema, {
      irVersion: BigInt(irVersion ?? 2 + firstOpsets.filter((first) => first <= newest).length),
      producerName: 'coppice',
      opsetImport: Object.entries(versions).map(([domain, version]) => ({ domain, version: BigInt(version) })),
      graph: '$typeName' in graph ? graph : makeGraph(graph),
      functions: [...functions],
      metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    }),
  };
}
