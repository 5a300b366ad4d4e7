import type { AttributeValue, OperatorName } from '@coppice/graph';
import type { Device } from './adapter.ts';
import type { AnyComputed, Stated } from './row.ts';
import type { Step } from './step.ts';
import { rowOf } from './table.ts';
import type { Host, Value } from './value.ts';

/** A step for a node that an operator is expanded into. */
export function stepFor(label: string, op: OperatorName, attributes: Readonly<Record<string, AttributeValue>>, inputs: readonly (Value | undefined)[], outputs: number, device: Device): Step {
  const computed = rowOf('', op) as AnyComputed;
  const stated: Stated<never> = {
    attributes: attributes as never, types: inputs.map((value) => value?.dtype), present: inputs.map((value) => value !== undefined), wanted: Array<boolean>(outputs).fill(true),
    constants: inputs.map((value) => (value?.data === undefined ? undefined : (value as Value & Host))),
  };
  return {
    label, op, attributes, computed, expanded: undefined, control: undefined, bodies: {}, captured: [],
    device: hasKernels(computed, device) && (computed.deviceWhen?.(stated) ?? true),
    inputs: inputs.map((_, k) => k), reads: inputs.map((_, k) => computed.reads?.includes(k) ?? false),
    outputs: Array.from({ length: outputs }, (_, k) => k), wanted: stated.wanted, memory: new Map(),
  };
}

/** Whether an engine has what the device row of an operator needs. */
export const hasKernels = ({ device: row, kernels = [] }: AnyComputed, device: Device): boolean => row !== undefined && kernels.every((kernel) => device.has(kernel));
