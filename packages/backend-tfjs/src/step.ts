import type { AttributeValue, DataType } from '@coppice/graph';
import type { AnyComputed, AnyExpanded, Control, Memory } from './row.ts';
import type { Value } from './value.ts';

/** A node ready to run: its row chosen, its operands as places in a frame. */
export interface Step {
  /** As messages name it. */
  readonly label: string;
  readonly op: string;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly computed: AnyComputed | undefined;
  readonly expanded: AnyExpanded | undefined;
  /** Whether the device row may be used. */
  readonly device: boolean;
  readonly control: Control['control'] | undefined;
  readonly bodies: Readonly<Record<string, Plan>>;
  /** Places of the operands, −1 where one is left out. */
  readonly inputs: readonly number[];
  /** Which operands the device row reads as numbers. */
  readonly reads: readonly boolean[];
  /** Places of the results, −1 where one is left out. */
  readonly outputs: readonly number[];
  readonly wanted: readonly boolean[];
  readonly memory: Memory;
  /** Places of an outer frame that the bodies use. */
  readonly captured: readonly number[];
}

/** A graph ready to run. A frame holds its values, each in one place. */
export interface Plan {
  readonly inputs: readonly (number | undefined)[];
  readonly outputs: readonly number[];
  readonly outputNames: readonly string[];
  /** Element types of the outputs, where they are known. */
  readonly types: readonly (DataType | undefined)[];
  /** A frame before a run: the constants. */
  readonly template: readonly (Value | undefined)[];
  /** What comes from the frame of the graph around this one: its place there, its place here. */
  readonly captures: readonly (readonly [outer: number, inner: number])[];
  readonly schedule: Schedule;
  /** All steps, for runs that want other outputs. */
  readonly steps: readonly Step[];
}

/** Steps in order, and what is dead after each of them. */
export interface Schedule {
  readonly steps: readonly Step[];
  /** For each step, the places nobody reads after it. */
  readonly dies: readonly (readonly number[])[];
  /** Places whose values a step or an output reads. */
  readonly read: ReadonlySet<number>;
  /** Places that hold values of the run itself: neither constants nor values of the graph around. */
  readonly owned: readonly number[];
  readonly outputs: readonly number[];
}

/** The values of a graph while it runs, by place. */
export type Frame = (Value | undefined)[];

/** A frame for one run of a plan, with what it captures from the frame around it. */
export function newFrame({ template, captures }: Plan, outer?: Frame): Frame {
  const frame = template.slice();
  for (const [from, to] of captures) frame[to] = outer![from];
  return frame;
}
