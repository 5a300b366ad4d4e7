import type { Device, DeviceTensor } from './adapter.ts';
import { axisOf, host, permuted, reshaped, strided, stridesOf } from './host/array.ts';
import { joined } from './host/movement.ts';
import { newFrame, type Frame, type Plan, type Schedule, type Step } from './step.ts';
import { Value } from './value.ts';

/** Runs the graph of a body; the interpreter brings it. */
export type RunSchedule = (schedule: Schedule, frame: Frame, device: Device) => Generator<Value, Value[]>;

/** Runs If, Loop or Scan: graphs in a graph. @returns results, owned by the caller */
export function runControl(step: Step, frame: Frame, device: Device, runSchedule: RunSchedule): Generator<Value, readonly (Value | undefined)[]> {
  switch (step.control!) {
    case 'If': return runIf(step, frame, device, runSchedule);
    case 'Loop': return runLoop(step, frame, device, runSchedule);
    case 'Scan': return runScan(step, frame, device, runSchedule);
  }
}

function* elementsOf(value: Value): Generator<Value, Value & { data: NonNullable<Value['data']> }> {
  if (value.data === undefined) yield value;
  return value as Value & { data: NonNullable<Value['data']> };
}

/** Puts a value into the place of a body's input; nowhere when the body does not read it. Takes over the use of the caller. */
function give({ inputs, schedule }: Plan, frame: Frame, k: number, value: Value): void {
  const place = inputs[k];
  if (place !== undefined && schedule.read.has(place)) frame[place] = value;
  else value.release();
}

function* runIf({ inputs, bodies }: Step, frame: Frame, device: Device, runSchedule: RunSchedule): Generator<Value, readonly Value[]> {
  const condition = yield* elementsOf(frame[inputs[0]]!);
  const plan = condition.data[0] ? bodies.then_branch : bodies.else_branch;
  return yield* runSchedule(plan.schedule, newFrame(plan, frame), device);
}

function* runLoop({ inputs, bodies: { body } }: Step, frame: Frame, device: Device, runSchedule: RunSchedule): Generator<Value, readonly Value[]> {
  const at = (k: number): Value | undefined => (inputs[k] === undefined || inputs[k] < 0 ? undefined : frame[inputs[k]]);
  const [limit, start] = [at(0), at(1)];
  const trips = limit ? Number((yield* elementsOf(limit)).data[0]) : Infinity;
  let going = start ? Boolean((yield* elementsOf(start)).data[0]) : true;
  let carried = inputs.slice(2).map((place) => frame[place]!.share());
  const count = carried.length;
  const stacks: Value[][] = Array.from({ length: body.outputs.length - 1 - count }, () => []);
  const base = newFrame(body, frame);
  try {
    for (let trip = 0; trip < trips && going; trip++) {
      const inner = base.slice();
      give(body, inner, 0, Value.host({ dtype: 'int64', dims: [], data: BigInt64Array.of(BigInt(trip)) }));
      give(body, inner, 1, Value.host({ dtype: 'bool', dims: [], data: Uint8Array.of(1) }));
      const given = carried;
      carried = [];
      given.forEach((value, k) => give(body, inner, 2 + k, value));
      const results = yield* runSchedule(body.schedule, inner, device);
      going = Boolean((yield* elementsOf(results[0])).data[0]);
      results[0].release();
      carried = results.slice(1, 1 + count);
      stacks.forEach((stack, k) => stack.push(results[1 + count + k]));
    }
    const stacked = stacks.map((stack, k) => (stack.length > 0 ? stackOf(stack, 0, device) : Value.host(host(body.types[1 + count + k] ?? 'float32', [0], []))));
    const results = [...carried, ...stacked];
    carried = [];
    return results;
  } finally {
    for (const value of carried) value.release();
    for (const stack of stacks) for (const value of stack) value.release();
  }
}

/**
 * Slices of the scanned values are made once, before the first step; outputs are joined once, after the last. Spec: Scan-11.
 */
