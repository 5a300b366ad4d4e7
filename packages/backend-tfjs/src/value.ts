import type { DataType, TensorData } from '@coppice/graph';
import type { Device, DeviceTensor } from './adapter.ts';

/**
 * Elements in the memory of JavaScript. As the `Tensor` of a model, but float16 and bfloat16 are float32 numbers, so that arithmetic needs
 * no bits; they are rounded where they are cast and where they leave.
 */
export interface Host {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

/** An order of axes: axis k of the result is axis order[k] of the operand. */
export type Order = readonly number[];

/**
 * A tensor while a graph runs: in the memory of JavaScript, on the device, or both. On the device it may lie with its axes in another order
 * (channels last), and a transposed value is the same tensor with another order: what reads it decides whether anything is moved.
 */
export class Value {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  /** The elements in JavaScript, where they are there. */
  data: TensorData | undefined;
  /** The elements on the device, where they are there. */
  tensor: DeviceTensor | undefined;
  /** This value is `tensor` with its axes in this order; undefined when it lies as it is. */
  readonly order: Order | undefined;
  /** Constants outlive a run and keep their other forms. */
  constant = false;
  #uses = 1;
  /** `tensor` with axes in other orders, by the order. */
  #forms: Map<string, DeviceTensor> | undefined;

  constructor(dtype: DataType, dims: readonly number[], data: TensorData | undefined, tensor?: DeviceTensor, order?: Order) {
    this.dtype = dtype;
    this.dims = dims;
    this.data = data;
    this.tensor = tensor;
    this.order = order;
  }

  static host({ dtype, dims, data }: Host): Value { return new Value(dtype, dims, data); }
  static device(dtype: DataType, tensor: DeviceTensor): Value { return new Value(dtype, tensor.shape, undefined, tensor); }
  /** A tensor that lies in another order: the value is `tensor` with its axes in `order`. */
  static ordered(dtype: DataType, tensor: DeviceTensor, order: Order | undefined): Value {
    return order ? new Value(dtype, order.map((axis) => tensor.shape[axis]), undefined, tensor, order) : Value.device(dtype, tensor);
  }

  get size(): number { return this.dims.reduce((product, size) => product * size, 1); }

  /** One more that holds it. */
  share(): this {
    this.#uses++;
    return this;
  }

  /** One less; the last one frees it. */
  release(): void {
    if (--this.#uses > 0 || this.constant) return;
    this.free();
  }

  /** What it holds on the device. */
  get tensors(): DeviceTensor[] { return [...(this.tensor ? [this.tensor] : []), ...(this.#forms?.values() ?? [])]; }

  /** Leaves the device, where the elements are in JavaScript as well. What needs them there brings them again. */
  unload(): void {
    if (this.data !== undefined) this.free();
  }

  free(): void {
    this.tensor?.dispose();
    this.tensor = undefined;
    if (this.#forms) for (const form of this.#forms.values()) form.dispose();
    this.#forms = undefined;
  }

  /** This value on the device, its axes as they are. Belongs to the value. */
  plain(device: Device): DeviceTensor {
    this.tensor ??= device.upload(this.dtype, this.dims, this.data!);
    return this.order ? this.#form(device, this.order) : this.tensor;
  }

  /** This value with its axes in another order. Belongs to the value. */
  ordered(device: Device, order: Order): DeviceTensor {
    this.tensor ??= device.upload(this.dtype, this.dims, this.data!);
    return this.#form(device, this.order ? order.map((axis) => this.order![axis]) : order);
  }

  /** `tensor` with its axes in an order, made once. */
  #form(device: Device, order: Order): DeviceTensor {
    if (order.every((axis, k) => axis === k)) return this.tensor!;
    const key = order.join();
    const known = this.#forms?.get(key);
    if (known) return known;
    const made = transposed(device, this.tensor!, order);
    (this.#forms ??= new Map()).set(key, made);
    return made;
  }
}

/** A new tensor with the axes of another in some order; nothing moves where only axes of size 1 change places. */
export function transposed(device: Device, tensor: DeviceTensor, order: Order): DeviceTensor {
  const long = order.filter((axis) => tensor.shape[axis] !== 1);
  if (long.every((axis, k) => k === 0 || axis > long[k - 1])) return device.reshape(tensor, order.map((axis) => tensor.shape[axis]));
  return device.run('Transpose', { x: tensor }, { perm: order });
}

/** The order that undoes an order. */
export const inverse = (order: Order): Order => {
  const back = Array<number>(order.length);
  order.forEach((axis, k) => { back[axis] = k; });
  return back;
};
