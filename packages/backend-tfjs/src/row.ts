import type { Attributes, ContribAttributes, ContribOperatorName, DataType, OperatorName } from '@coppice/graph';
import type { Device } from './adapter.ts';
import type { Expansion } from './kernels/expanded.ts';
import type { Host, Value } from './value.ts';

/** What the rows of both kinds are told about a node. */
interface Known<A> {
  readonly attributes: A;
  /** How many results the node names. */
  readonly outputs: number;
  /** Which of them anyone reads. */
  readonly wanted: readonly boolean[];
}

/** A node computed in JavaScript: exact, on arrays. Operands that are left out are undefined. */
export interface HostCall<A> extends Known<A> {
  readonly inputs: readonly Host[];
}

/** A node computed by the kernels of TensorFlow.js. Operands belong to the caller, results to the one who gets them. */
export interface DeviceCall<A> extends Known<A> {
  readonly inputs: readonly Value[];
  readonly device: Device;
  /** What a node keeps between runs because it depends on constants alone. Freed with the executable. */
  readonly memory: Memory;
}

/** What a node keeps between runs. */
export type Memory = Map<string, Value>;

export type HostRow<A> = (call: HostCall<A>) => readonly (Host | undefined)[];
/** Undefined says that these operands are not for the device, so that the host row computes them. */
export type DeviceRow<A> = (call: DeviceCall<A>) => readonly (Value | undefined)[] | undefined;

/** What is known of a node before anything runs. */
export interface Stated<A> {
  readonly attributes: A;
  readonly types: readonly (DataType | undefined)[];
  readonly constants: readonly (Host | undefined)[];
  readonly present: readonly boolean[];
  readonly wanted: readonly boolean[];
}

/** How an operator is computed. At least one of `host` and `device` is there. */
export interface Computed<A> {
  /** On arrays: integers, float64, text, and small floats that are in JavaScript already. */
  readonly host?: HostRow<A>;
  /** With kernels. */
  readonly device?: DeviceRow<A>;
  /** Kernels that the device row needs; without them the host row does it. */
  readonly kernels?: readonly string[];
  /** Element types that the device row takes as operands. Default float32 and float16. */
  readonly takes?: readonly DataType[];
  /** Operands that the device row reads as numbers: shapes, axes, indices. */
  readonly reads?: readonly number[];
  /** Whether the device row can do this use of the operator; without it, it can do all. */
  readonly deviceWhen?: (node: Stated<A>) => boolean;
  /** Types that the host row takes; default all numbers. */
  readonly hostTakes?: readonly DataType[];
  /** The numbers differ from run to run, so that nothing may be computed beforehand. */
  readonly random?: true;
  /** Why a certain use of the operator is refused, as the end of a sentence; undefined when it is not. */
  readonly refuse?: (node: Stated<A>) => string | undefined;
}

/** An operator that is not computed, with the sentence that a user reads instead. */
export interface Refused { readonly refused: string }
export const refused = (because: string): Refused => ({ refused: because });

/** An operator that `lowerComposites` of graph replaces before anything is planned. */
export interface Lowered { readonly lowered: true }
export const lowered: Lowered = { lowered: true };

/** A node that is computed by others once its ranks and sizes are known. */
export interface ExpandedCall<A> extends Known<A> {
  readonly inputs: readonly Value[];
  readonly emit: Expansion;
}

/** An operator that is several nodes, chosen while it runs. Yields what is to be read back from the device. */
export interface Expanded<A> {
  /** Results of `emit`, or operands. */
  readonly expand: (call: ExpandedCall<A>) => Generator<Value, readonly (Value | undefined)[]>;
  /** Types of operands that are taken; default float32 and float16, and any for the others than the first. */
  readonly takes?: readonly DataType[];
  readonly refuse?: (node: Stated<A>) => string | undefined;
}

/** An operator that runs graphs of its own; `control.ts` interprets it. */
export interface Control { readonly control: 'If' | 'Loop' | 'Scan' }

export type Row<N extends OperatorName> = Computed<Attributes<N>> | Expanded<Attributes<N>> | Refused | Lowered | Control;
export type Rows = { readonly [N in OperatorName]?: Row<N> };
export type ContribRow<N extends ContribOperatorName> = Computed<ContribAttributes<N>> | Expanded<ContribAttributes<N>> | Refused | Lowered;
/** A row whose attributes are not known by type, as the planner sees it. */
export type AnyComputed = Computed<never>;
export type AnyExpanded = Expanded<never>;

export const FLOAT: readonly DataType[] = ['float32', 'float16'];
export const BOOL: readonly DataType[] = ['bool'];
/** What lies on the device at all: for rows that move elements and do not compute. */
export const HELD: readonly DataType[] = ['float32', 'float16', 'bool', 'int8', 'uint8', 'int32'];
/** Numbers that host rows compute with. */
export const NUMBERS: readonly DataType[] = ['float32', 'float16', 'bfloat16', 'float64', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64', 'bool'];
/** The same and text. */
export const ALL: readonly DataType[] = [...NUMBERS, 'string'];
