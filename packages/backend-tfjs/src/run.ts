import { CoppiceError } from '@coppice/graph';
import type { Device } from './adapter.ts';
import { isFloating } from './host/array.ts';
import { runControl } from './control.ts';
import { Expansion } from './kernels/expanded.ts';
import { stepFor } from './step-for.ts';
import type { Frame, Schedule, Step } from './step.ts';
import { FLOAT, type DeviceCall, type ExpandedCall, type HostCall } from './row.ts';
import { Value } from './value.ts';

/**
 * Runs the steps of a schedule. A generator: it yields each value whose elements are wanted in JavaScript, and goes on when they are there,
 * so that one interpreter serves engines that read at once and those that only promise.
 * @param frame filled with constants, inputs and captured values; what is in its own places is freed
 * @returns the outputs, owned by the caller
 */
export function* runSchedule({ steps, dies, owned, outputs }: Schedule, frame: Frame, device: Device): Generator<Value, Value[]> {
  try {
    for (let k = 0; k < steps.length; k++) {
      const step = steps[k];
      const results = step.control ? yield* runControl(step, frame, device, runSchedule) : yield* runStep(step, operands(step, frame), device);
      const places = step.outputs;
      for (let j = 0; j < places.length; j++) {
        if (places[j] >= 0) frame[places[j]] = results[j];
        else results[j]?.release();
      }
      for (let j = places.length; j < results.length; j++) results[j]?.release();
      for (const place of dies[k]) {
        frame[place]!.release();
        frame[place] = undefined;
      }
    }
    return outputs.map((place) => frame[place]!.share());
  } finally {
    for (const place of owned) frame[place]?.release();
  }
}

const operands = ({ inputs }: Step, frame: Frame): (Value | undefined)[] => {
  const values = Array<Value | undefined>(inputs.length);
  for (let k = 0; k < inputs.length; k++) values[k] = inputs[k] < 0 ? undefined : frame[inputs[k]];
  return values;
};

/** Whether a step is computed on the device: where its operands are there, or are many. */
function onDevice({ device, computed, reads }: Step, inputs: readonly (Value | undefined)[], { few, engine }: Device): boolean {
  if (!device) return false;
  const { takes = FLOAT, host } = computed!;
  let [count, resident, floating] = [0, false, false];
  for (let k = 0; k < inputs.length; k++) {
    const value = inputs[k];
    if (!value || reads[k]) continue;
    if (!takes.includes(value.dtype) || (host && value.dims.length > engine.mostAxes)) return false;
    if (value.data === undefined) resident = true;
    else if (isFloating(value.dtype)) {
      floating = true;
      count += value.size;
    }
  }
  return resident || !host || (floating && count > few);
}

/** Runs one node. @returns its results, owned by the caller */
export function* runStep(step: Step, inputs: readonly (Value | undefined)[], device: Device): Generator<Value, readonly (Value | undefined)[]> {
  if (step.expanded) return yield* runExpanded(step, inputs, device);
  const { computed, reads, attributes, wanted, memory } = step;
  // Nothing has to be fetched of a tensor without elements, and kernels are not to be trusted with one.
  const empty = computed!.host !== undefined && inputs.some((value, k) => value && !reads[k] && value.dims.includes(0));
  const there = !empty && onDevice(step, inputs, device);
  for (let k = 0; k < inputs.length; k++) {
    const value = inputs[k];
    if (value && value.data === undefined && (!there || reads[k])) yield value;
  }
  try {
    if (there) {
      const results = computed!.device!({ attributes, inputs, outputs: wanted.length, wanted, device, memory } as unknown as DeviceCall<never>);
      if (results) return results;
      if (!computed!.host) throw new Error('tensors of this rank are not computed');
      for (const value of inputs) if (value && value.data === undefined) yield value;
    }
    if (!computed!.host) throw new Error(`it is not computed for ${inputs.map((value) => value?.dtype ?? 'nothing').join(', ')}`);
    const results = computed!.host({ attributes, inputs, outputs: wanted.length, wanted } as unknown as HostCall<never>);
    return results.map((result) => (result instanceof Value ? result.share() : result && Value.host(result)));
  } catch (error) {
    throw runFailure(step.label, inputs, error);
  }
}

/** Runs the nodes that an operator is expanded into. */
function* runExpanded({ expanded, attributes, wanted, label }: Step, inputs: readonly (Value | undefined)[], device: Device): Generator<Value, readonly (Value | undefined)[]> {
  const emit = new Expansion((op, operands, own, outputs) => runStep(stepFor(`${label}, as ${op},`, op, own, operands, outputs, device), operands, device));
  try {
    const results = yield* expanded!.expand({ attributes, inputs, outputs: wanted.length, wanted, emit } as unknown as ExpandedCall<never>);
    return results.map((value) => value?.share());
  } catch (error) {
    throw runFailure(label, inputs, error);
  } finally {
    emit.free();
  }
}

/** What a kernel says about its operands, with the node and their shapes in front. */
function runFailure(label: string, inputs: readonly (Value | undefined)[], cause: unknown): unknown {
  if (cause instanceof CoppiceError) return cause;
  const shapes = inputs.map((value) => (value ? `${value.dtype}[${value.dims.join(', ')}]` : 'nothing')).join(', ');
  const words = cause instanceof Error ? cause.message : String(cause);
  return new CoppiceError('COPPICE_BACKEND_RUN', `${label} failed on ${shapes}: ${words}`, { cause });
}
