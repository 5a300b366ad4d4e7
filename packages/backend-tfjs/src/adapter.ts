import type { DataType, TensorData } from '@coppice/graph';
import type * as Core from '@tensorflow/tfjs-core';
import { stridesOf } from './host/array.ts';
import { STRIDED } from './strided-kernel.ts';

/** TensorFlow.js itself. */
export type TensorFlow = typeof Core;
/** A tensor of TensorFlow.js: float32, int32 or bool. */
export type DeviceTensor = Core.Tensor;

/** Element types that a device holds, and the type of TensorFlow.js that holds them without a loss. float16 is computed in float32. */
const held: { readonly [T in DataType]?: 'float32' | 'int32' | 'bool' } = {
  float32: 'float32', float16: 'float32', bool: 'bool', int32: 'int32', int8: 'int32', uint8: 'int32', int16: 'int32', uint16: 'int32',
};
/** Whether tensors of a type can lie on the device. */
export const isHeld = (dtype: DataType): boolean => held[dtype] !== undefined;

/** What is known about one of the engines of TensorFlow.js. */
export interface Engine {
  /** Name of the engine in TensorFlow.js. */
  readonly backendName: string;
  /** Whether results can be read at once; WebGPU only gives promises. */
  readonly readsAtOnce: boolean;
  /** Whether a product takes the transposed operand as fast as the plain one; WebAssembly is 15 to 45 times slower. */
  readonly transposesFree: boolean;
  /** Whether the kernel for transposed convolution is so slow that an ordinary one over zeros in between wins. */
  readonly slowTransposed: boolean;
  /** Whether a product of batches takes many times as long as its products one by one. */
  readonly slowBatches: boolean;
  /** Tensors of more axes are computed in JavaScript. */
  readonly mostAxes: number;
}

/** The one door to TensorFlow.js: kernels by name, memory, and nothing else. */
export class Device {
  readonly tf: TensorFlow;
  readonly engine: Engine;
  readonly #core: ReturnType<TensorFlow['engine']>;
  readonly #kernels: ReadonlySet<string>;
  /** What was made since `record`. */
  #made: DeviceTensor[] | undefined;

  /**
   * Floats with up to so many elements are computed in JavaScript where all of them are there: a kernel costs more than they do.
   */
  readonly few: number;

  constructor(tf: TensorFlow, engine: Engine, few = 64) {
    this.few = few;
    this.tf = tf;
    this.engine = engine;
    this.#core = tf.engine();
    this.#kernels = new Set(tf.getKernelsForBackend(engine.backendName).map(({ kernelName }) => kernelName));
  }

