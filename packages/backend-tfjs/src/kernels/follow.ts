import type { DataType } from '@coppice/graph';
import type { Device, DeviceTensor } from '../adapter.ts';
import { broadcastDims } from '../host/array.ts';
import type { DeviceCall } from '../row.ts';
import { inverse, transposed, Value, type Order } from '../value.ts';

/** The tensor of a value as it lies. */
export function lying(value: Value, device: Device): DeviceTensor {
  if (value.tensor) return value.tensor;
  return value.plain(device);
}

/** A kernel on each element: the result lies as the operand does. */
export const eachElement = <A>(kernel: string, attributesOf: (attributes: A) => Readonly<Record<string, unknown>> = () => ({}), dtype?: DataType) =>
  ({ inputs: [x], device, attributes }: DeviceCall<A>): Value[] =>
    [Value.ordered(dtype ?? x.dtype, device.run(kernel, { x: lying(x, device) }, attributesOf(attributes)), x.order)];

/** A tensor in an order, and whether it has to be freed after use. */
type Arranged = readonly [tensor: DeviceTensor, temporary: boolean];

/** A value so that it broadcasts against tensors that lie in `order`. */
export function arranged(value: Value, device: Device, order: Order | undefined): Arranged {
  if (!order) return [value.plain(device), false];
  const rank = order.length;
  if (value.dims.length === rank) return [value.ordered(device, inverse(order)), false];
  if (value.dims.length === 0) return [value.plain(device), false];
  const spread = device.reshape(value.plain(device), [...Array<number>(rank - value.dims.length).fill(1), ...value.dims]);
  return [device.consume(spread, (tensor) => transposed(device, tensor, inverse(order))), true];
}

/** The order in which operands that broadcast are best computed: that of the largest. */
export function commonOrder(values: readonly Value[]): Order | undefined {
  const rank = Math.max(...values.map(({ dims }) => dims.length));
  let best: Value | undefined;
  for (const value of values) {
    if (value.dims.length !== rank) continue;
    if (!best || value.size > best.size || (value.size === best.size && !best.order)) best = value;
  }
  return best!.order;
}

/** A kernel on two operands that broadcast. */
export function together(device: Device, kernel: string, a: Value, b: Value, dtype: DataType = a.dtype): Value {
  if (!a.order && !b.order) return Value.device(dtype, device.run(kernel, { a: a.plain(device), b: b.plain(device) }));
  const order = commonOrder([a, b]);
  const [left, freeLeft] = arranged(a, device, order);
  const [right, freeRight] = arranged(b, device, order);
  const result = Value.ordered(dtype, device.run(kernel, { a: left, b: right }), order);
  if (freeLeft) device.dispose(left);
  if (freeRight) device.dispose(right);
  return result;
}

export const pairs = <A>(kernel: string, dtype?: DataType) => ({ inputs: [a, b], device }: DeviceCall<A>): Value[] => [together(device, kernel, a, b, dtype ?? a.dtype)];

/** A kernel from the left over any number of operands. */
export const folded = <A>(kernel: string) => ({ inputs, device }: DeviceCall<A>): Value[] => [fold(device, kernel, inputs)];

export function fold(device: Device, kernel: string, values: readonly Value[]): Value {
  let result = values[0].share();
  for (const value of values.slice(1)) {
    const next = together(device, kernel, result, value);
    result.release();
    result = next;
  }
  return result;
}

const equal = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((size, k) => size === b[k]);

/** A tensor repeated to a shape that it broadcasts to. New unless it has that shape already. */
export function spread(device: Device, tensor: DeviceTensor, dims: readonly number[]): DeviceTensor {
  if (equal(tensor.shape, dims)) return tensor;
  const padded = [...Array<number>(dims.length - tensor.shape.length).fill(1), ...tensor.shape];
  const whole = tensor.shape.length === dims.length ? tensor : device.reshape(tensor, padded);
  if (equal(padded, dims)) return whole;
  const result = device.repeat(whole, dims);
  if (whole !== tensor) device.dispose(whole);
  return result;
}

/** `condition ? a : b` with broadcasting. */
export function select(device: Device, condition: Value, a: Value, b: Value): Value {
  const dims = broadcastDims(condition.dims, a.dims, b.dims);
  const order = commonOrder([condition, a, b]);
  const physical = order ? inverse(order).map((axis) => dims[axis]) : dims;
  const temporary: DeviceTensor[] = [];
  const whole = (value: Value): DeviceTensor => {
    const [tensor, free] = arranged(value, device, order);
    if (free) temporary.push(tensor);
    const wide = spread(device, tensor, physical);
    if (wide !== tensor) temporary.push(wide);
    return wide;
  };
  // One list against another, because not every engine chooses in tensors of more than four axes.
  const flat = (value: Value): DeviceTensor => {
    const tensor = whole(value);
    if (dims.length <= 4) return tensor;
    const list = device.reshape(tensor, [tensor.size]);
    temporary.push(list);
    return list;
  };
  const chosen = device.run('Select', { condition: flat(condition), t: flat(a), e: flat(b) });
  for (const tensor of temporary) device.dispose(tensor);
  return Value.ordered(a.dtype, dims.length <= 4 ? chosen : device.consume(chosen, (t) => device.reshape(t, physical)), order);
}
