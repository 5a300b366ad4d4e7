import type { AttributeValue } from '@coppice/graph';
import type { Buffer, Call, KernelName, Scale, Table } from './program.ts';

/** What a value of the graph is while a program is made of it. */
export type Value =
  /** Known numbers: shapes, limits, and weights in float. */
  | { readonly kind: 'constant'; readonly dims: readonly number[]; readonly data: readonly number[] }
  /** Weights in 8 bits, or a bias in 32, with one scale or one for each element of an axis. */
  | { readonly kind: 'weight'; readonly dims: readonly number[]; readonly q: Int8Array | Int32Array; readonly scales: Float32Array; readonly axis: number }
  /** A buffer, row-major; without a scale it holds floats. */
  | { readonly kind: 'tensor'; readonly dims: readonly number[]; readonly buffer: number; readonly scale?: Scale; /** Constants behind the last of its elements, which nobody computes. */ readonly beyond?: readonly number[] };

export type TensorValue = Extract<Value, { readonly kind: 'tensor' }>;
export type QuantisedValue = TensorValue & { readonly scale: Scale };

/** What a result must become. */
export interface Target8 extends Scale {
  /** Ends of the range, where a ReLU or a Clip behind the operator was joined with it. */
  readonly least: number;
  readonly most: number;
}

/** Why a node cannot be lowered: a sentence whose subject is the node. */
export class Refusal extends Error {}

export function refuse(sentence: string): never {
  throw new Refusal(sentence);
}

/** One node while it is lowered. */
export interface Lowered {
  readonly op: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** By position of the newest form; undefined where absent. */
  readonly inputs: readonly (Value | undefined)[];
  /** Of its first result; undefined where nothing makes 8 bits of it. */
  readonly target: Target8 | undefined;
  call(kernel: KernelName, fields: Call['fields'], reads: Call['reads'], writes: number): void;
  buffer(type: Buffer['type'], elements: number): number;
}

/** How an operator becomes calls: gives its results. */
export type Row = (node: Lowered) => readonly Value[];

/** A row that is missing on purpose, with the sentence a user reads instead; its subject is the operator. */
export interface Absent { readonly absent: string }
export const absent = (because: string): Absent => ({ absent: because });

export const sizeOf = (dims: readonly number[]): number => dims.reduce((product, n) => product * n, 1);

/** Row-major strides. */
export const stridesOf = (dims: readonly number[]): number[] => dims.map((_, axis) => sizeOf(dims.slice(axis + 1)));

/** An operand that is a tensor in 8 bits. */
export function quantised(node: Lowered, k = 0): QuantisedValue {
  const value = node.inputs[k];
  if (value?.kind !== 'tensor') return refuse(`has an operand ${k + 1} that is ${value === undefined ? 'missing' : 'a constant'}`);
  if (value.scale === undefined) return refuse(`reads floats: nothing puts its operand ${k + 1} into 8 bits`);
  return value as QuantisedValue;
}

/** The scale of the result. */
export const target = (node: Lowered): Target8 => node.target ?? refuse('has a result in float: nothing puts it into 8 bits');

/** Whole numbers of a constant operand; undefined where the operand is absent. */
export function numbers(node: Lowered, k: number): readonly number[] | undefined {
  const value = node.inputs[k];
  if (value === undefined) return undefined;
  return value.kind === 'constant' ? value.data : refuse(`computes its operand ${k + 1} from the data, and sizes must be fixed`);
}

/** Sizes from −1 and 0 as Reshape has them. */
export function attributeNumbers(node: Lowered, name: string): readonly number[] | undefined {
  const value = node.attributes[name];
  return Array.isArray(value) && value.length > 0 ? (value as readonly number[]) : undefined;
}

export const attributeNumber = (node: Lowered, name: string, otherwise: number): number => (typeof node.attributes[name] === 'number' ? node.attributes[name] : otherwise);

/** Brought to four axes by ones in front. */
export function four(values: readonly number[], fill: number): readonly number[] {
  if (values.length > 4) return refuse(`works on ${values.length} axes, and the kernels have four`);
  return [...Array<number>(4 - values.length).fill(fill), ...values];
}

export const result = (dims: readonly number[], buffer: number, { scale, zero }: Scale): Value => ({ kind: 'tensor', dims, buffer, scale: { scale, zero } });

/** Ties to even, as QuantizeLinear rounds. */
export function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  return rest !== 0.5 ? (rest < 0.5 ? below : below + 1) : below % 2 === 0 ? below : below + 1;
}

/** x in 8 bits, in float32 like the runtimes. */
export const inBits = (x: number, { scale, zero }: Scale, least = -128, most = 127): number => Math.max(least, Math.min(most, roundHalfEven(Math.fround(Math.fround(x) / Math.fround(scale))) + zero));

/** A function of one operand, as a table of its 256 values. */
export function lookup(node: Lowered, x: QuantisedValue, f: (x: number) => number, to: Target8, dims = x.dims): Value {
  const table = Int8Array.from({ length: 256 }, (_, k) => inBits(f(Math.fround((k - 128 - x.scale.zero) * Math.fround(x.scale.scale))), to, to.least, to.most));
  const buffer = node.buffer('int8', sizeOf(dims));
  node.call('lookup', { count: sizeOf(dims), table }, [x.buffer], buffer);
  return result(dims, buffer, to);
}

/** The numbers of a call as they go into int32 fields. */
export const isTable = (field: number | readonly number[] | Table): field is Table => ArrayBuffer.isView(field);