  /** Makes this the engine that computes. All engines of a process share one global setting, so it is made again before each run. */
  async use(): Promise<void> {
    if (this.#core.backendName !== this.engine.backendName) await this.tf.setBackend(this.engine.backendName);
  }

  has(kernel: string): boolean { return this.#kernels.has(kernel); }

  /** Remembers from now on what is made. */
  record(): void { this.#made = []; }

  /** Ends what `record` began. @returns what was made and still lives */
  recorded(): DeviceTensor[] {
    const made = this.#made ?? [];
    this.#made = undefined;
    return made.filter((tensor) => !tensor.isDisposed);
  }

  /** Runs a kernel with one result. */
  run(kernel: string, inputs: Readonly<Record<string, DeviceTensor>> | readonly DeviceTensor[], attributes: Readonly<Record<string, unknown>> = {}): DeviceTensor {
    const result = this.#core.runKernel(kernel, inputs as never, attributes as never) as DeviceTensor;
    this.#made?.push(result);
    return result;
  }

  /** Runs a kernel with a list of results. */
  runAll(kernel: string, inputs: Readonly<Record<string, DeviceTensor>>, attributes: Readonly<Record<string, unknown>> = {}): DeviceTensor[] {
    const results = this.#core.runKernel(kernel, inputs as never, attributes as never) as DeviceTensor[];
    this.#made?.push(...results);
    return results;
  }

  /** Runs kernels on an intermediate result that nobody else needs. */
  consume(tensor: DeviceTensor, use: (tensor: DeviceTensor) => DeviceTensor): DeviceTensor {
    const result = use(tensor);
    if (result !== tensor) this.dispose(tensor);
    return result;
  }

  upload(dtype: DataType, dims: readonly number[], data: TensorData): DeviceTensor {
    const kind = held[dtype]!;
    const values = kind === 'int32' && !(data instanceof Int32Array) ? Int32Array.from(data as Uint8Array) : data;
    const tensor = this.#core.makeTensor(values as Core.DataValues, dims as number[], kind) as DeviceTensor;
    this.#made?.push(tensor);
    return tensor;
  }

  /** float32 from numbers. */
  floats(values: readonly number[] | Float32Array, dims: readonly number[]): DeviceTensor { return this.upload('float32', dims, Float32Array.from(values)); }
  /** int32 from numbers that are known to fit. */
  ints(values: readonly number[] | Int32Array, dims: readonly number[]): DeviceTensor { return this.upload('int32', dims, Int32Array.from(values)); }

  /** The same elements in another shape; shares them with `tensor`. */
  reshape(tensor: DeviceTensor, dims: readonly number[]): DeviceTensor { return this.run('Reshape', { x: tensor }, { shape: dims }); }

  /** Parts of axes, every steps-th element of them. New. */
  slice(x: DeviceTensor, begin: readonly number[], size: readonly number[], steps?: readonly number[]): DeviceTensor {
    if (this.has(STRIDED)) {
      const strides = stridesOf(x.shape);
      return this.run(STRIDED, { x }, { dims: size, strides: steps ? strides.map((stride, k) => stride * steps[k]) : strides, offset: begin.reduce((sum, start, k) => sum + start * strides[k], 0) });
    }
    if (!steps || steps.every((step) => step === 1)) return this.run('Slice', { x }, { begin, size });
    // The kernel for steps is wrong for integers on some engines: gather the places.
    const start = this.run('Slice', { x }, { begin: begin.map((at, k) => (steps[k] === 1 ? at : 0)), size: size.map((count, k) => (steps[k] === 1 ? count : x.shape[k])) });
    return steps.reduce((tensor, step, axis) => {
      if (step === 1) return tensor;
      const places = this.ints(Array.from({ length: size[axis] }, (_, k) => begin[axis] + k * step), [size[axis]]);
      const part = this.consume(tensor, (t) => this.run('GatherV2', { x: t, indices: places }, { axis, batchDims: 0 }));
      this.dispose(places);
      return part;
    }, start);
  }

  /** [start, start + count) of one axis. New. */
  cut(x: DeviceTensor, axis: number, start: number, count: number): DeviceTensor {
    return this.slice(x, x.shape.map((_, k) => (k === axis ? start : 0)), x.shape.map((size, k) => (k === axis ? count : size)));
  }

  /** The slices of an axis, which they no longer have. */
  unstack(x: DeviceTensor, axis: number): DeviceTensor[] {
    if (!this.has(STRIDED)) return this.runAll('Unpack', { value: x }, { axis });
    const strides = stridesOf(x.shape);
    const [dims, own] = [x.shape.toSpliced(axis, 1), strides.toSpliced(axis, 1)];
    return Array.from({ length: x.shape[axis] }, (_, t) => this.run(STRIDED, { x }, { dims, strides: own, offset: t * strides[axis] }));
  }

  /** Repeated to a shape of the same rank, where its axes have size 1. New. */
  repeat(x: DeviceTensor, dims: readonly number[]): DeviceTensor {
    if (this.has(STRIDED)) return this.run(STRIDED, { x }, { dims, strides: stridesOf(x.shape).map((stride, k) => (x.shape[k] === dims[k] ? stride : 0)), offset: 0 });
    // WebGPU tiles tensors of five axes where it cannot read them.
    if (dims.length > 4 && x.dtype === 'float32') return this.consume(this.run('Fill', {}, { shape: dims, value: 1, dtype: 'float32' }), (ones) => this.run('Multiply', { a: x, b: ones }));
    return this.run('Tile', { x }, { reps: dims.map((size, k) => (x.shape[k] === size ? 1 : size)) });
  }

  /** The elements, in an array that belongs to the caller. */
  download(tensor: DeviceTensor, dtype: DataType): TensorData { return owned(tensor.dataSync(), dtype); }
  async downloadLater(tensor: DeviceTensor, dtype: DataType): Promise<TensorData> { return owned(await tensor.data(), dtype); }

  dispose(tensor: DeviceTensor): void { tensor.dispose(); }
}

const arrays = { float32: Float32Array, float16: Float32Array, bool: Uint8Array, int32: Int32Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array } as const;

/** A copy, because some engines hand out their own memory. */
function owned(values: Core.DataTypeMap[keyof Core.DataTypeMap], dtype: DataType): TensorData {
  const ArrayType = arrays[dtype as keyof typeof arrays];
  return values instanceof ArrayType ? values.slice() : ArrayType.from(values as Float32Array);
}
