import type { DescField, DescMessage, Message } from '@bufbuild/protobuf';
import { ModelProtoSchema, TensorProtoSchema, type ModelProto, type TensorProto } from './gen/onnx_pb.js';

const carriers = new Map<DescMessage, readonly DescField[]>();

/** The fields of a message type through which tensors can be reached, by ascending number. */
export function tensorFields(desc: DescMessage): readonly DescField[] {
  const known = carriers.get(desc);
  if (known) return known;
  const fields = desc.fields.filter((field) => field.message && reachesTensors(field.message, new Set()));
  const sorted = fields.sort((a, b) => a.number - b.number);
  carriers.set(desc, sorted);
  return sorted;
}

function reachesTensors(desc: DescMessage, seen: Set<DescMessage>): boolean {
  if (desc === (TensorProtoSchema as DescMessage)) return true;
  if (seen.has(desc)) return false;
  seen.add(desc);
  return desc.fields.some((field) => field.message && reachesTensors(field.message, seen));
}

/** The messages in a field, one or many or none. */
export function childrenOf(message: Message, field: DescField): readonly Message[] {
  const value = (message as unknown as Record<string, Message | readonly Message[] | undefined>)[field.localName];
  return value === undefined ? [] : Array.isArray(value) ? (value as readonly Message[]) : [value as Message];
}

function* tensorsIn(desc: DescMessage, message: Message): Generator<TensorProto> {
  if (desc === (TensorProtoSchema as DescMessage)) yield message as TensorProto;
  else for (const field of tensorFields(desc)) for (const child of childrenOf(message, field)) yield* tensorsIn(field.message!, child);
}

/** Every tensor of a model in the order of the file: initializers, attributes, subgraphs, sparse parts, functions, training. */
export const everyTensor = (proto: ModelProto): Generator<TensorProto> => tensorsIn(ModelProtoSchema, proto);