function* runScan({ inputs, attributes, bodies: { body } }: Step, frame: Frame, device: Device, runSchedule: RunSchedule): Generator<Value, readonly Value[]> {
  const { num_scan_inputs: scanned, scan_input_axes, scan_input_directions, scan_output_axes, scan_output_directions } = attributes as {
    readonly num_scan_inputs: number;
    readonly scan_input_axes?: readonly number[];
    readonly scan_input_directions?: readonly number[];
    readonly scan_output_axes?: readonly number[];
    readonly scan_output_directions?: readonly number[];
  };
  const count = inputs.length - scanned;
  const sequences = inputs.slice(count).map((place) => frame[place]!);
  const axes = sequences.map(({ dims }, k) => axisOf(scan_input_axes?.[k] ?? 0, dims.length));
  const steps = sequences[0].dims[axes[0]];
  sequences.forEach(({ dims }, k) => {
    if (dims[axes[k]] !== steps) throw new Error(`scan inputs have ${steps} and ${dims[axes[k]]} steps`);
  });
  const slices = sequences.map((value, k) => (body.inputs[count + k] !== undefined && body.schedule.read.has(body.inputs[count + k]!) ? slicesOf(value, axes[k], device) : undefined));
  let states = inputs.slice(0, count).map((place) => frame[place]!.share());
  const stacks: Value[][] = Array.from({ length: body.outputs.length - count }, () => []);
  const base = newFrame(body, frame);
  try {
    for (let t = 0; t < steps; t++) {
      const inner = base.slice();
      states.forEach((value, k) => give(body, inner, k, value));
      states = [];
      slices.forEach((list, k) => {
        if (!list) return;
        const from = scan_input_directions?.[k] === 1 ? steps - 1 - t : t;
        inner[body.inputs[count + k]!] = list[from].share();
      });
      const results = yield* runSchedule(body.schedule, inner, device);
      states = results.slice(0, count);
      for (let k = 0; k < stacks.length; k++) stacks[k].push(results[count + k]);
    }
    const stacked = stacks.map((stack, k) => {
      if (stack.length === 0) throw new Error('a Scan over nothing has outputs of unknown shape');
      const ordered = scan_output_directions?.[k] === 1 ? stack.toReversed() : stack;
      return stackOf(ordered, axisOf(scan_output_axes?.[k] ?? 0, ordered[0].dims.length + 1), device);
    });
    const results = [...states, ...stacked];
    states = [];
    return results;
  } finally {
    for (const value of states) value.release();
    for (const list of slices) if (list) for (const value of list) value.release();
    for (const stack of stacks) for (const value of stack) value.release();
  }
}

/** A value cut into slices along an axis, which they no longer have. */
function slicesOf(value: Value, axis: number, device: Device): Value[] {
  const steps = value.dims[axis];
  const rest = value.dims.toSpliced(axis, 1);
  if (value.data !== undefined && value.tensor === undefined) {
    const strides = stridesOf(value.dims);
    const own = strides.toSpliced(axis, 1);
    return Array.from({ length: steps }, (_, t) => Value.host(strided({ ...value, data: value.data! }, rest, own, t * strides[axis])));
  }
  if (steps === 0) return [];
  const tensors = device.unstack(value.plain(device), axis);
  return tensors.map((tensor) => Value.device(value.dtype, tensor));
}

/** Values of one shape joined along a new axis. */
function stackOf(values: readonly Value[], axis: number, device: Device): Value {
  const [{ dtype, dims }] = values;
  if (values.every(({ data, tensor }) => data !== undefined && tensor === undefined)) {
    const whole = joined(values.map((value) => reshaped({ dtype, dims, data: value.data! }, [1, ...dims])), 0);
    const order = dims.map((_, k) => k + 1).toSpliced(axis, 0, 0);
    return Value.host(axis === 0 ? whole : permuted(whole, order));
  }
  const unit = [...dims].toSpliced(axis, 0, 1);
  const views: DeviceTensor[] = values.map((value) => device.reshape(value.plain(device), unit));
  const whole = views.length === 1 ? views[0] : device.run('Concat', views, { axis });
  if (views.length > 1) for (const view of views) device.dispose(view);
  return new Value(dtype, whole.shape, undefined, whole);
}

