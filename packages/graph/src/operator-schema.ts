import type { GraphProto, SparseTensorProto, TensorProto, TypeProto } from './gen/onnx_pb.js';

/** What an attribute holds, by ONNX's type names. */
export type AttributeKind = keyof AttributeTypes;

/** The TypeScript type of each kind; 64-bit integers as numbers. */
interface AttributeTypes {
  int: number;
  ints: readonly number[];
  float: number;
  floats: readonly number[];
  string: string;
  strings: readonly string[];
  tensor: TensorProto;
  tensors: readonly TensorProto[];
  graph: GraphProto;
  graphs: readonly GraphProto[];
  sparseTensor: SparseTensorProto;
  sparseTensors: readonly SparseTensorProto[];
  type: TypeProto;
  types: readonly TypeProto[];
}

/** Contents of an attribute as plain data; tensors, graphs and types stay messages. */
export type AttributeValue = AttributeTypes[AttributeKind];

/** `'int!'` must be given, `'int'` may be left out, `['int', 1]` is 1 when left out. */
export type AttributeSchema = AttributeKind | `${AttributeKind}!` | readonly [AttributeKind, number | string | readonly number[] | readonly string[]];

/**
 * What a specification says about an operator in its newest form.
 * Of the names of inputs and outputs, `X?` may be absent and `X...` stands for any number of them.
 */
export interface OperatorSchema {
  /** Versions of the operator set that changed the operator, the first of them brought it. */
  readonly since: readonly number[];
  /** The newest version withdraws the operator in favour of another one. */
  readonly deprecated?: true;
  /** Only where it differs from the domain of the table. */
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeSchema>>;
}

/** The typed attributes of a row, after `normaliseNode` filled in the defaults. */
export type AttributesOf<S extends OperatorSchema> = { readonly [A in keyof S['attributes']]: AttributeOf<S['attributes'][A]> };

type AttributeOf<S> = S extends readonly [infer K extends AttributeKind, unknown]
  ? AttributeTypes[K]
  : S extends `${infer K extends AttributeKind}!`
    ? AttributeTypes[K]
    : S extends AttributeKind
      ? AttributeTypes[S] | undefined
      : never;
