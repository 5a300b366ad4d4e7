import type { TensorFlow } from './adapter.ts';

/** A kernel of ours beside those of TensorFlow.js: elements of a tensor read with any strides. Slices, steps and repeats are all of them this. */
export const STRIDED = 'CoppiceStrided';

export interface StridedAttributes {
  readonly dims: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

type Elements = Float32Array | Int32Array | Uint8Array;

/** What of the two engines in JavaScript memory is used here. */
interface WasmMemory {
  makeOutput(shape: readonly number[], dtype: string): { readonly dataId: object; readonly shape: number[]; readonly dtype: string };
  typedArrayFromHeap(of: { readonly dataId: object; readonly shape: readonly number[]; readonly dtype: string }): Elements;
}
interface CpuMemory {
  readonly data: { get(dataId: object): { readonly values: Elements } };
  makeTensorInfo(shape: readonly number[], dtype: string, values: Elements): unknown;
}

interface KernelCall<M> {
  readonly inputs: { readonly x: { readonly dataId: object; readonly shape: readonly number[]; readonly dtype: string } };
  readonly attrs: StridedAttributes;
  readonly backend: M;
}

/**
 * Registers the kernel where tensors lie in memory that JavaScript reads. WebAssembly's own slice copies the whole operand first, so that
 * cutting a sequence into T steps takes T² copies, and its tile takes 60 times as long as an addition.
 */
export function registerStrided(tf: TensorFlow, backendName: 'wasm' | 'cpu'): void {
  if (tf.getKernel(STRIDED, backendName)) return;
  const kernelFunc = backendName === 'wasm'
    ? ({ inputs: { x }, attrs, backend }: KernelCall<WasmMemory>) => {
      const out = backend.makeOutput(attrs.dims, x.dtype);
      // Views after the allocation, which may move the heap.
      copyStrided(backend.typedArrayFromHeap(x), backend.typedArrayFromHeap(out), attrs);
      return out;
    }
    : ({ inputs: { x }, attrs, backend }: KernelCall<CpuMemory>) => {
      const from = backend.data.get(x.dataId).values;
      const to = new (from.constructor as Float32ArrayConstructor)(attrs.dims.reduce((product, size) => product * size, 1));
      copyStrided(from, to, attrs);
      return backend.makeTensorInfo(attrs.dims, x.dtype, to);
    };
  tf.registerKernel({ kernelName: STRIDED, backendName, kernelFunc: kernelFunc as never });
}

/** Runs of so many elements are worth a native copy. */
const LONG = 24;

/** @param attributes `strides` in elements, 0 repeats */
function copyStrided(from: Elements, to: Elements, { dims, strides, offset }: StridedAttributes): void {
  const [sizes, steps] = folded(dims, strides);
  const rank = sizes.length;
  if (to.length === 0) return;
  const [inner, step] = [sizes[rank - 1], steps[rank - 1]];
  const index = new Int32Array(rank);
  for (let k = 0, at = offset; k < to.length;) {
    if (step === 1 && inner >= LONG) {
      to.set(from.subarray(at, at + inner), k);
      k += inner;
    } else if (step === 0 && inner >= LONG) {
      to.fill(from[at], k, k + inner);
      k += inner;
    } else for (let j = 0, p = at; j < inner; j++, p += step) to[k++] = from[p];
    for (let axis = rank - 2; axis >= 0; axis--) {
      at += steps[axis];
      if (++index[axis] < sizes[axis]) break;
      at -= steps[axis] * sizes[axis];
      index[axis] = 0;
    }
  }
}

/** Axes that lie behind each other in memory as one; at least one axis. */
function folded(dims: readonly number[], strides: readonly number[]): readonly [number[], number[]] {
  const [sizes, steps]: [number[], number[]] = [[], []];
  for (let axis = 0; axis < dims.length; axis++) {
    if (dims[axis] === 1) continue;
    if (sizes.length > 0 && steps.at(-1) === strides[axis] * dims[axis]) {
      sizes[sizes.length - 1] *= dims[axis];
      steps[steps.length - 1] = strides[axis];
    } else {
      sizes.push(dims[axis]);
      steps.push(strides[axis]);
    }
  }
  return sizes.length > 0 ? [sizes, steps] : [[1], [1]];
}
