import { dataTypeOf, type AttributeValue, type DataType, type TensorProto } from '@coppice/graph';
import type { Host } from './value.ts';

type Types = readonly (DataType | undefined)[];

/** The type of a result where it is not that of the first operand, from attributes and the types of the operands. */
const rules: Readonly<Record<string, (attributes: Readonly<Record<string, AttributeValue>>, types: Types, constants: readonly (Host | undefined)[]) => Types>> = {
  ...Object.fromEntries(['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Not', 'And', 'Or', 'Xor', 'IsNaN', 'IsInf'].map((op) => [op, () => ['bool'] as const])),
  ...Object.fromEntries(['Shape', 'Size', 'ArgMax', 'ArgMin', 'NonZero', 'NonMaxSuppression'].map((op) => [op, () => ['int64'] as const])),
  ...Object.fromEntries(['MaxPool', 'TopK'].map((op) => [op, (_: unknown, [type]: Types) => [type, 'int64'] as const])),
  ...Object.fromEntries(['Cast', 'BitCast'].map((op) => [op, ({ to }: Readonly<Record<string, AttributeValue>>) => [stated(to)]])),
  CastLike: (_, [, type]) => [type],
  Unique: (_, [type]) => [type, 'int64', 'int64', 'int64'],
  Dropout: (_, [type]) => [type, 'bool'],
  Where: (_, [, type]) => [type],
  OneHot: (_, [, , type]) => [type],
  ConstantOfShape: ({ value }) => [value === undefined ? 'float32' : dataTypeOf((value as TensorProto).dataType)],
  EyeLike: ({ dtype }, [type]) => [dtype === undefined ? type : stated(dtype)],
  QuantizeLinear: ({ output_dtype }, [, , type]) => [type ?? (output_dtype ? stated(output_dtype) : 'uint8')],
  DequantizeLinear: ({ output_dtype }, [, type]) => [output_dtype ? stated(output_dtype) : type],
  DynamicQuantizeLinear: () => ['uint8', 'float32', 'uint8'],
  MatMulInteger: () => ['int32'],
  ConvInteger: () => ['int32'],
  QLinearConv: (_, types) => [types[7]],
  QLinearMatMul: (_, types) => [types[7]],
  BlackmanWindow: ({ output_datatype }) => [stated(output_datatype)],
  HammingWindow: ({ output_datatype }) => [stated(output_datatype)],
  HannWindow: ({ output_datatype }) => [stated(output_datatype)],
  MelWeightMatrix: ({ output_datatype }) => [stated(output_datatype)],
};

const stated = (number: AttributeValue): DataType => dataTypeOf(number as number);

/** Types of a node's results as far as they are known, the last one standing for all that follow. */
export function resultTypes(op: string, attributes: Readonly<Record<string, AttributeValue>>, types: Types, constants: readonly (Host | undefined)[]): Types {
  return Object.hasOwn(rules, op) ? rules[op](attributes, types, constants) : [types[0]];
}
